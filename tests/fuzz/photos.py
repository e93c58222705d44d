"""Broken photos for POST /upload/."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count as counting
from itertools import islice
from pathlib import Path

from tests.fuzz.mutations import mutate
from tests.fuzz.seeds import seeds
from tests.fuzz.tally import Tally
from tests.fuzz.targets import InProcess, RealServer, Watched

# A fresh installation after so many: its files are looked through after every request.
_A_HOME = 250
_NAMES = ("photo.jpg", "../../etc/passwd", "CON", "a\0b.png", "x" * 300 + ".jpg", "\u202egpj.exe", ".htaccess",
          "photo.heic", "<svg onload=alert(1)>.webp", "'; DROP TABLE photos; --.gif", "a\r\nX-Evil: 1.tif")  # fmt: skip


def broken_photos(count: int, seed: int) -> Iterator[tuple[str, str, bytes, str]]:
    """(kind, name, data, file name), as many of each kind."""
    kinds = seeds()
    everything = [data for pictures in kinds.values() for data in pictures]
    for number in range(count):
        kind = list(kinds)[number % len(kinds)]
        name = f"{seed}-{kind}-{number}"
        choose = random.Random(name)
        other = choose.choice(kinds[kind] if choose.random() < 0.7 else everything)
        yield (
            kind,
            name,
            mutate(choose.choice(kinds[kind]), other, choose),
            choose.choice(_NAMES) if choose.random() < 0.2 else "photo.jpg",
        )


def fuzz_photos(tally: Tally, count: int, seed: int, home: Path, models: Path, served: float = 0.1) -> None:
    """`count` of them; a share goes to a real server."""
    inputs = broken_photos(count, seed)
    to_server = round(count * served)
    numbers = counting()
    for size, make in ((to_server, RealServer), (count - to_server, InProcess)):
        for first in range(0, size, _A_HOME):
            folder = home / f"photos-{next(numbers)}"
            folder.mkdir(parents=True)
            watched = Watched(make(folder, models), tally)
            for kind, name, data, file_name in islice(inputs, min(_A_HOME, size - first)):
                watched.send("/upload/", kind, name, data, file_name)
            watched.close()
