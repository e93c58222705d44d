"""Views of a gallery made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from app.recognition.gallery import DIMENSIONS, Change, Gallery, View


def view_of(persons: Sequence[int], places: ArrayLike, face_ids: Sequence[int] | None = None) -> View:
    """Faces of these persons at these places: (n, d) with d up to 128, the other coordinates being 0."""
    places = np.asarray(places, np.float32)
    encodings = np.zeros((len(persons), DIMENSIONS), np.float32)
    encodings[:, : places.shape[1]] = places
    ids = np.arange(1, len(persons) + 1) if face_ids is None else np.asarray(face_ids)
    gallery = Gallery()
    labelled = zip(ids.tolist(), np.asarray(persons).tolist(), encodings, strict=True)
    gallery.apply([Change(face_id, person, encoding) for face_id, person, encoding in labelled], revision=1)
    return gallery.snapshot()


def crowd(people: int, faces: int, seed: int = 0) -> View:
    """So many faces of so many people, anywhere; everyone has one at least."""
    random = np.random.default_rng(seed)
    persons = np.sort(np.concatenate([np.arange(people), random.integers(0, people, faces - people)]))
    return view_of(persons.tolist(), random.normal(size=(faces, DIMENSIONS)) / 16)
