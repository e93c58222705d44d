"""Is it anyone we know: a name with an honest confidence, or someone new."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.recognition.gallery import DIMENSIONS, Gallery, View, doubled
from app.recognition.propagation import (
    Codes,
    Floats,
    Projection,
    class_probabilities,
    needs_refit,
    rbf_log_weights,
    squared_distances,
)

SAME_PERSON_DISTANCE = 0.6
"""dlib's own threshold: its network was trained so that faces of one person are closer than this."""

CERTAIN_ENOUGH = 0.5
CANDIDATES = 5
NEIGHBOURS = 3

# Made by benchmarks/fit_openset.py at PCA 0.99 and gamma 40, with cnn, on half of 120 people and 400
# strangers of Labeled Faces in the Wild; galleries of 2 to 160 people, half of the questions about strangers.
# On the other half the expected calibration error is 0.01 with 1 photo a person, 0.03 with 3 and 5. Even
# chances are at 0.54.
_INTERCEPT, _SLOPE = 29.89, -55.11

# How many distances are held at a time: 4 million of 8 bytes, in a few copies.
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Candidate:
    person: int
    confidence: float


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
    nearest: the 3 nearest labelled faces.
    """

    person: int | None
    confidence: float
    candidates: tuple[Candidate, ...]
    nearest: tuple[Neighbour, ...]

    def without(self, people: Set[int]) -> Suggestion:
        """The suggestion left when a human has said that it is none of these people."""
        candidates = tuple(c for c in self.candidates if c.person not in people)
        nearest = tuple(n for n in self.nearest if n.person not in people)
        if self.person not in people:
            return Suggestion(self.person, self.confidence, candidates, nearest)
        confidence = candidates[0].confidence if candidates else 0.0
        person = candidates[0].person if confidence >= CERTAIN_ENOUGH else None
        return Suggestion(person, confidence, candidates, nearest)


@dataclass(frozen=True, eq=False)
class _Known:
    """A view of the gallery made ready: people (c,) ids, codes (n,) into them, projected (n, k)."""

    view: View
    people: NDArray[np.int64]
    codes: Codes
    projection: Projection
    projected: Floats


class Recogniser:
    """Suggests who a face is from the gallery as it stands. Every method may be called from any thread.

    variance: what PCA keeps, above 0 and up to 1. gamma: of the RBF kernel.
    """

    def __init__(self, gallery: Gallery, *, variance: float, gamma: float) -> None:
        self._gallery = gallery
        self._variance = variance
        self._gamma = gamma
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._fitted_on = 0
        self._fitted_churn = 0
        self._projected = np.empty((0, 0))

    def suggest(self, encoding: ArrayLike) -> Suggestion:
        """Who one face (128,) is."""
        return self.suggest_many(np.asarray(encoding)[np.newaxis])[0]

    def suggest_many(self, encodings: ArrayLike) -> list[Suggestion]:
        """Who each face of (m, 128) is, each on its own."""
        queries = np.asarray(encodings, np.float64).reshape(-1, DIMENSIONS)
        known = self._prepare()
        if not len(known.view):
            return [Suggestion(None, 0.0, (), ()) for _ in queries]
        size = max(1, _BLOCK // len(known.view))
        blocks = (queries[start : start + size] for start in range(0, len(queries), size))
        return [suggestion for block in blocks for suggestion in self._suggest(known, block)]

    def _suggest(self, known: _Known, queries: Floats) -> Iterator[Suggestion]:
        projected = known.projection.transform(queries)
        log_weights = rbf_log_weights(projected, known.projected, self._gamma)
        probabilities = class_probabilities(log_weights, known.codes, len(known.people))
        # Single precision is enough to rank by, at half the memory traffic; what is shown is measured again.
        rough = squared_distances(queries.astype(np.float32), known.view.encodings)
        for query, chances, distances in zip(queries, probabilities, rough, strict=True):
            yield _suggestion(known, query, chances, distances)

    def _prepare(self) -> _Known:
        with self._lock:
            view = self._gallery.snapshot()
            last = self._known
            if last is not None and last.view is view:
                return last
            if last is None or needs_refit(self._fitted_on, view.churn - self._fitted_churn):
                projection = Projection.fit(view.encodings, self._variance)
                self._fitted_on, self._fitted_churn = len(view), view.churn
                kept = 0
            else:
                projection = last.projection
                kept = len(last.view) if last.view.generation == view.generation else 0
            people, codes = np.unique(view.persons, return_inverse=True)
            projected = self._project(view, projection, kept)
            self._known = _Known(view, people, codes, projection, projected)
            return self._known

    def _project(self, view: View, projection: Projection, kept: int) -> Floats:
        """The view projected. Its first `kept` rows are there already: new ones go behind those being read."""
        fresh = projection.transform(view.encodings[kept:])
        if not kept:
            self._projected = fresh
        while len(self._projected) < len(view):
            self._projected = doubled(self._projected)
        self._projected[kept : len(view)] = fresh
        return self._projected[: len(view)]


def same_person(distance: ArrayLike) -> Floats:
    """The probability that a face at this distance from the nearest one of a person is that person's."""
    # The logistic function, in a form that does not overflow.
    return 0.5 * (1 + np.tanh((_INTERCEPT + _SLOPE * np.asarray(distance, np.float64)) / 2))


def _suggestion(known: _Known, query: Floats, chances: Floats, rough: NDArray[np.float32]) -> Suggestion:
    nearest = _neighbours(known, query, _smallest(rough, NEIGHBOURS))
    nearest.sort(key=lambda neighbour: neighbour.distance)
    best = _smallest(-chances, CANDIDATES)
    own = [np.flatnonzero(known.codes == code) for code in best]
    closest = _neighbours(known, query, np.array([rows[rough[rows].argmin()] for rows in own]))
    candidates = [
        Candidate(face.person, float(chances[code] * same_person(face.distance)))
        for code, face in zip(best, closest, strict=True)
    ]
    candidates.sort(key=lambda candidate: -candidate.confidence)
    confidence = candidates[0].confidence
    sure = nearest[0].distance <= SAME_PERSON_DISTANCE and confidence >= CERTAIN_ENOUGH
    return Suggestion(candidates[0].person if sure else None, confidence, tuple(candidates), tuple(nearest))


def _neighbours(known: _Known, query: Floats, rows: NDArray[np.intp]) -> list[Neighbour]:
    view = known.view
    distances = np.linalg.norm(view.encodings[rows] - query, axis=1)
    return [
        Neighbour(int(view.face_ids[row]), int(view.persons[row]), float(distance))
        for row, distance in zip(rows, distances, strict=True)
    ]


def _smallest(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Where the smallest values are, smallest first."""
    count = min(count, len(values))
    found = np.argpartition(values, count - 1)[:count]
    return found[np.argsort(values[found], kind="stable")]
