"""The learning curve, the reliability diagram and its intervals, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from app.recognition.reliability import Window, calibration_error, learning_curve, reliability, wilson


def test_the_curve_takes_the_answers_fifty_by_fifty() -> None:
    answers = [True] * 30 + [False] * 20 + [True] * 50 + [False, True, True]
    assert learning_curve(answers) == [
        Window(1, 50, 30, True),
        Window(51, 100, 50, True),
        Window(101, 103, 2, False),
    ]
    assert [window.share for window in learning_curve(answers)] == pytest.approx([0.6, 1.0, 2 / 3])


@pytest.mark.parametrize(("answers", "windows"), [(0, 0), (1, 1), (49, 1), (50, 1), (51, 2), (100, 2)])
def test_a_window_is_there_as_soon_as_it_has_an_answer(answers: int, windows: int) -> None:
    curve = learning_curve([True] * answers)
    assert len(curve) == windows
    assert [window.complete for window in curve] == [window.last % 50 == 0 for window in curve]


def test_confidences_fall_into_the_bin_that_begins_with_them() -> None:
    bins = reliability([0.0, 0.1, 0.3, 0.6, 0.7, 0.89999, 0.9, 1.0], [True] * 8)
    assert [each.count for each in bins] == [1, 1, 0, 1, 0, 0, 1, 1, 1, 2]
    assert [(each.low, each.high) for each in bins][:2] == [(0.0, 0.1), (0.1, 0.2)]


def test_a_bin_tells_what_was_said_and_what_was_right() -> None:
    bins = reliability([0.82, 0.84, 0.86, 0.88], [True, True, True, False])
    (bin_,) = [each for each in bins if each.count]
    assert (bin_.low, bin_.count, bin_.right, bin_.share) == (0.8, 4, 3, 0.75)
    assert bin_.stated == pytest.approx(0.85)
    assert bin_.interval == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert reliability([], [])[0].interval is None


def test_the_interval_is_wilsons() -> None:
    # Newcombe (1998) prints the last but one.
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 10)[0] == 0
    assert [wilson(right, right)[1] for right in (1, 10, 157)] == [1, 1, 1]


def test_the_calibration_error_weighs_bins_by_their_count() -> None:
    # Three at 0.95, all right: 0.05 off. One at 0.55, wrong: 0.55 off.
    bins = reliability([0.95, 0.95, 0.95, 0.55], [True, True, True, False])
    assert calibration_error(bins) == pytest.approx((3 * 0.05 + 0.55) / 4)
    assert calibration_error(reliability([], [])) is None
