"""How far suggestions can be trusted, from what humans answered to them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

WINDOW = 50
BINS = 10

_Z95 = 1.959964


@dataclass(frozen=True)
class Window:
    """Answers number `first` to `last`, counted from 1; `accepted` of them agreed. complete: it holds WINDOW."""

    first: int
    last: int
    accepted: int
    complete: bool

    @property
    def share(self) -> float:
        return self.accepted / (self.last - self.first + 1)


@dataclass(frozen=True)
class Bin:
    """Suggestions with a confidence from `low` to below `high` (the last bin holds 1 too).

    stated: their mean confidence. share: of them right; interval: where the true share lies, with 95 % confidence,
    after Wilson (1927). All three are None when count is 0.
    """

    low: float
    high: float
    count: int
    right: int
    stated: float | None
    share: float | None
    interval: tuple[float, float] | None


def learning_curve(accepted: ArrayLike) -> list[Window]:
    """How many of every WINDOW answers, (n,) of bool in their order, agreed. The last window may be unfinished."""
    answers = np.asarray(accepted, bool)
    parts = [answers[start : start + WINDOW] for start in range(0, len(answers), WINDOW)]
    return [
        Window(number * WINDOW + 1, number * WINDOW + len(part), int(part.sum()), len(part) == WINDOW)
        for number, part in enumerate(parts)
    ]


def reliability(confidences: ArrayLike, right: ArrayLike) -> list[Bin]:
    """BINS bins of equal width over the stated confidences (n,), and how many of each were right (n,)."""
    stated, hits = np.asarray(confidences, np.float64), np.asarray(right, bool)
    edges = np.round(np.linspace(0, 1, BINS + 1), 6)
    places = np.clip(np.searchsorted(edges, stated, side="right") - 1, 0, BINS - 1)
    bins = []
    for place, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        mine = places == place
        count, correct = int(mine.sum()), int(hits[mine].sum())
        if count:
            mean = float(stated[mine].mean())
            bins.append(Bin(low, high, count, correct, mean, correct / count, wilson(correct, count)))
        else:
            bins.append(Bin(low, high, 0, 0, None, None, None))
    return bins


def calibration_error(bins: list[Bin]) -> float | None:
    """The expected calibration error: by how much stated and true shares differ, weighted by count. None: no answer."""
    total = sum(each.count for each in bins)
    gaps = [each.count * abs(each.share - each.stated) for each in bins if each.share is not None and each.stated]
    return sum(gaps) / total if total else None


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `right` in `count`, which is at least 1."""
    share, square = right / count, _Z95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _Z95 / (1 + square / count) * sqrt(share * (1 - share) / count + square / (4 * count**2))
    # The ends are exact where all or none were right, but for rounding.
    return middle - reach if right else 0.0, middle + reach if right < count else 1.0
