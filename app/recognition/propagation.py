"""PCA and label propagation in closed form.

Label propagation (Zhu and Ghahramani, 2002) lets labels flow along similarities until nothing changes, the
labelled faces being held fast. With one unlabelled face the end is a weighted vote of the labelled ones; with
several it is the harmonic solution of a linear system. scikit-learn's LabelPropagation iterates towards the
same numbers over an n x n matrix.

Weights are carried as natural logarithms: at gamma 40 a face two units away weighs exp(-160), and one that is
farther still would weigh nothing to everybody, which divides zero by zero.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
_Float = TypeVar("_Float", np.float32, np.float64)

_SETTLED = 512
_REFIT_AFTER = 0.1


@dataclass(frozen=True, eq=False)
class Projection:
    """Principal axes: mean (d,), axes (k, d). None stands for the identity."""

    mean: Floats | None = None
    axes: Floats | None = None

    @classmethod
    def fit(cls, encodings: ArrayLike, variance: float) -> Projection:
        """The fewest axes that keep a share of the variance (0 to 1; 1 keeps them all) of encodings (n, d).

        Faces that are all the same have no variance to share out and get the identity. From two different
        ones on PCA is sound for its use here: what it leaves out of a query is equally far from every
        labelled face, and adds the same to every logarithm.
        """
        rows = np.asarray(encodings, np.float64)
        if len(rows) == 0 or np.all(rows == rows[0]):
            return cls()
        # Half a second to import, for a page that may never predict anything.
        from sklearn.decomposition import PCA

        # The axes of a small matrix of covariances: a tenth of the time, where there are more faces than numbers. This
        # is done within a change, and a team waits for it.
        solver = "covariance_eigh" if len(rows) > rows.shape[1] else "full"
        # Threads that share a matrix this small wait for each other, and far longer when several workers do it at once.
        with _threads().limit(limits=1, user_api="blas"):
            pca = PCA(variance if variance < 1 else None, svd_solver=solver).fit(rows)
        return cls(pca.mean_, pca.components_)

    def transform(self, encodings: ArrayLike) -> Floats:
        """(n, d) -> (n, k)"""
        rows = np.asarray(encodings, np.float64)
        if self.mean is None or self.axes is None:
            return rows
        return (rows - self.mean) @ self.axes.T


@functools.cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def needs_refit(fitted_on: int, churn: int) -> bool:
    """Whether a projection of `fitted_on` faces is out of date after `churn` of them have come or gone.

    Few faces span few axes, and a newcomer may differ along all the others: refit at every change, which takes
    milliseconds. The axes of many hardly turn until a tenth are others; spread over the changes between, a refit
    costs what a few faces do.
    """
    return churn > (0 if fitted_on < _SETTLED else _REFIT_AFTER * fitted_on)


def squared_distances(x: NDArray[_Float], y: NDArray[_Float]) -> NDArray[_Float]:
    """Squared Euclidean distances of rows: (m, d), (n, d) -> (m, n)."""
    squares: NDArray[_Float] = np.einsum("ij,ij->i", x, x)[:, np.newaxis] + np.einsum("ij,ij->i", y, y)
    squares -= 2 * (x @ y.T)
    # Rounding can leave equal rows a hair below zero.
    np.maximum(squares, 0, out=squares)
    return squares


def rbf_log_weights(x: Floats, y: Floats, gamma: float) -> Floats:
    """Log of exp(-gamma |x - y|^2): (m, d), (n, d) -> (m, n)."""
    return -gamma * squared_distances(x, y)


def knn_log_weights(x: Floats, y: Floats, n_neighbors: int) -> Floats:
    """Log of 1 for each row's n nearest, of 0 for the rest: (m, d), (n, d) -> (m, n)."""
    nearest = np.argpartition(squared_distances(x, y), n_neighbors - 1, axis=1)[:, :n_neighbors]
    weights = np.full((len(x), len(y)), -np.inf)
    np.put_along_axis(weights, nearest, 0.0, axis=1)
    return weights


def class_probabilities(log_weights: NDArray[np.floating], codes: Codes, classes: int) -> Floats:
    """Who each unlabelled face is, on its own.

    log_weights: (m, n), from m faces to n labelled ones. codes: (n,), whose face each is, from 0 to classes -
    1. Returns (m, classes): each row sums to 1, or to 0 where a face has no weight to any labelled one.
    """
    sums, _ = _class_sums(log_weights, codes, classes)
    totals = sums.sum(axis=1, keepdims=True)
    np.divide(sums, totals, out=sums, where=totals > 0)
    return sums


def harmonic(log_among: Floats, log_weights: Floats, codes: Codes, classes: int) -> Floats:
    """Who several unlabelled faces are, each also speaking for the others.

    log_among: (m, m), between the unlabelled; its diagonal is of no account. The rest as in
    class_probabilities.

    The system (D - W) p = W_labelled is solved by state reduction (Grassmann, Taksar and Heyman, 1985):
    elimination that only ever adds positive numbers, so a clique far from every label, whose matrix is
    singular in floating point, still comes out exact.
    """
    among = np.array(log_among)
    sums, scale = _class_sums(log_weights, codes, classes)
    with np.errstate(divide="ignore"):
        to_class = np.log(sums) + scale
    among[:, ~_reachable(among, to_class)] = -np.inf

    totals = np.full(len(among), -np.inf)
    for k in reversed(range(len(among))):
        totals[k] = np.logaddexp.reduce(np.concatenate([among[k, :k], to_class[k]]))
        if np.isfinite(totals[k]):
            share = (among[:k, k] - totals[k])[:, np.newaxis]
            among[:k, :k] = np.logaddexp(among[:k, :k], share + among[k, :k])
            to_class[:k] = np.logaddexp(to_class[:k], share + to_class[k])

    probabilities = np.zeros_like(to_class)
    for k in np.flatnonzero(np.isfinite(totals)).tolist():
        passed_on = np.exp(among[k, :k] - totals[k]) @ probabilities[:k]
        probabilities[k] = np.exp(to_class[k] - totals[k]) + passed_on
    return probabilities


def _class_sums(log_weights: NDArray[np.floating], codes: Codes, classes: int) -> tuple[Floats, Floats]:
    """Weights added up by class (m, classes), each row divided by exp of its scale (m, 1)."""
    scale = log_weights.max(axis=1, keepdims=True, initial=-np.inf)
    scale[np.isneginf(scale)] = 0.0
    weights = np.exp(log_weights - scale)
    sums = np.empty((len(weights), classes))
    for row, weight in zip(sums, weights, strict=True):
        row[:] = np.bincount(codes, weight, minlength=classes)
    return sums, scale


def _reachable(among: Floats, to_class: Floats) -> NDArray[np.bool_]:
    """Which unlabelled faces any label can flow to, directly or through others."""
    reached = np.asarray(np.isfinite(to_class).any(axis=1))
    while True:
        before = reached.sum()
        reached |= np.isfinite(among[:, reached]).any(axis=1)
        if reached.sum() == before:
            return reached
