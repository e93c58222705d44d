"""Is it anyone we know: a name with an honest confidence, or someone new."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.recognition import familiarity
from app.recognition.calibration import Calibration
from app.recognition.gallery import DIMENSIONS, Gallery, View, doubled
from app.recognition.propagation import (
    Floats,
    Projection,
    class_probabilities,
    harmonic,
    needs_refit,
    rbf_log_weights,
    squared_distances,
)

SAME_PERSON_DISTANCE = 0.6
"""dlib's own threshold: its network was trained so that faces of one person are closer than this."""

CERTAIN_ENOUGH = 0.5
CANDIDATES = 5
NEIGHBOURS = 3

# PCA leaves out so little that the nearest faces are among so many that are nearest without it.
_LOOKED_AT = 32
# How many distances are held at a time: 4 million of 4 bytes, in a few copies.
_BLOCK = 4_000_000
# Of so many faces the distances to those around them are worked out together: 4 MB of differences.
_AT_ONCE = 64


@dataclass(frozen=True)
class Method:
    """How a face gets its name.

    variance: what PCA keeps, above 0 and up to 1. gamma: of the RBF kernel. plain: the confidence is the probability
    that label propagation gives, which knows no strangers.
    """

    variance: float = 0.99
    gamma: float = 40.0
    plain: bool = False


METHOD = Method()
ORIGINAL = Method(0.90, 20.0, plain=True)
"""what the system did that this one replaces"""


class Candidate(NamedTuple):
    """chance: that it is this person, if it is anyone known. confidence: that it is this person."""

    person: int
    confidence: float
    chance: float


class Neighbour(NamedTuple):
    """A labelled face and its Euclidean distance over encodings."""

    face_id: int
    person: int
    distance: float


@dataclass(frozen=True)
class Suggestion:
    """Who a face is. person None: more likely someone new; confidence is then that of the best known name.

    candidates: best first, at most 5, distinct people, confidences that sum to 1 at most.
    nearest: the 3 nearest labelled faces. familiar: the probability that it is anyone known, before any calibration.
    ruled_out: whom a human has said it is not.
    """

    person: int | None
    confidence: float
    candidates: tuple[Candidate, ...]
    nearest: tuple[Neighbour, ...]
    familiar: float = 0.0
    ruled_out: frozenset[int] = frozenset()

    def without(self, people: Set[int]) -> Suggestion:
        """The suggestion left when a human has said that it is none of these people."""
        if not people:
            return self
        candidates = tuple(c for c in self.candidates if c.person not in people)
        nearest = tuple(n for n in self.nearest if n.person not in people)
        confidence = candidates[0].confidence if candidates else 0.0
        person = self.person
        if person in people:
            person = candidates[0].person if confidence >= CERTAIN_ENOUGH else None
        return replace(
            self,
            person=person,
            confidence=confidence,
            candidates=candidates,
            nearest=nearest,
            ruled_out=self.ruled_out | people,
        )


@dataclass(frozen=True, eq=False)
class _Known:
    """A view of the gallery made ready: means (c, 128) of the people's faces, projected (n, k), in single precision.

    Where a person has gone the mean is zero, and no distance to it counts. by_code (n,): the rows of the view, ordered
    by whose they are; those of code c begin at begins[c], (c + 1,).
    """

    view: View
    means: NDArray[np.float32]
    by_code: NDArray[np.intp]
    begins: NDArray[np.intp]
    projection: Projection
    projected: NDArray[np.float32]
    squares: NDArray[np.float32]

    def rows_of(self, code: int) -> NDArray[np.intp]:
        """The rows of one person."""
        return self.by_code[self.begins[code] : self.begins[code + 1]]

    def squared_distances(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """(m, k) -> (m, n), over the projection."""
        found: NDArray[np.float32] = queries @ self.projected.T
        found *= -2
        found += self.squares
        found += np.einsum("ij,ij->i", queries, queries)[:, np.newaxis]
        np.maximum(found, 0, out=found)
        return found


class Recogniser:
    """Suggests who a face is from the gallery as it stands. Every method may be called from any thread.

    calibration: what the user's own answers say about the confidence. May be replaced at any time.
    """

    def __init__(self, gallery: Gallery, method: Method = METHOD) -> None:
        self.calibration = Calibration()
        self._gallery = gallery
        self._method = method
        self._weights = familiarity.Weights.shipped()
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._fitted_on = 0
        self._fitted_churn = 0
        self._projected = np.empty((0, 0), np.float32)
        self._squares = np.empty(0, np.float32)

    def suggest(self, encoding: ArrayLike) -> Suggestion:
        """Who one face (128,) is."""
        return self.suggest_many(np.asarray(encoding)[np.newaxis])[0]

    def suggest_many(self, encodings: ArrayLike) -> list[Suggestion]:
        """Who each face of (m, 128) is, each on its own."""
        queries, known = self._asked(encodings)
        if not len(known.view):
            return [Suggestion(None, 0.0, (), ()) for _ in queries]
        size = max(1, _BLOCK // len(known.view))
        blocks = (queries[start : start + size] for start in range(0, len(queries), size))
        return [suggestion for block in blocks for suggestion in self._suggest(known, block, together=False)]

    def suggest_together(self, encodings: ArrayLike) -> list[Suggestion]:
        """Who each face of (m, 128) is, each also speaking for the others: of two photos of someone new or hard to
        tell, the clearer one helps. m should be some hundreds at most: time grows with its third power."""
        queries, known = self._asked(encodings)
        if not len(known.view):
            return [Suggestion(None, 0.0, (), ()) for _ in queries]
        return list(self._suggest(known, queries, together=True))

    def measure(self, encodings: ArrayLike) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Whom each face of (m, 128) looks most like (m,), the chance that it is them if anyone known (m,), and the
        measurements (m, 6) that say whether it is: what the weights of the familiarity are fitted on."""
        queries, known = self._asked(encodings)
        look = self._look(known, queries, together=False)
        return known.view.people[look.chances.argmax(axis=1)], look.chances.max(axis=1), look.measured

    def _asked(self, encodings: ArrayLike) -> tuple[Floats, _Known]:
        return np.asarray(encodings, np.float64).reshape(-1, DIMENSIONS), self._prepare()

    def _suggest(self, known: _Known, queries: Floats, *, together: bool) -> Iterator[Suggestion]:
        look = self._look(known, queries, together=together)
        familiar = np.ones(len(queries)) if self._method.plain else self._weights(look.measured)
        believed = familiar if self._method.plain else self.calibration(familiar)
        best = _smallest(-look.chances, min(CANDIDATES, int((known.view.counts > 0).sum())))
        people = known.view.people[best].tolist()
        chances = np.take_along_axis(look.chances, best, axis=1).tolist()
        for row, nearest in enumerate(look.nearest):
            likely = zip(people[row], chances[row], strict=True)
            yield self._suggestion(likely, nearest, float(familiar[row]), float(believed[row]))

    def recalibrated(self, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """The same suggestions, none of them without anybody, as sure as the calibration has it by now."""
        familiar = np.array([each.familiar for each in suggestions])
        believed = familiar if self._method.plain else self.calibration(familiar)
        return [
            self._suggestion(
                ((c.person, c.chance) for c in each.candidates), each.nearest, each.familiar, float(certain)
            )
            if each.candidates
            else each
            for each, certain in zip(suggestions, believed, strict=True)
        ]

    def _suggestion(
        self, likely: Iterable[tuple[int, float]], nearest: tuple[Neighbour, ...], familiar: float, certain: float
    ) -> Suggestion:
        """likely: people with their chances, best first. certain: that it is anyone known, after calibration."""
        candidates = tuple(Candidate(person, chance * certain, chance) for person, chance in likely)
        confidence = candidates[0].confidence
        sure = nearest[0].distance <= SAME_PERSON_DISTANCE or self._method.plain
        person = candidates[0].person if sure and confidence >= CERTAIN_ENOUGH else None
        return Suggestion(person, confidence, candidates, nearest, familiar)

    def _look(self, known: _Known, queries: Floats, *, together: bool) -> _Look:
        view = known.view
        projected = known.projection.transform(queries)
        squares = known.squared_distances(projected.astype(np.float32))
        log_weights = squares * np.float32(-self._method.gamma)
        if together:
            among = rbf_log_weights(projected, projected, self._method.gamma)
            chances = harmonic(among, log_weights.astype(np.float64), view.codes, len(view.people))
        else:
            chances = class_probabilities(log_weights, view.codes, len(view.people))
        best = chances.argmax(axis=1)
        to_means = np.sqrt(squared_distances(queries.astype(np.float32), known.means))
        to_means[:, view.counts == 0] = np.inf
        around, far = _nearest(view, queries, squares, 2 * _LOOKED_AT)
        others = np.where(view.codes[around] == best[:, np.newaxis], np.inf, far).min(axis=1)
        own = np.empty((len(queries), 3))
        for code, asking in _by_value(best):
            own[asking] = _own(view, queries[asking], squares[asking], known.rows_of(code))
            lonely = asking[np.isinf(others[asking])]  # all that are near are theirs
            apart = np.flatnonzero(view.codes != code) if len(lonely) else lonely
            if len(apart):
                others[lonely] = _nearest(view, queries[lonely], squares[lonely], _LOOKED_AT, apart)[1][:, 0]
        measured = familiarity.measure(to_means, best, own, others)
        return _Look(chances, measured, _neighbours(view, around, far))

    def _prepare(self) -> _Known:
        with self._lock:
            view = self._gallery.snapshot()
            last = self._known
            if last is not None and last.view is view:
                return last
            if last is None or needs_refit(self._fitted_on, view.churn - self._fitted_churn):
                projection = Projection.fit(view.encodings, self._method.variance)
                self._fitted_on, self._fitted_churn = len(view), view.churn
                kept = 0
            else:
                projection = last.projection
                kept = len(last.view) if last.view.generation == view.generation else 0
            with np.errstate(invalid="ignore", divide="ignore"):
                means = (view.sums / view.counts[:, np.newaxis]).astype(np.float32)
            means[view.counts == 0] = 0
            by_code = np.argsort(view.codes, kind="stable")
            begins = np.concatenate([[0], np.cumsum(np.bincount(view.codes, minlength=len(view.people)))])
            self._known = _Known(view, means, by_code, begins, projection, *self._project(view, projection, kept))
            return self._known

    def _project(
        self, view: View, projection: Projection, kept: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The view projected. Its first `kept` rows are there already: new ones go behind those being read."""
        fresh = projection.transform(view.encodings[kept:]).astype(np.float32)
        if not kept:
            self._projected, self._squares = fresh, np.empty(len(fresh), np.float32)
        while len(self._projected) < len(view):
            self._projected, self._squares = doubled(self._projected), doubled(self._squares)
        self._projected[kept : len(view)] = fresh
        self._squares[kept : len(view)] = np.einsum("ij,ij->i", fresh, fresh)
        return self._projected[: len(view)], self._squares[: len(view)]


@dataclass(frozen=True, eq=False)
class _Look:
    """chances (m, c), measured (m, 6), and the nearest faces of each of m faces."""

    chances: Floats
    measured: Floats
    nearest: list[tuple[Neighbour, ...]]


def _by_value(values: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each value there is, and where it is."""
    order = np.argsort(values, kind="stable")
    for where in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
        yield int(values[where[0]]), where


def _own(view: View, queries: Floats, squares: NDArray[np.float32], rows: NDArray[np.intp]) -> Floats:
    """(m, 3), of m faces and the rows of the one person they look like: the distance to the mean of the nearest and to
    the nearest, and how many these are."""
    mine, far = _nearest(view, queries, squares, _LOOKED_AT, rows)
    mine = mine[:, : familiarity.OWN]
    to_mean = np.linalg.norm(view.encodings[mine].mean(axis=1, dtype=np.float64) - queries, axis=1)
    return np.column_stack([to_mean, far[:, 0], np.full(len(queries), mine.shape[1])])


def _neighbours(view: View, around: NDArray[np.intp], far: Floats) -> list[tuple[Neighbour, ...]]:
    """The nearest of all faces, nearest first, for each of m faces."""
    near = around[:, :NEIGHBOURS]
    faces, people, distances = view.face_ids[near].tolist(), view.persons[near].tolist(), far[:, :NEIGHBOURS].tolist()
    return [tuple(map(Neighbour, *of_one)) for of_one in zip(faces, people, distances, strict=True)]


def _nearest(
    view: View, queries: Floats, squares: NDArray[np.float32], count: int, rows: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.intp], Floats]:
    """Rows of the view, of these if given, and their distances, (m, k) each: for each of m faces those that are nearest
    of the `count` with the smallest squares (m, n), nearest first."""
    near = _smallest(squares, count) if rows is None else rows[_smallest(squares[:, rows], count)]
    distances = np.empty(near.shape)
    for start in range(0, len(near), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        distances[some] = np.linalg.norm(view.encodings[near[some]] - queries[some, np.newaxis], axis=2)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(distances, order, axis=1)


def _smallest(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Where the smallest values of each row are, smallest first: (m, n) -> (m, k), k at most `count`."""
    count = min(count, values.shape[1])
    found = np.argpartition(values, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(values, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)
