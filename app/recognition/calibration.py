"""What the user's own answers say about how sure the recogniser may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.familiarity import Floats, logistic

ENOUGH = 50
"""Answers below which nothing is learnt from them."""

# How far the user's photos are expected to be from those the familiarity was fitted on: standard deviations of the
# offset and of the slope. They weigh as much as some ten answers.
_OFFSET, _SLOPE = 2.0, 0.5
_NEAREST_TO_CERTAIN = 1e-6
_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """Straightens a probability: its log odds times slope, plus offset (Platt, 1999). As made, it changes nothing.

    answers: how many it was fitted on.
    """

    offset: float = 0.0
    slope: float = 1.0
    answers: int = 0

    def __call__(self, familiar: Floats) -> Floats:
        if not self.answers:
            return familiar
        return logistic(self.offset + self.slope * _log_odds(familiar))


def fit(familiar: Floats, chances: Floats, right: NDArray[np.bool_]) -> Calibration:
    """The calibration under which what happened is likeliest.

    familiar: (n,), the probability that each face was anyone known, as it was without calibration. chances: (n,), that
    it was the best name if so. right: (n,), whether the human gave that name.

    Fisher scoring on the logarithm of the likelihood, with a normal prior around "no change", so that few or
    one-sided answers move it little. The slope stays positive: what seemed surer never becomes less sure.
    """
    odds, values = np.column_stack([np.ones(len(familiar)), _log_odds(familiar)]), np.array([0.0, 1.0])
    prior, precision = np.array([0.0, 1.0]), np.diag([_OFFSET**-2, _SLOPE**-2])
    for _ in range(_STEPS):
        known = logistic(odds @ values)
        named = np.clip(chances * known, _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN)
        # Of log(p) where it was right and log(1 - p) where not, p being chance x known.
        pull = np.where(right, 1 - known, -named * (1 - known) / (1 - named))
        gradient = odds.T @ pull - precision @ (values - prior)
        spread = named * (1 - known) ** 2 / (1 - named)
        step = np.linalg.solve((odds * spread[:, np.newaxis]).T @ odds + precision, gradient)
        values = values + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(float(values[0]), max(float(values[1]), 0.05), len(right))


def rounds(answers: int) -> int:
    """The largest number of a fixed row (50, 60, 72 ...) that there are answers for, or 0.

    Fitting on that many has every process come to the same calibration, at a cost that does not grow with each answer.
    """
    reached, following = 0, ENOUGH
    while following <= answers:
        reached, following = following, following + max(10, following // 5)
    return reached


def _log_odds(probability: Floats) -> Floats:
    kept = np.clip(probability, _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN)
    return np.log(kept / (1 - kept))
