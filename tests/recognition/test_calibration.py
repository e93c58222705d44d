"""What is learnt from answers, on answers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition.calibration import ENOUGH, Calibration, fit, rounds
from app.recognition.familiarity import logistic

Floats = NDArray[np.float64]


def answered(count: int, offset: float, slope: float, seed: int = 0) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """familiar, chances, right: as they come where the truth is the stated log odds times slope, plus offset."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(1, 3, count)
    chances = np.where(rng.random(count) < 0.2, 0.6, 1.0)
    return logistic(odds), chances, rng.random(count) < chances * logistic(offset + slope * odds)


def test_as_made_it_changes_nothing() -> None:
    values = np.array([0.0, 0.2, 0.5, 0.999, 1.0])
    assert Calibration()(values).tolist() == values.tolist()


@pytest.mark.parametrize(("offset", "slope"), [(0, 1), (-1.5, 1), (1.5, 1), (0, 0.5), (-1, 0.6), (0.5, 1.5)])
def test_many_answers_show_what_the_truth_is(offset: float, slope: float) -> None:
    found = fit(*answered(20_000, offset, slope))
    assert found.answers == 20_000
    assert (found.offset, found.slope) == pytest.approx((offset, slope), abs=0.12)


@pytest.mark.parametrize("seed", range(5))
def test_fifty_answers_make_an_overconfident_recogniser_better(seed: int) -> None:
    found = fit(*answered(ENOUGH, -2, 0.7, seed))
    familiar, chances, _ = answered(4000, -2, 0.7, seed + 100)
    truth = logistic(-2 + 0.7 * np.log(familiar / (1 - familiar)))
    before, after = (np.abs(chances * (said - truth)).mean() for said in (familiar, found(familiar)))
    assert after < 0.6 * before


@pytest.mark.parametrize("seed", range(5))
def test_fifty_answers_hardly_move_what_is_right_already(seed: int) -> None:
    familiar, chances, right = answered(ENOUGH, 0, 1, seed)
    found = fit(familiar, chances, right)(familiar)
    assert np.abs(found - familiar).mean() < 0.08


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("familiar", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_answers_that_are_all_alike_give_finite_numbers(right: bool, familiar: float, chance: float) -> None:
    found = fit(np.full(60, familiar), np.full(60, chance), np.full(60, right))
    assert np.isfinite([found.offset, found.slope]).all()
    values = found(np.array([0.0, 0.1, 0.9, 1.0]))
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()


def test_it_is_the_likeliest_that_there_is() -> None:
    """Against a search without derivatives."""
    from scipy.optimize import minimize

    familiar, chances, right = answered(300, -1, 0.8)
    odds = np.log(familiar / (1 - familiar))

    def loss(values: Floats) -> float:
        named = np.clip(chances * logistic(values[0] + values[1] * odds), 1e-6, 1 - 1e-6)
        prior = (values[0] / 2) ** 2 / 2 + ((values[1] - 1) / 0.5) ** 2 / 2
        return float(prior - np.log(np.where(right, named, 1 - named)).sum())

    expected = minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).x
    found = fit(familiar, chances, right)
    assert (found.offset, found.slope) == pytest.approx(tuple(expected), abs=1e-4)


@pytest.mark.parametrize(
    ("answers", "expected"), [(0, 0), (49, 0), (50, 50), (59, 50), (60, 60), (72, 72), (85, 72), (5000, 4797)]
)
def test_fitting_takes_place_at_fixed_numbers_of_answers(answers: int, expected: int) -> None:
    assert rounds(answers) <= answers
    assert rounds(rounds(answers)) == rounds(answers)
    assert answers < ENOUGH or rounds(answers) > 0.8 * answers
    if answers < 100:
        assert rounds(answers) == expected
