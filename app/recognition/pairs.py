"""Pairs of labelled faces: how far apart those of one person are, and those of two people."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.recognition.gallery import View

Rows = NDArray[np.intp]

SAMPLE = 20_000
BIN = 0.05
# Nearly all distances of dlib's encodings are below; the last bin holds whatever is above.
_LAST_EDGE = 1.5


@dataclass(frozen=True, eq=False)
class Pairs:
    """first, second: (k,) rows of a view. distances: (k,) Euclidean over encodings. total: pairs there are in all."""

    first: Rows
    second: Rows
    distances: NDArray[np.float64]
    total: int

    @property
    def sampled(self) -> bool:
        return len(self.distances) < self.total

    def between(self, low: float, high: float) -> Pairs:
        """Those with low <= distance < high."""
        kept = (self.distances >= low) & (self.distances < high)
        return Pairs(self.first[kept], self.second[kept], self.distances[kept], self.total)

    def __len__(self) -> int:
        return len(self.distances)


def by_person(view: View) -> View:
    """The view with its rows in one order whichever process asks: by person, then by face."""
    order = np.lexsort((view.face_ids, view.persons))
    return replace(view, face_ids=view.face_ids[order], persons=view.persons[order], encodings=view.encodings[order])


def same_person(view: View) -> Pairs:
    """Pairs of faces of one person, of a view in the order of by_person: all, or a sample that is always the same."""
    rows = np.arange(len(view))
    return _pairs(view, rows + 1, _ends(view) - rows - 1)


def different_people(view: View) -> Pairs:
    """Pairs of faces of two people, as same_person."""
    ends = _ends(view)
    return _pairs(view, ends, len(view) - ends)


def only(view: View, *people: int) -> View:
    """The rows of these people."""
    rows = np.isin(view.persons, people)
    return replace(view, face_ids=view.face_ids[rows], persons=view.persons[rows], encodings=view.encodings[rows])


def edges(*farthest: float) -> list[float]:
    """Of bins of width BIN from 0 to at least 1, as far as needed; the last goes on to infinity if need be."""
    needed = min(max([1.0, *farthest]), _LAST_EDGE - BIN / 2)
    return [round(BIN * step, 2) for step in range(int(needed / BIN) + 2)]


def histogram(pairs: Pairs, edges: list[float]) -> list[int]:
    """How many lie in each bin: from its edge to below the next; the last bin has no end."""
    starts = np.asarray(edges[:-1])
    places = np.searchsorted(starts, pairs.distances, side="right") - 1
    return [int(count) for count in np.bincount(places, minlength=len(starts))]


def _ends(view: View) -> Rows:
    """For each row where the rows of its person end."""
    return np.searchsorted(view.persons, view.persons, side="right")


def _pairs(view: View, starts: Rows, counts: Rows) -> Pairs:
    """Pairs of each row with the `counts` rows from `starts` on.

    They are numbered row by row, so that a sample needs the numbers alone and no list of all pairs.
    """
    upto = np.cumsum(counts)
    total = int(upto[-1]) if len(upto) else 0
    if total <= SAMPLE:
        numbers = np.arange(total)
    else:
        numbers = np.sort(np.random.default_rng(0).choice(total, SAMPLE, replace=False))
    first = np.searchsorted(upto, numbers, side="right")
    second = starts[first] + numbers - (upto - counts)[first] if total else first
    return Pairs(first, second, _distances(view, first, second), total)


def _distances(view: View, first: Rows, second: Rows) -> NDArray[np.float64]:
    gaps = view.encodings[first] - view.encodings[second]
    distances: NDArray[np.float64] = np.linalg.norm(gaps, axis=1).astype(np.float64)
    return distances
