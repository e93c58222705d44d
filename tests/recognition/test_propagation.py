"""The closed form against scikit-learn's own iteration, on encodings of real faces."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelPropagation

from app.recognition.propagation import (
    Floats,
    Projection,
    class_probabilities,
    harmonic,
    knn_log_weights,
    needs_refit,
    rbf_log_weights,
)

KERNELS = [("rbf", 5), ("rbf", 20), ("rbf", 40), ("knn", 3), ("knn", 7)]
SIZES = [20, 60, 200]

Labelled = tuple[Floats, NDArray[np.intp]]


def crowd(encodings: dict[str, NDArray[np.float32]], size: int, spread: float = 0.03) -> Labelled:
    """Real encodings and jittered copies of them, of four people, shuffled."""
    rng = np.random.default_rng(size)
    real = np.array(list(encodings.values()), np.float64)
    codes = np.concatenate([np.arange(4), rng.integers(0, 4, size - 4)])
    jitter = rng.normal(0, spread, (size, 128))
    jitter[:4] = 0
    return real[codes] + jitter, codes


def log_weights(kernel: str, parameter: int, x: Floats, y: Floats) -> Floats:
    if kernel == "rbf":
        return rbf_log_weights(x, y, parameter)
    return knn_log_weights(x, y, parameter)


def reference(kernel: str, parameter: int, faces: Floats, labels: NDArray[np.intp]) -> LabelPropagation:
    model = LabelPropagation(kernel, gamma=parameter, n_neighbors=parameter, max_iter=20_000, tol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(faces, labels)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kernel", "parameter"), KERNELS)
def test_a_new_face_gets_what_scikit_learn_predicts(
    encodings: dict[str, NDArray[np.float32]], kernel: str, parameter: int, size: int
) -> None:
    faces, codes = crowd(encodings, size)
    queries, _ = crowd(encodings, 31, spread=0.06)
    expected = reference(kernel, parameter, faces, codes).predict_proba(queries)
    found = class_probabilities(log_weights(kernel, parameter, queries, faces), codes, 4)
    assert np.abs(found - expected).max() < 1e-9


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kernel", "parameter"), KERNELS)
def test_unlabelled_faces_together_get_what_scikit_learn_converges_to(
    encodings: dict[str, NDArray[np.float32]], kernel: str, parameter: int, size: int
) -> None:
    faces, codes = crowd(encodings, size, spread=0.02)
    unlabelled = max(3, size // 5)
    labels = codes.copy()
    labels[-unlabelled:] = -1
    expected = reference(kernel, parameter, faces, labels).label_distributions_[-unlabelled:]

    weights = log_weights(kernel, parameter, faces[-unlabelled:], faces)
    found = harmonic(weights[:, -unlabelled:], weights[:, :-unlabelled], codes[:-unlabelled], 4)
    assert np.abs(found - expected).max() < 1e-9


@pytest.mark.parametrize("gamma", [5, 20, 40])
def test_one_unlabelled_face_is_the_same_alone_and_in_the_system(
    encodings: dict[str, NDArray[np.float32]], gamma: int
) -> None:
    faces, codes = crowd(encodings, 40)
    weights = rbf_log_weights(faces[-1:], faces[:-1], gamma)
    alone = class_probabilities(weights, codes[:-1], 4)
    assert np.abs(harmonic(np.zeros((1, 1)), weights, codes[:-1], 4) - alone).max() < 1e-12


@pytest.mark.parametrize("distance", [1e2, 1e6])
def test_a_face_far_from_everyone_still_gets_finite_numbers(
    encodings: dict[str, NDArray[np.float32]], distance: float
) -> None:
    faces, codes = crowd(encodings, 40)
    queries = np.zeros((2, 128))
    queries[:, 0] = distance, -distance
    weights = rbf_log_weights(queries, faces, 40)
    for found in (
        class_probabilities(weights, codes, 4),
        harmonic(rbf_log_weights(queries, queries, 40), weights, codes, 4),
    ):
        assert np.all(np.isfinite(found))
        assert found.sum(axis=1) == pytest.approx(1)


def test_faces_close_to_each_other_and_far_from_every_label_are_solved_exactly() -> None:
    """Two such faces have a matrix that is singular in floating point; by symmetry both lie half-way."""
    faces = np.array([[-3.0, 0.0], [3.0, 0.0]])
    queries = np.array([[-0.01, 0.0], [0.01, 0.0]])
    found = harmonic(rbf_log_weights(queries, queries, 40), rbf_log_weights(queries, faces, 40), np.array([0, 1]), 2)
    assert found == pytest.approx(np.full((2, 2), 0.5), abs=1e-9)


def test_with_one_person_it_is_that_person(encodings: dict[str, NDArray[np.float32]]) -> None:
    faces, _ = crowd(encodings, 10)
    weights = rbf_log_weights(faces[:3], faces, 20)
    assert class_probabilities(weights, np.zeros(10, np.intp), 1) == pytest.approx(np.ones((3, 1)))


def test_two_people_with_the_same_face_share_it_evenly(encodings: dict[str, NDArray[np.float32]]) -> None:
    face = encodings["obama"][np.newaxis].astype(np.float64)
    weights = rbf_log_weights(face, np.repeat(face, 2, axis=0), 40)
    assert class_probabilities(weights, np.array([0, 1]), 2) == pytest.approx(np.array([[0.5, 0.5]]))


def test_with_thousands_of_people_each_is_told_from_the_others() -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(0, 0.1, (5000, 128))
    codes = np.repeat(np.arange(5000), 3)
    faces = people[codes] + rng.normal(0, 0.02, (15_000, 128))
    found = class_probabilities(rbf_log_weights(people[:50], faces, 40), codes, 5000)
    assert np.array_equal(found.argmax(axis=1), np.arange(50))
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_face_that_no_label_reaches_gets_nothing_and_takes_nothing() -> None:
    nowhere = -np.inf
    among = np.array([[0, 0, nowhere], [nowhere, 0, 0], [nowhere, 0, nowhere]], float)
    to_labelled = np.array([[0, nowhere], [nowhere, nowhere], [nowhere, nowhere]], float)
    found = harmonic(among, to_labelled, np.array([0, 1]), 2)
    assert found.tolist() == [[1, 0], [0, 0], [0, 0]]
    assert class_probabilities(to_labelled, np.array([0, 1]), 2).tolist() == [[1, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize("variance", [0.5, 0.9, 0.99])
def test_the_projection_is_scikit_learns(encodings: dict[str, NDArray[np.float32]], variance: float) -> None:
    faces, _ = crowd(encodings, 300)
    queries, _ = crowd(encodings, 7)
    found = Projection.fit(faces, variance).transform(queries)
    assert np.abs(found - PCA(variance).fit(faces).transform(queries)).max() < 1e-12


def test_keeping_all_the_variance_keeps_all_the_distances(encodings: dict[str, NDArray[np.float32]]) -> None:
    faces, _ = crowd(encodings, 300)
    projected = Projection.fit(faces, 1.0).transform(faces)
    assert rbf_log_weights(projected, projected, 1) == pytest.approx(rbf_log_weights(faces, faces, 1))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_faces_that_do_not_differ_get_the_identity(count: int) -> None:
    face = np.random.default_rng(0).normal(size=128)
    projection = Projection.fit(np.repeat(face[np.newaxis], count, axis=0), 0.9)
    assert projection.transform(face[np.newaxis] + 1) == pytest.approx(face[np.newaxis] + 1)


def test_two_different_faces_are_enough_to_tell_people_apart(encodings: dict[str, NDArray[np.float32]]) -> None:
    faces = np.array([encodings["obama"], encodings["biden"]])
    projection = Projection.fit(faces, 0.99)
    weights = rbf_log_weights(projection.transform(encodings["obama2"][np.newaxis]), projection.transform(faces), 40)
    assert class_probabilities(weights, np.array([0, 1]), 2)[0, 0] > 0.99


@pytest.mark.parametrize(
    ("fitted_on", "churn", "expected"),
    [(0, 0, False), (0, 1, True), (500, 1, True), (1000, 100, False), (1000, 101, True), (100_000, 9_999, False)],
)
def test_a_projection_is_refitted_at_every_change_of_a_few_faces_and_every_tenth_of_many(
    fitted_on: int, churn: int, expected: bool
) -> None:
    assert needs_refit(fitted_on, churn) is expected
