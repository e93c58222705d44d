"""Faces that look like one person, found among those that nobody has named: what a human can name at once.

Average linkage over distances that are measured against the crowd around each face. Some faces are near to everyone (of
children, or from a part of the world that the network has seen little of), so the same distance means less for them:
from a distance half the excess of each face's cohort is taken, the faces nearest to it that are not of its own group.
Two faces in one photo are two people. Faces in the background of a photo are further off than they look: few of them
are of anyone who is to be named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from app.recognition.gallery import DIMENSIONS
from app.recognition.propagation import squared_distances

Distances = NDArray[np.float32]

# Two groups are one up to this distance, on average over their pairs, by the size of the smaller one: where they are
# two people after all, each face of it has to be unticked; where they are one, keeping them apart costs one answer.
# Chosen for the fewest decisions on the development faces (make effort).
_TOGETHER = (0.575, 0.565, 0.54)
# A first grouping by distances as they are, to tell a face's own group from its cohort.
_FIRST = 0.52
_COHORT = 30
# How far the cohort of a face is, usually; also where too few faces are there to tell.
_USUAL = 0.625
_BACKGROUND = 0.03
_NEVER = 4.0
# So many faces are looked at all together: pairs of more would take too much memory. Others join one by one.
_AT_ONCE = 2_500
_BLOCK = 256
# Up to here grouping everything anew takes less than a tenth of a second.
_QUICK = 800


class Grouping:
    """The groups, kept current as faces come and go. Not to be shared between threads."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._codes = np.empty(0, np.intp)
        self._cohorts = np.empty(0, np.float32)

    def follow(
        self,
        face_ids: Sequence[int],
        encodings: NDArray[np.float32],
        photos: NDArray[np.int64],
        background: NDArray[np.bool_],
        again: Collection[int] = (),
    ) -> None:
        """Be about these faces: (m,), (m, 128), (m,), (m,).

        again: faces that were taken out of their group by a human and are to look for another. Where few faces are
        new they join the groups there are; where many are, or few are there at all, everything is grouped anew.
        """
        place = {face_id: row for row, face_id in enumerate(self._ids)}
        known = np.array([-1 if face in again else place.get(face, -1) for face in face_ids], np.intp)
        fresh = np.flatnonzero(known < 0)
        codes = np.full(len(face_ids), -1, np.intp)
        cohorts = np.full(len(face_ids), _USUAL, np.float32)
        kept = known >= 0
        codes[kept], cohorts[kept] = self._codes[known[kept]], self._cohorts[known[kept]]
        if len(fresh):
            if len(face_ids) <= _QUICK or len(fresh) > len(face_ids) // 10:
                first = slice(0, _AT_ONCE)
                codes[:] = -1
                codes[first], cohorts[first] = group(encodings[first], photos[first], background[first])
                fresh = np.arange(_AT_ONCE, len(face_ids))
            for start in range(0, len(fresh), _BLOCK):
                _join(fresh[start : start + _BLOCK], codes, cohorts, encodings, photos, background)
        self._ids, self._codes, self._cohorts = list(face_ids), codes, cohorts

    def groups(self) -> list[list[int]]:
        """The face ids of each group, in the order of the faces."""
        found: dict[int, list[int]] = {}
        for face_id, code in zip(self._ids, self._codes.tolist(), strict=True):
            found.setdefault(code, []).append(face_id)
        return list(found.values())


def group(
    encodings: NDArray[np.float32], photos: NDArray[np.int64], background: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Which group each of m faces is in (m,), and how far its cohort is (m,).

    encodings: (m, 128). photos: (m,), the photo of each. background: (m,), whether it is in the background of its
    photo.
    """
    if len(encodings) < 2:
        return np.zeros(len(encodings), np.intp), np.full(len(encodings), _USUAL, np.float32)
    plain = _distances(encodings, encodings)
    apart = photos[:, np.newaxis] == photos
    own = _linked(np.where(apart, np.float32(_NEVER), plain), _FIRST)
    outside = np.where(own[:, np.newaxis] == own, np.float32(_NEVER), plain)
    cohorts = _cohort(outside)
    plain -= (cohorts[:, np.newaxis] + cohorts) / 2 - _middle(cohorts)
    plain += np.float32(_BACKGROUND) * (background[:, np.newaxis] | background)
    plain[apart] = _NEVER
    return _linked(plain, *_TOGETHER), cohorts


def _join(
    fresh: NDArray[np.intp],
    codes: NDArray[np.intp],
    cohorts: NDArray[np.float32],
    encodings: NDArray[np.float32],
    photos: NDArray[np.int64],
    background: NDArray[np.bool_],
) -> None:
    """Write the group of more faces into `codes`, one after the other, a new one where none is near, and how far their
    cohorts are into `cohorts`. codes: (m,), -1 where a face has no group yet."""
    distances = _distances(encodings[fresh], encodings)
    cohorts[fresh] = _cohort(np.where((distances < _FIRST) | (codes < 0), np.float32(_NEVER), distances))
    distances -= (cohorts[fresh, np.newaxis] + cohorts) / 2 - _middle(cohorts)
    distances += np.float32(_BACKGROUND) * (background[fresh, np.newaxis] | background)
    distances[photos[fresh, np.newaxis] == photos] = _NEVER
    for row, apart in zip(fresh, distances, strict=True):
        counts = np.bincount(codes + 1)[1:]
        sums = np.bincount(codes + 1, apart, len(counts) + 1)[1:]
        means = np.divide(sums, counts, out=np.full(len(counts), np.inf), where=counts > 0)
        best = int(means.argmin()) if len(means) else 0
        codes[row] = best if len(means) and means[best] <= _TOGETHER[0] else len(counts)


def _linked(distances: Distances, *limits: float) -> NDArray[np.intp]:
    """Groups of average linkage, up to a limit by the size of the smaller part of a group: of 1, of 2, ... faces."""
    # Loading it takes 0.2 s, which a worker that only takes photos in need not wait for.
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    count = len(distances)
    tree = linkage(squareform(distances, checks=False), "average")
    sizes = np.concatenate([np.ones(count), tree[:, 3]])
    whole = np.ones(2 * count - 1, bool)
    owner = np.arange(2 * count - 1)
    for row, (one, other, height, _size) in enumerate(tree):
        parts = [int(one), int(other)]
        smaller = int(sizes[parts].min())
        whole[count + row] = whole[parts].all() and height <= limits[min(smaller, len(limits)) - 1]
        if whole[count + row]:
            owner[parts] = count + row
    for node in range(2 * count - 2, -1, -1):  # parents come after their parts
        owner[node] = owner[owner[node]]
    found: NDArray[np.intp] = np.unique(owner[:count], return_inverse=True)[1]
    return found


def _cohort(outside: Distances) -> NDArray[np.float32]:
    """(m, n) distances to faces of other groups, _NEVER where they do not count -> (m,)."""
    nearest = np.full((len(outside), _COHORT), _NEVER, np.float32)
    size = min(_COHORT, outside.shape[1])
    nearest[:, :size] = np.partition(outside, size - 1, axis=1)[:, :size]
    nearest[nearest >= _NEVER / 2] = _USUAL
    cohorts: NDArray[np.float32] = nearest.mean(axis=1, dtype=np.float32)
    return cohorts


def _middle(cohorts: NDArray[np.float32]) -> np.float32:
    """The cohort that distances are measured against: where few faces are there, all are farther than usual."""
    return np.float32(max(_USUAL, float(cohorts.mean())))


def _distances(some: NDArray[np.float32], others: NDArray[np.float32]) -> Distances:
    """(m, 128), (n, 128) -> (m, n), Euclidean."""
    assert some.shape[1] == DIMENSIONS  # noqa: S101  (a contract of this module)
    distances: Distances = np.sqrt(squared_distances(some, others))
    return distances
