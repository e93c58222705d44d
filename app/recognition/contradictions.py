"""Labels that the rest of the gallery contradicts: each labelled face asked about by all the others.

A face is in doubt when the nearest of somebody else's faces is a good deal nearer than the nearest of its own
person's. One wrong label makes its neighbours look wrong too, so faces are judged from the clearest case down, each
without those that were found wrong before it.

Measured on 120 people and 400 strangers of Labeled Faces in the Wild, in two halves, with 2 % of the labels given to
someone else at random (2, 3 or all photos of each, 120 draws a half): 99 and 96 % of the faces accused were wrong; of
the wrong ones whose right person had another face 91 and 94 % were found (52 and 54 % of all); of the clean faces 1
and 5 in 10,000 were accused. With every label right none was. The limits were chosen on the same people.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.recognition.propagation import Codes

# In the other person's reach: of faces with others of the same person, 98 % have one so near, and of all faces 9 %
# have a stranger's.
_NEAR = 0.5
# How much nearer. Faces whose nearest is someone else's by chance hardly ever are by so much.
_MARGIN = 0.1
# How near a lone face's own person is taken to be; 96 % of faces have one of their own nearer.
_LONE = 0.48
# The share of accused faces that were wrong, by how near the other person's nearest is: a logistic fitted to the 1,125
# accused in those draws.
_INTERCEPT, _SLOPE = 13.06, -22.81
EVIDENCE = 3

# How many distances are held at a time, in single precision; somebody with more faces than fit makes it more.
_BLOCK = 8_000_000
# Farther apart than any two faces, and small enough that squares do not overflow.
_LARGEST = 1e3

Pairs = Set[tuple[int, int]]


@dataclass(frozen=True)
class Evidence:
    """A labelled face and its Euclidean distance, over encodings, from the one in doubt."""

    face_id: int
    distance: float


@dataclass(frozen=True)
class Contradiction:
    """A face labelled `person` that looks like `other`.

    score: how likely the label is wrong, where 2 labels in 100 are: of the faces in doubt at 0.9, nine in ten were.
    own, others: the nearest faces, 3 at most, of its own label (none: it is the only one) and of the other's.
    """

    face_id: int
    person: int
    other: int
    score: float
    own: tuple[Evidence, ...]
    others: tuple[Evidence, ...]


def contradictions(
    face_ids: NDArray[np.int64],
    persons: NDArray[np.int64],
    encodings: ArrayLike,
    *,
    vouched: Pairs = frozenset(),
    ruled_out: Pairs = frozenset(),
    limit: int = 200,
) -> list[Contradiction]:
    """The most contradicted labels of a gallery, clearest first.

    face_ids, persons: (n,). encodings: (n, 128). vouched: (face, person) labels that are right whatever the others
    say. ruled_out: (face, person) names that a face is known not to have. A face that is vouched for speaks for its
    own person but against nobody: that it looks like somebody else is settled. Memory does not grow with n squared.
    """
    if len(face_ids) < 2:
        return []
    rows = np.clip(np.asarray(encodings, np.float32), -_LARGEST, _LARGEST)
    _people, codes = np.unique(persons, return_inverse=True)
    own, other = _nearest(rows, codes)
    gains = np.where(np.isfinite(own), own, _LONE) - other
    accused = np.flatnonzero(_is_contradicted(own, other))
    wrong = np.zeros(len(rows), np.bool_)
    labels = zip(face_ids.tolist(), persons.tolist(), strict=True)
    settled = np.fromiter((label in vouched for label in labels), np.bool_, len(rows))
    found: list[Contradiction] = []
    for row in accused[np.argsort(-gains[accused], kind="stable")]:
        if len(found) == limit:
            break
        if settled[row]:
            continue
        contradiction = _judge(row, face_ids, persons, rows, wrong | (settled & (persons != persons[row])))
        if contradiction and (contradiction.face_id, contradiction.other) not in ruled_out:
            wrong[row] = True
            found.append(contradiction)
    return sorted(found, key=lambda each: -each.score)


def _nearest(rows: NDArray[np.float32], codes: Codes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance of each face to the nearest other of its own person, infinite for a lone one, and of anyone else."""
    order = np.argsort(codes, kind="stable")
    by_person = rows[order]
    edges = np.append(np.flatnonzero(np.diff(codes[order], prepend=-1)), len(rows))
    lengths = np.einsum("ij,ij->i", by_person, by_person)
    # One product gives |y|^2 - 2xy, which is the squared distance but for |x|^2.
    left = np.hstack([by_person, np.ones((len(rows), 1), np.float32)])
    right = np.hstack([-2 * by_person, lengths[:, np.newaxis]]).T
    own, other = np.full(len(rows), np.inf, np.float32), np.empty(len(rows), np.float32)
    for block in _blocks(edges, max(1, _BLOCK // len(rows))):
        first, last = int(edges[block.start]), int(edges[block.stop])
        squares = left[first:last] @ right
        for start, stop in zip(edges[block], edges[block.start + 1 : block.stop + 1], strict=True):
            among = squares[start - first : stop - first, start:stop]
            np.fill_diagonal(among, np.inf)
            own[start:stop] = among.min(axis=1)
            among[:] = np.inf
        other[first:last] = squares.min(axis=1)
    back = np.argsort(order)
    return (
        np.sqrt(np.maximum(own + lengths, 0))[back],
        np.sqrt(np.maximum(other + lengths, 0))[back],
    )


def _blocks(edges: NDArray[np.intp], most: int) -> Iterator[slice]:
    """Runs of whole people with about `most` faces together: slices of `edges`, where each person's faces begin."""
    begin = 0
    while begin < len(edges) - 1:
        end = max(int(np.searchsorted(edges, edges[begin] + most, side="right")) - 1, begin + 1)
        yield slice(begin, end)
        begin = end


def _is_contradicted(own: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.bool_]:
    nearer: NDArray[np.bool_] = np.where(np.isfinite(own), own, _LONE) - other > _MARGIN
    return nearer & (other < _NEAR)


def _judge(
    row: np.intp,
    face_ids: NDArray[np.int64],
    persons: NDArray[np.int64],
    rows: NDArray[np.float32],
    silent: NDArray[np.bool_],
) -> Contradiction | None:
    """The contradiction of one face by all that are not silent, if it still is one."""
    distances = np.linalg.norm(rows.astype(np.float64) - rows[row], axis=1)
    distances[silent] = np.inf
    distances[row] = np.inf
    same = persons == persons[row]
    nearest = int(np.where(same, np.inf, distances).argmin())
    own_rows, other_rows = _closest(distances, same), _closest(distances, persons == persons[nearest])
    own = distances[own_rows[:1]] if len(own_rows) else np.array([np.inf])
    if not _is_contradicted(own, distances[[nearest]]).any():
        return None
    # The logistic function, in a form that does not overflow.
    score = 0.5 * (1 + float(np.tanh((_INTERCEPT + _SLOPE * distances[nearest]) / 2)))
    own_faces, other_faces = (
        tuple(Evidence(int(face_ids[near]), float(distances[near])) for near in found)
        for found in (own_rows, other_rows)
    )
    return Contradiction(int(face_ids[row]), int(persons[row]), int(persons[nearest]), score, own_faces, other_faces)


def _closest(distances: NDArray[np.float64], among: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where the smallest distances are, smallest first; infinite ones do not count."""
    rows = np.flatnonzero(among & np.isfinite(distances))
    return rows[np.argsort(distances[rows], kind="stable")[:EVIDENCE]]
