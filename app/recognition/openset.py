"""Is it anyone we know: a name with an honest confidence, or someone new."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Candidate:
    """chance: that it is this person, if it is anyone known. confidence: that it is this person."""

    person: int
    confidence: float
    chance: float


@dataclass(frozen=True)
class Neighbour:
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
        people = known.view.people
        for chances, raw, certain, nearest in zip(look.chances, familiar, believed, look.nearest, strict=True):
            best = _smallest(-chances, min(CANDIDATES, int((known.view.counts > 0).sum())))
            likely = [(int(people[code]), float(chances[code])) for code in best]
            yield self._suggestion(likely, nearest, float(raw), float(certain))

    def recalibrated(self, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """The same suggestions, none of them without anybody, as sure as the calibration has it by now."""
        familiar = np.array([each.familiar for each in suggestions])
        believed = familiar if self._method.plain else self.calibration(familiar)
        return [
            self._suggestion(
                [(c.person, c.chance) for c in each.candidates], each.nearest, each.familiar, float(certain)
            )
            if each.candidates
            else each
            for each, certain in zip(suggestions, believed, strict=True)
        ]

    def _suggestion(
        self, likely: Sequence[tuple[int, float]], nearest: tuple[Neighbour, ...], familiar: float, certain: float
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
        nearest, own, others = [], np.empty((len(queries), 3)), np.empty(len(queries))
        for row, (query, code) in enumerate(zip(queries, best, strict=True)):
            mine = _nearest_of(view, query, squares[row], known.rows_of(code))[: familiarity.OWN]
            to_mean = np.linalg.norm(view.encodings[[face for face, _ in mine]].mean(axis=0, dtype=np.float64) - query)
            own[row] = to_mean, mine[0][1], len(mine)
            around = _measured(view, query, _smallest(squares[row], 2 * _LOOKED_AT))
            apart = [far for face, far in around if view.codes[face] != code]
            if not apart:  # all that are near are theirs
                apart = [far for _, far in _nearest_of(view, query, squares[row], np.flatnonzero(view.codes != code))]
            others[row] = min(apart, default=np.inf)
            nearest.append(_neighbours(view, around))
        measured = familiarity.measure(to_means, best, own, others)
        return _Look(chances, measured, nearest)

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


def _neighbours(view: View, around: list[tuple[int, float]]) -> tuple[Neighbour, ...]:
    """The nearest of all faces, nearest first."""
    return tuple(
        Neighbour(int(view.face_ids[row]), int(view.persons[row]), distance) for row, distance in around[:NEIGHBOURS]
    )


def _nearest_of(
    view: View, query: Floats, squares: NDArray[np.float32], rows: NDArray[np.intp]
) -> list[tuple[int, float]]:
    """(row, distance) of the nearest among these rows, nearest first."""
    return _measured(view, query, rows[_smallest(squares[rows], _LOOKED_AT)]) if len(rows) else []


def _measured(view: View, query: Floats, rows: NDArray[np.intp]) -> list[tuple[int, float]]:
    distances = np.linalg.norm(view.encodings[rows] - query, axis=1)
    order = np.argsort(distances, kind="stable")
    return list(zip(rows[order].tolist(), distances[order].tolist(), strict=True))


def _smallest(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Where the smallest values are, smallest first."""
    count = min(count, len(values))
    found = np.argpartition(values, count - 1)[:count]
    return found[np.argsort(values[found], kind="stable")]
