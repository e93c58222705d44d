"""Figures against values worked out by hand, and how far chance could move them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition.metrics import (
    Answers,
    Estimate,
    Metric,
    dir_at_fpir,
    estimates,
    expected_calibration_error,
    once_each,
    rank_1,
)

EVERY_METRIC = [rank_1, dir_at_fpir(0.01), dir_at_fpir(0.1), dir_at_fpir(0.5), expected_calibration_error]


def answers(known: list[tuple[float, bool]], strangers: list[float], *, is_probability: bool = True) -> Answers:
    """known: the score, and whether the name was right."""
    return Answers(
        np.array([right for _score, right in known] + [False] * len(strangers), bool),
        np.array([True] * len(known) + [False] * len(strangers), bool),
        np.array([score for score, _right in known] + strangers, np.float64),
        is_probability,
    )


def figure(metric: Metric, given: Answers) -> float:
    return float(metric(given, once_each(given)))


def drawn(people: int, photos: int, seed: int = 0) -> tuple[Answers, NDArray[np.int64]]:
    """Made-up answers to questions about so many known people and as many strangers, and whose faces they are.

    How surely someone is recognised differs from person to person.
    """
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(2 * people), photos)
    known = owners < people
    score = np.clip(np.where(known, 0.7, 0.3) + 0.2 * rng.normal(size=2 * people)[owners], 0.01, 0.99)
    right = known & (rng.random(len(owners)) < score)
    return Answers(right, known, score + 0.001 * rng.random(len(owners))), owners


class TestRank1:
    def test_is_the_share_of_known_faces_named_right_however_unsure(self) -> None:
        assert figure(rank_1, answers([(0.9, True), (0.1, True), (0.8, False), (0.2, True)], [0.99])) == 0.75

    def test_is_not_defined_without_known_faces(self) -> None:
        assert np.isnan(figure(rank_1, answers([], [0.5])))


class TestDirAtFpir:
    @pytest.mark.parametrize(
        ("rate", "expected"),
        [
            (0.0, 0.2),  # above 0.95: 0.99, and 0.97 is somebody else
            (0.05, 0.2),  # half a stranger is none
            (0.1, 0.4),  # one may pass: above 0.85
            (0.2, 0.6),
            (0.3, 0.8),
            (0.9, 0.8),
        ],
    )
    def test_counts_right_names_above_the_score_that_so_many_strangers_pass(self, rate: float, expected: float) -> None:
        strangers = [0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05]
        known = [(0.99, True), (0.97, False), (0.90, True), (0.80, True), (0.70, True)]
        assert figure(dir_at_fpir(rate), answers(known, strangers)) == pytest.approx(expected)

    @pytest.mark.parametrize("strangers", [3, 30, 1000])
    def test_a_tenth_is_a_tenth_whatever_the_rounding(self, strangers: int) -> None:
        scores = [float(score) for score in range(strangers)]
        just_above = float(strangers - strangers // 10 - 1) + 0.5
        given = answers([(just_above, True), (just_above - 1, True)], scores, is_probability=False)
        assert figure(dir_at_fpir(0.1), given) == 0.5

    def test_who_ties_with_the_first_stranger_kept_out_is_kept_out_too(self) -> None:
        given = answers([(0.9, True), (0.5, True)], [0.5] * 5 + [0.1] * 5)
        assert figure(dir_at_fpir(0.1), given) == 0.5
        assert figure(dir_at_fpir(0.4), given) == 0.5  # four of five that tie: none of them passes
        assert figure(dir_at_fpir(0.5), given) == 1.0

    def test_of_too_few_strangers_none_is_let_in(self) -> None:
        assert figure(dir_at_fpir(0.1), answers([(0.9, True), (0.7, True)], [0.8, 0.1])) == 0.5

    def test_is_not_defined_without_strangers_or_known_faces(self) -> None:
        assert np.isnan(figure(dir_at_fpir(0.1), answers([(0.9, True)], [])))
        assert np.isnan(figure(dir_at_fpir(0.1), answers([], [0.9])))

    def test_scores_may_be_on_any_scale(self) -> None:
        given = answers([(-0.2, True), (-0.5, True)], [-0.4, -0.9], is_probability=False)
        assert figure(dir_at_fpir(0.1), given) == 0.5


class TestExpectedCalibrationError:
    def test_is_nothing_when_as_many_are_right_as_it_says(self) -> None:
        """Nine of ten known faces and no stranger make 45 in 100."""
        known = [(0.45, True)] * 9 + [(0.45, False)]
        assert figure(expected_calibration_error, answers(known, [0.45] * 10)) == pytest.approx(0.0)

    def test_is_what_the_confidence_is_off_by(self) -> None:
        given = answers([(0.95, True), (0.95, False), (0.15, True), (0.15, False)], [0.15])
        # The bin of 0.95 holds a quarter of all weight, and half of it is right; that of 0.15 holds three quarters,
        # of which an eighth of all is right.
        expected = abs(0.125 - 0.25 * 0.95) + abs(0.125 - 0.75 * 0.15)
        assert figure(expected_calibration_error, given) == pytest.approx(expected)

    def test_gaps_within_a_bin_make_up_for_one_another_and_those_in_others_do_not(self) -> None:
        within = answers([(0.62, True), (0.68, False)], [0.0])
        assert figure(expected_calibration_error, within) == pytest.approx(0.5 * 0.15)
        across = answers([(0.55, True), (0.75, False)], [0.0])
        assert figure(expected_calibration_error, across) == pytest.approx(0.25 * 0.45 + 0.25 * 0.75)

    def test_is_worst_when_it_is_sure_of_what_is_wrong(self) -> None:
        assert figure(expected_calibration_error, answers([(1.0, False)], [1.0])) == 1.0
        assert figure(expected_calibration_error, answers([(0.0, True)], [0.0])) == 0.5

    def test_strangers_weigh_a_half_however_many_they_are(self) -> None:
        few, many = (answers([(1.0, True)], [0.8] * number) for number in (1, 50))
        assert figure(expected_calibration_error, few) == pytest.approx(0.4)
        assert figure(expected_calibration_error, many) == pytest.approx(0.4)

    @pytest.mark.parametrize(
        "given", [answers([(0.9, True)], [0.1], is_probability=False), answers([(0.9, True)], []), answers([], [0.1])]
    )
    def test_is_not_defined_without_probabilities_known_faces_or_strangers(self, given: Answers) -> None:
        assert np.isnan(figure(expected_calibration_error, given))


@pytest.mark.parametrize("metric", EVERY_METRIC)
def test_a_question_that_counts_twice_is_a_question_asked_twice(metric: Metric) -> None:
    given, _owners = drawn(20, 5)
    times = np.random.default_rng(1).integers(0, 4, (3, len(given.right)))
    for weights, together in zip(times, metric(given, times.astype(np.float64)), strict=True):
        rows = np.repeat(np.arange(len(weights)), weights)
        repeated = Answers(given.right[rows], given.known[rows], given.score[rows])
        assert together == pytest.approx(figure(metric, repeated))


class TestEstimates:
    def of(self, given: Answers, owners: NDArray[np.int64]) -> list[Estimate]:
        found = estimates(
            given, owners, {str(number): metric for number, metric in enumerate(EVERY_METRIC)}, np.random.default_rng(0)
        )
        return [estimate for estimate in found.values() if estimate]

    def test_hold_the_figure_itself(self) -> None:
        given, owners = drawn(30, 4)
        for estimate, metric in zip(self.of(given, owners), EVERY_METRIC, strict=True):
            assert estimate.value == figure(metric, given)
            assert estimate.low <= estimate.value <= estimate.high
            assert estimate.low < estimate.high

    def test_are_the_same_every_time(self) -> None:
        assert self.of(*drawn(30, 4)) == self.of(*drawn(30, 4))

    def test_are_as_wide_as_the_arithmetic_has_it(self) -> None:
        """One question a person, of which 70 in 100 are right: a binomial share."""
        right = np.arange(200) < 70
        given = Answers(right, np.arange(200) < 100, np.linspace(1, 0, 200))
        found = self.of(given, np.arange(200))[0]
        assert found.low == pytest.approx(0.70 - 1.96 * (0.7 * 0.3 / 100) ** 0.5, abs=0.015)
        assert found.high == pytest.approx(0.70 + 1.96 * (0.7 * 0.3 / 100) ** 0.5, abs=0.015)

    def test_narrow_with_more_people(self) -> None:
        few, many = (self.of(*drawn(people, 4)) for people in (20, 500))
        for one, other in zip(few, many, strict=True):
            assert other.high - other.low < (one.high - one.low) / 2

    def test_do_not_narrow_with_more_photos_of_the_same_people(self) -> None:
        given, owners = drawn(30, 4)
        rows = np.tile(np.arange(len(owners)), 9)
        again = Answers(given.right[rows], given.known[rows], given.score[rows])
        for one, other in zip(self.of(given, owners), self.of(again, owners[rows]), strict=True):
            assert (other.low, other.high) == pytest.approx((one.low, one.high))

    def test_do_not_depend_on_how_many_are_weighed_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given, owners = drawn(30, 4)
        together = self.of(given, owners)
        monkeypatch.setattr("app.recognition.metrics._BLOCK", 1)
        for one, other in zip(self.of(given, owners), together, strict=True):
            assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))

    def test_of_what_cannot_vary_are_a_point(self) -> None:
        given = answers([(0.9, True)] * 4, [0.1] * 4)
        assert self.of(given, np.arange(8))[0] == Estimate(1.0, 1.0, 1.0)

    def test_are_none_of_what_is_not_defined(self) -> None:
        given = answers([(0.9, True)] * 4, [])
        found = estimates(given, np.arange(4), {"a": rank_1, "b": dir_at_fpir(0.1)}, np.random.default_rng(0))
        assert found == {"a": Estimate(1.0, 1.0, 1.0), "b": None}

    def test_bear_draws_in_which_nobody_is_a_stranger(self) -> None:
        """One of two people is known in one draw and a stranger in another, so that chance can leave the other."""
        given = answers([(0.9, True), (0.8, True)], [0.1])
        assert self.of(given, np.array([0, 1, 0]))[1] == Estimate(1.0, 1.0, 1.0)
