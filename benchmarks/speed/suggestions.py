"""One suggestion among very many labelled faces, on one core."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from app.recognition.gallery import DIMENSIONS, Change, Gallery
from app.recognition.openset import Recogniser
from benchmarks.speed.measuring import Row, by_turns, span

_PEOPLE, _FACES = 5_000, 100_000
_AT_MOST_S = 0.010


def suggest() -> Iterator[Row]:
    """face_recognition has a loop over the faces for this: its distances alone are what is measured beside ours."""
    import face_recognition.api as theirs

    gallery, faces, query = _crowd()
    recogniser = Recogniser(gallery)
    runs = 15
    with threadpool_limits(1):
        ours, other = by_turns(
            runs, lambda: recogniser.suggest(query), lambda: theirs.face_distance(faces, query).argmin()
        )
        yield Row(
            f"one suggestion among {_FACES:,} faces of {_PEOPLE:,} people",
            span(ours.seconds),
            span(other.seconds),
            other.seconds / ours.seconds,
            runs=(runs, runs),
            holds=ours.seconds <= _AT_MOST_S,
        )


def _crowd() -> tuple[Gallery, np.ndarray, np.ndarray]:
    """Made-up people as far apart as real ones, with faces as close as real ones; and one more face of one of them."""
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 0.05, (_PEOPLE, DIMENSIONS))
    people = rng.integers(0, _PEOPLE, _FACES)
    faces = (middles[people] + rng.normal(0, 0.025, (_FACES, DIMENSIONS))).astype(np.float32)
    gallery = Gallery()
    labelled = zip(people.tolist(), faces, strict=True)
    gallery.apply([Change(row, person, face) for row, (person, face) in enumerate(labelled)], revision=1)
    return gallery, faces, middles[7] + rng.normal(0, 0.025, DIMENSIONS)
