"""Whether the faces of one name are of two people, and which of them belong together.

Average linkage joins the faces until two clusters are left: how far apart those are on average tells whether one
person has them all. Measured on 120 people of Labeled Faces in the Wild with 4 to 12 photos each: 4 would be split
though they are one (by one or two faces unlike the rest); of 1,000 pairs of people whose faces were put under one name,
99 % would be, at the right place in 96 % (98 % where the second has one or two faces).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

APART = 0.64
"""Mean Euclidean distance, over encodings, between the faces of two clusters that are two people."""

# Linkage takes time and memory with the square of the number: of more faces a sample is joined.
_JOINED = 1500


def propose_split(encodings: ArrayLike) -> NDArray[np.intp]:
    """Which faces of a name should leave it: the smaller of two clusters, as rows; none where all are one person.

    encodings: (n, 128). Of two clusters of one size the later leaves.
    """
    rows = np.asarray(encodings, np.float64)
    if len(rows) < 2:
        return np.empty(0, np.intp)
    from scipy.cluster import hierarchy

    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _JOINED)).astype(np.intp)
    tree = hierarchy.linkage(rows[chosen], "average")
    if tree[-1, 2] < APART:
        return np.empty(0, np.intp)
    clusters = hierarchy.fcluster(tree, 2, "maxclust")
    means = np.array([rows[chosen[clusters == cluster]].mean(axis=0) for cluster in (1, 2)])
    whose = np.linalg.norm(rows[:, np.newaxis] - means, axis=2).argmin(axis=1)
    whose[chosen] = clusters - 1
    first, second = np.flatnonzero(whose == whose[0]), np.flatnonzero(whose != whose[0])
    return first if len(first) < len(second) else second
