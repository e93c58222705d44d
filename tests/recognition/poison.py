"""A decoder that photos can break, in place of one with a bug nobody has found yet: tests run it as the process that
decodes. A file that begins with POISON names what it does; all others are decoded as ever."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InvalidInput, NotFound
from app.recognition import decoding, images, wire
from app.recognition.images import Header, Photo
from app.recognition.wire import Answer

POISON = b"poison: "
MEBIBYTE = 1 << 20
_kept: list[Any] = []


def main(descriptor: int, leash: int) -> None:
    def decode(data: bytes, **limits: Any) -> Photo:
        if data.startswith(POISON):
            name, _, data = data.removeprefix(POISON).partition(b"\n")
            if name == b"read on":
                with mmap.mmap(_memory(), mmap.PAGESIZE) as memory:
                    memory[0] = 1
                select.select([descriptor], [], [])
                os.read(descriptor, 1)
            else:
                _take(name.decode(), descriptor)
        return images.decode(data, **limits)

    decoding.main(descriptor, leash, decode, lambda _data: Header(1, 1, 1, repr(_surroundings()).encode()))


def _take(name: str, descriptor: int) -> None:
    try:
        _ILLS[name]()
    except KeyError:
        for part in _LIES[name]:
            os.write(descriptor, part)
        signal.pause()
    except (MemoryError, OSError) as error:
        # What a limit has stopped says by which, and how far it came.
        reached = sum(len(each) for each in _kept if isinstance(each, np.ndarray)) // MEBIBYTE
        raise InvalidInput(f"Stopped: {getattr(error, 'strerror', 'memory')}, {reached}") from error


def _surroundings() -> dict[str, Any]:
    return {
        "folder": os.getcwd(),
        "environment": sorted(os.environ),
        "modules": sorted(sys.modules),
        "files": sorted(path.split(":")[0] for path in _open().values()),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
    }


def _open() -> dict[int, str]:
    """What each descriptor stands for."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _spin() -> None:
    while True:
        pass


def _eat() -> None:
    while True:
        _kept.append(np.ones(8 * MEBIBYTE, np.uint8))


def _open_all() -> None:
    while True:
        _kept.append(os.open("/dev/null", os.O_RDONLY))


def _memory() -> int:
    """The descriptor that the pixels go to."""
    return next(fd for fd, path in _open().items() if "memfd" in path)


def _not_mine() -> None:
    raise NotFound("No decoder refuses so.")


_ILLS: dict[str, Callable[[], object]] = {
    "crash": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "end": lambda: os._exit(0),
    "be killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "spin": _spin,
    "hang in C": lambda: ctypes.PyDLL(None).pause(),
    "eat": _eat,
    "write": lambda: Path("/tmp/namesake-decoder").write_bytes(b"x"),
    "open": _open_all,
    "shrink": lambda: os.ftruncate(_memory(), 10),
    "keep": lambda: _kept.append(mmap.mmap(_memory(), mmap.PAGESIZE)),
    "refuse strangely": _not_mine,
}


def _answer(**fields: Any) -> bytes:
    picture = {"kind": 0, "width": 10, "height": 10, "rows": 10, "columns": 10}
    return wire.ANSWER.pack(*Answer(**picture | fields))


def _refusal(words: bytes) -> list[bytes]:
    return [wire.ANSWER.pack(*Answer(refusal=1, has_rest=True, rest=len(words))), words]


_LIES: dict[str, list[bytes]] = {
    "an unknown format": [_answer(kind=200)],
    "no rows": [_answer(rows=0)],
    "more rows than the photo": [_answer(rows=11)],
    "more than was allowed": [_answer(width=1 << 40)],
    "more than there is room for": [_answer(width=1 << 20, height=90, rows=90, columns=1 << 20)],
    "numbers that overflow": [_answer(rows=1 << 62, height=1 << 62, columns=4)],
    "a refusal there is not": [wire.ANSWER.pack(*Answer(refusal=9, has_rest=True, rest=1)), b"."],
    "a refusal without words": _refusal(b""),
    "a refusal in no alphabet": _refusal(b"\xff\xfe"),
    "a refusal of two lines": _refusal(b"ok\r\nSet-Cookie: a=b"),
    "endless words": [_answer(has_rest=True, rest=1 << 50)],
}
ILLS, LIES = tuple(_ILLS), tuple(_LIES)
