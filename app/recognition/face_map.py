"""Labelled faces on a plane: the two directions in which they differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.gallery import View

SHOWN = 400
_AT_LEAST_EACH = 8


@dataclass(frozen=True, eq=False)
class FaceMap:
    """rows: (k,) of the view, a person's together, the people with the most faces first. points: (k, 2) from 0 to 1,
    both directions to one scale. kept: the share of the variance of these faces that the plane shows."""

    rows: NDArray[np.intp]
    points: NDArray[np.float64]
    kept: float


def draw_map(view: View) -> FaceMap:
    """A map of at most SHOWN faces of a view in the order of pairs.by_person.

    Everyone gets as many faces as anybody else, if they have them. Of more people than would leave eight for each,
    those with the most faces are shown. The choice is always the same.
    """
    rows = _chosen(view)
    encodings = view.encodings[rows].astype(np.float64)
    centred = encodings - encodings.mean(axis=0) if len(rows) else encodings
    # Eigenvectors of the 128 x 128 covariance, the strongest last: far quicker than taking the faces themselves apart.
    variances, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    # The sign of an axis means nothing: settle it, so that the map does not flip over from one visit to the next.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    variance = float(variances.sum())
    kept = float(variances[-2:].sum()) / variance if variance > 0 else 1.0
    return FaceMap(rows, _fitted(centred @ axes), kept)


def _chosen(view: View) -> NDArray[np.intp]:
    _, starts, counts = np.unique(view.persons, return_index=True, return_counts=True)
    share = _AT_LEAST_EACH
    while share < counts.max(initial=0) and np.minimum(counts, share + 1).sum() <= SHOWN:
        share += 1
    random = np.random.default_rng(0)
    chosen: list[int] = []
    for person in np.argsort(-counts, kind="stable"):
        room = min(share, SHOWN - len(chosen))
        if not room:
            break
        mine = np.arange(starts[person], starts[person] + counts[person])
        chosen += sorted(random.permutation(mine)[:room].tolist())
    return np.array(chosen, np.intp)


def _fitted(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(plane):
        return plane
    low, high = plane.min(axis=0), plane.max(axis=0)
    size = float((high - low).max())
    return (plane - (low + high) / 2) / size + 0.5 if size else np.full_like(plane, 0.5)
