"""Timing two ways to do one thing by turns, and the table that comes of it."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Generic, TypeVar

from app.recognition.processors import processors

T = TypeVar("T")
U = TypeVar("U")

_HEADINGS = ("what", "Namesake", "face_recognition", "ratio", "at least", "", "runs")


@dataclass(frozen=True)
class Timed(Generic[T]):
    """seconds: the median of the runs. result: what the last one returned."""

    seconds: float
    result: T


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ratio: how many times better ours is. floor: what it must be at least, if anything. holds: whether what must be
    true besides is. runs: of ours, of theirs.
    """

    what: str
    ours: str
    theirs: str = ""
    ratio: float | None = None
    floor: float | None = None
    runs: tuple[int, int] = (1, 1)
    holds: bool = True

    @property
    def missed(self) -> bool:
        return not self.holds or (self.floor is not None and (self.ratio or 0) < self.floor)

    def line(self) -> str:
        verdict = "MISSED" if self.missed else "ok" if self.floor is not None else ""
        cells = (self.what, self.ours, self.theirs, _times(self.ratio), _times(self.floor), verdict)
        runs = ", ".join(map(str, sorted(set(self.runs), reverse=True)))
        return f"| {' | '.join(cells)} | {runs} |"


def by_turns(
    runs: int,
    ours: Callable[[], T],
    theirs: Callable[[], U],
    *,
    a_turn: int = 1,
    theirs_a_turn: int = 1,
    warm_up: bool = True,
) -> tuple[Timed[T], Timed[U]]:
    """Call one, then the other, and so on: what else the machine does falls on both alike.

    a_turn: how often ours is called each time, where theirs takes too long for many runs, or where what the other left
    in the processor's caches would be measured too; then theirs_a_turn is the same.
    """
    if warm_up:
        ours()
        theirs()
    mine, other = [], []
    for _ in range(runs):
        mine += [once(ours) for _ in range(a_turn)]
        other += [once(theirs) for _ in range(theirs_a_turn)]
    return _median(mine), _median(other)


def once(call: Callable[[], T]) -> Timed[T]:
    start = time.perf_counter()
    result = call()
    return Timed(time.perf_counter() - start, result)


def _median(runs: list[Timed[T]]) -> Timed[T]:
    return Timed(statistics.median(run.seconds for run in runs), runs[-1].result)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    head = f"| {' | '.join(_HEADINGS)} |\n|{'---|' * len(_HEADINGS)}"
    return "\n".join([head, *(row.line() for row in rows)])


def caption(note: str, load_before: float) -> str:
    """What the table was measured on. note: about the photos."""
    import dlib

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    parts = [
        f"{_processor()}, {processors()} cores, {memory / 2**30:.0f} GB of memory",
        f"Python {platform.python_version()}, onnxruntime {version('onnxruntime')}, dlib {dlib.__version__}, "
        f"face_recognition {version('face-recognition')}",
        f"load average {load_before:.1f} before and {os.getloadavg()[0]:.1f} after",
        note,
    ]
    return f"Measured on {'; '.join(parts)}."


def tell(line: str) -> None:
    """Progress, aside from the table."""
    print(line, file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"


def _times(ratio: float | None) -> str:
    """Never rounded up: 29.97 has not reached 30."""
    return "" if ratio is None else f"{math.floor(ratio * 10) / 10:.1f} x"


def _processor() -> str:
    names = [
        line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return names[0] if names else platform.machine()
