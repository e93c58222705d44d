"""The six measurements, by hand, and what is made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.recognition import familiarity
from app.recognition.familiarity import MEASUREMENTS, Weights, logistic, measure

FAR = float("inf")


def measured(to_means: list[float], own: float, others: float, count: int = 1) -> list[float]:
    """Of one face that looks most like the first person."""
    mine = np.array([[to_means[0], own, count]])
    found: list[float] = measure(np.array([to_means], np.float32), np.array([0]), mine, np.array([others]))[0].tolist()
    return found


def test_each_measurement_is_what_its_name_says() -> None:
    others = [0.7, 0.9, 0.75, 0.8, 0.85, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25]
    found = measured([0.3, *others], own=0.25, others=0.65, count=4)
    expected = [0.3, 0.25, 0.4, 0.4, math.log(4), np.mean(sorted(others)[:10])]
    assert found == pytest.approx(expected, abs=1e-6)
    assert len(found) == len(MEASUREMENTS)


def test_where_few_people_are_known_strangers_make_up_the_rest() -> None:
    assert measured([0.3, 0.6], own=0.3, others=0.6)[5] == pytest.approx((0.6 + 9 * 0.8) / 10)


def test_with_one_person_known_there_is_still_a_margin() -> None:
    assert measured([0.3], own=0.3, others=FAR) == pytest.approx([0.3, 0.3, 0.5, 0.5, 0, 0.8])


def test_places_without_anyone_are_not_looked_at() -> None:
    assert measured([0.3, FAR, 0.6], 0.3, 0.6) == pytest.approx(measured([0.3, 0.6], 0.3, 0.6))


@pytest.mark.parametrize("place", range(6))
def test_every_measurement_counts_the_way_one_would_expect(place: int) -> None:
    """Nearer, clearer of others, more like one person only: more familiar. Someone with many faces has one nearby by
    chance more easily, and who is near to everyone is near to nobody; both tell against it."""
    slopes = Weights.shipped().slopes
    if place in (0, 1):
        assert slopes[place] < 0
    if place in (2,):
        assert slopes[place] > 0
    assert len(slopes) == 6


def test_the_weights_give_probabilities_whatever_is_measured() -> None:
    rows = np.array([[1e6] * 6, [-1e6] * 6, [0.0] * 6, [0.3, 0.3, 0.4, 0.4, 0, 0.8]])
    found = Weights.shipped()(rows)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("value", [-1e9, -5, 0, 5, 1e9])
def test_the_logistic_function_does_not_overflow(value: float) -> None:
    expected = 1 / (1 + math.exp(-value)) if abs(value) < 100 else float(value > 0)
    assert float(logistic(value)) == pytest.approx(expected)


def test_every_measurement_has_a_shipped_weight() -> None:
    """And none was left at zero; make fit-openset prints them."""
    assert len(familiarity._SHIPPED) == 1 + len(MEASUREMENTS)
    assert 0.0 not in familiarity._SHIPPED
