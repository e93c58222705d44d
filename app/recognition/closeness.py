"""Who is hard to tell from others: few faces, faces unlike each other, or an average close to somebody else's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.gallery import View

FEW = 3
UNLIKE = 0.5
CLOSE = 0.45
"""Of 120 people with 4 to 12 photos in Labeled Faces in the Wild, one in ten has faces farther apart than UNLIKE,
and one in six somebody closer than CLOSE."""

_BLOCK = 512


@dataclass(frozen=True)
class Need:
    """A person, with what may make more photos of them needed.

    cover: the first of their faces. spread: how far apart two of their faces typically are (root mean square), None
    with one face. nearest, distance: whose average is closest to theirs, None without anybody else.
    """

    person: int
    cover: int
    faces: int
    spread: float | None
    nearest: int | None
    distance: float | None

    @property
    def weight(self) -> int:
        return max(0, FEW - self.faces) + self.unlike + self.close

    @property
    def few(self) -> bool:
        return self.faces < FEW

    @property
    def unlike(self) -> bool:
        return self.spread is not None and self.spread > UNLIKE

    @property
    def close(self) -> bool:
        return self.distance is not None and self.distance < CLOSE


def needs(view: View) -> list[Need]:
    """Everyone with at least one reason, those who need photos most first, then those closest to somebody else.

    Each missing face, faces unlike each other, and being close to somebody weigh the same. The view is in the order
    of pairs.by_person.
    """
    in_need = [each for each in everyone(view) if each.weight]
    return sorted(in_need, key=lambda n: (-n.weight, n.faces, n.distance or 0.0, n.person))


def everyone(view: View) -> list[Need]:
    """The same for everybody, who may be in no need, by person. The view is in the order of pairs.by_person."""
    people, starts, counts = np.unique(view.persons, return_index=True, return_counts=True)
    if not len(people):
        return []
    sums: NDArray[np.float32] = np.add.reduceat(view.encodings, starts, axis=0)
    means = (sums / counts[:, np.newaxis]).astype(np.float32)
    off = np.square(view.encodings - np.repeat(means, counts, axis=0)).sum(axis=1, dtype=np.float64)
    # Two of n faces are, squared and on average, 2 / (n - 1) times the sum of their squares from the mean apart.
    spreads = np.sqrt(2 * np.add.reduceat(off, starts) / np.maximum(counts - 1, 1))
    nearest, distances = _nearest(means)
    return [
        Need(
            person=int(person),
            cover=int(view.face_ids[start]),
            faces=int(count),
            spread=float(spread) if count > 1 else None,
            nearest=int(people[other]) if len(people) > 1 else None,
            distance=float(distance) if len(people) > 1 else None,
        )
        for person, start, count, spread, other, distance in zip(
            people, starts, counts, spreads, nearest, distances, strict=True
        )
    ]


def _nearest(means: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each average which other one is closest, and how far."""
    nearest = np.empty(len(means), np.intp)
    halves = np.einsum("ij,ij->i", means, means) / 2
    for start in range(0, len(means), _BLOCK):
        # The closest y has the largest x.y - y.y/2: what all distances from x share need not be added up.
        scores = means[start : start + _BLOCK] @ means.T
        scores -= halves
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        nearest[start : start + _BLOCK] = scores.argmax(axis=1)
    # The quick way loses digits where two are almost the same.
    return nearest, np.linalg.norm((means - means[nearest]).astype(np.float64), axis=1)
