"""How likely it is that a face is the known person it looks most like, and not someone new.

A logistic function of six measurements. Label propagation says who of the known people a face is most like; it cannot
say that it is none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MEASUREMENTS = (
    "distance to the mean of the person's faces, of the five nearest where there are more",
    "distance to the nearest of them",
    "how much farther the next person's mean is",
    "how much farther the nearest face of anyone else is",
    "logarithm of how many of the person's faces that mean is of",
    "distance to the means of the ten people next, on average",
)

# Made by benchmarks/fit_openset.py (make fit-openset) on half of 120 people and 400 strangers of Labeled Faces in the
# Wild: intercept, then one for each measurement. docs/accuracy.md says what came of it on the other half.
_SHIPPED = (26.46, -23.72, -16.54, 19.16, 1.31, -1.51, -9.19)

OWN = 5
"""how many of a person's faces are looked at: who has grown old, or wears glasses now and then, is near to some only"""

_COHORT = 10
# Two strangers are this far apart. Where fewer people are known than the cohort needs, such strangers make it up.
_STRANGER = 0.8


@dataclass(frozen=True)
class Weights:
    """intercept, and a slope for each of MEASUREMENTS."""

    intercept: float
    slopes: tuple[float, ...]

    @classmethod
    def shipped(cls) -> Weights:
        return cls(_SHIPPED[0], _SHIPPED[1:])

    def __call__(self, measured: Floats) -> Floats:
        """(m, 6) -> (m,): probabilities."""
        return logistic(self.intercept + measured @ np.array(self.slopes))


def logistic(value: ArrayLike) -> Floats:
    """1 / (1 + exp(-value)), in a form that does not overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(value, np.float64) / 2))


def measure(
    to_means: NDArray[np.floating], best: NDArray[np.intp], own: NDArray[np.floating], others: Floats
) -> Floats:
    """The MEASUREMENTS (m, 6) of m faces.

    to_means: (m, c), Euclidean distances to everyone's mean; infinite where there is no one. best: (m,), whom each
    looks most like. own: (m, 3), of that person's OWN nearest faces: the distance to their mean, to the nearest, and
    how many there are. others: (m,), the distance to the nearest face of anyone else, infinite where there is none.
    """
    rows = np.arange(len(best))
    mean, nearest, count = own.T
    rest = np.array(to_means, np.float64)
    rest[rows, best] = np.inf
    nearby = np.partition(rest, _COHORT - 1, axis=1)[:, :_COHORT] if rest.shape[1] > _COHORT else rest
    cohort = np.full((len(best), _COHORT), _STRANGER)
    cohort[:, : nearby.shape[1]] = np.where(np.isfinite(nearby), nearby, _STRANGER)
    following = cohort.min(axis=1)
    apart = np.where(np.isfinite(others), others, _STRANGER) - nearest
    return np.column_stack([mean, nearest, following - mean, apart, np.log(count), cohort.mean(axis=1)])
