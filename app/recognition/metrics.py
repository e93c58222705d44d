"""How good the answers to "who is this?" are: the right name, strangers kept out, confidences that hold.

Every figure is taken over questions that count a number of times each: once for the figure itself, as often as
chance has it to see how far the figure can be trusted. `weights` is (..., n) for n questions, and the figures are
(...); NaN where there is nothing to take them over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.propagation import Floats

Flags = NDArray[np.bool_]
People = NDArray[np.int64]

CONFIDENCE_BINS = 10
RESAMPLES = 1000
_INTERVAL = (0.025, 0.975)
# How many weights are held at a time, of 8 bytes and in a few copies.
_BLOCK = 2_000_000


@dataclass(frozen=True, eq=False)
class Answers:
    """What was answered to n questions; each array is (n,).

    right: whether the best name was the face's. known: whether the face's person was in the gallery at all; nobody's
    name is right for a stranger. score: the higher, the surer. is_probability: whether the score is meant as the
    probability that the name is right; else it may be on any scale.
    """

    right: Flags
    known: Flags
    score: Floats
    is_probability: bool = True


Metric = Callable[[Answers, Floats], Floats]


def once_each(answers: Answers) -> Floats:
    return np.ones(len(answers.right))


def rank_1(answers: Answers, weights: Floats) -> Floats:
    """The share of known faces whose best name is right, however unsure."""
    known = weights[..., answers.known]
    return _share(known @ answers.right[answers.known].astype(np.float64), known.sum(axis=-1))


def dir_at_fpir(rate: float) -> Metric:
    """The detection and identification rate at a false positive identification rate from 0 to below 1.

    That is the share of known faces that are named right with a score above the threshold. The threshold is the
    lowest score of a stranger that no more than `rate` of the strangers' questions lie above. A score equal to it is
    not above it, so ties are kept out, known faces too; and where there are fewer strangers than 1 / rate, none of
    them is let in. Without strangers there is no threshold, and no figure.
    """

    def measure(answers: Answers, weights: Floats) -> Floats:
        strangers = _surest_first(answers.score, ~answers.known)
        named = _surest_first(answers.score, answers.known & answers.right)
        if not len(strangers):
            return np.full(weights.shape[:-1], np.nan)
        let_in = weights[..., strangers].cumsum(axis=-1)
        # A hair more, for 0.1 x 30 to be 3.
        over = let_in > let_in[..., -1:] * rate * (1 + 1e-9)
        threshold = answers.score[strangers][over.argmax(axis=-1)]
        above = np.searchsorted(-answers.score[named], -threshold, side="left")
        up_to = np.zeros((*weights.shape[:-1], len(named) + 1))
        weights[..., named].cumsum(axis=-1, out=up_to[..., 1:])
        found = np.take_along_axis(up_to, np.asarray(above)[..., np.newaxis], axis=-1)[..., 0]
        return np.where(let_in[..., -1] > 0, _share(found, weights[..., answers.known].sum(axis=-1)), np.nan)

    return measure


def expected_calibration_error(answers: Answers, weights: Floats) -> Floats:
    """By how much probabilities miss the share of right names on average, over ten equal bins of probability.

    Known faces and strangers weigh a half each, however many there are. Not defined for scores that are no
    probabilities, nor without either of the two.
    """
    if not answers.is_probability:
        return np.full(weights.shape[:-1], np.nan)
    bins = np.minimum((answers.score * CONFIDENCE_BINS).astype(np.intp), CONFIDENCE_BINS - 1)
    gaps = np.zeros((len(bins), CONFIDENCE_BINS))
    gaps[np.arange(len(bins)), bins] = answers.right - answers.score
    of_known, of_strangers = (
        _share(weights[..., side] @ gaps[side], weights[..., side].sum(axis=-1)[..., np.newaxis])
        for side in (answers.known, ~answers.known)
    )
    error: Floats = np.abs((of_known + of_strangers) / 2).sum(axis=-1)
    return error


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def estimates(
    answers: Answers, owners: People, metrics: Mapping[str, Metric], rng: np.random.Generator
) -> dict[str, Estimate | None]:
    """Each metric with its interval; None where it is not defined.

    owners: (n,), whose face each question is about. The interval comes of drawing people with replacement, with all
    their questions: photos of one person are alike, and drawing photos would make figures look surer than they are.
    Whoever was ever known is drawn among those, strangers among strangers. It is stretched to the figure where that
    lies outside, as errors near 0 do: chance can only add to them.
    """
    people, codes = np.unique(owners, return_inverse=True)
    ever_known = np.isin(people, owners[answers.known])
    times = np.zeros((RESAMPLES, len(people)))
    for group in (ever_known, ~ever_known):
        size = int(group.sum())
        if size:
            times[:, group] = rng.multinomial(size, np.full(size, 1 / size), RESAMPLES)
    figures = {name: float(metric(answers, once_each(answers))) for name, metric in metrics.items()}
    resampled: dict[str, list[Floats]] = {name: [np.array([figure])] for name, figure in figures.items()}
    step = max(1, _BLOCK // len(owners))
    for start in range(0, RESAMPLES, step):
        weights = times[start : start + step][:, codes]
        for name, metric in metrics.items():
            if not np.isnan(figures[name]):
                resampled[name].append(metric(answers, weights))
    return {name: _estimate(figure, np.concatenate(resampled[name])) for name, figure in figures.items()}


def _estimate(value: float, resampled: Floats) -> Estimate | None:
    if np.isnan(value):
        return None
    # With very few people a draw may be without a stranger.
    low, high = np.quantile(resampled[~np.isnan(resampled)], _INTERVAL)
    return Estimate(value, min(float(low), value), max(float(high), value))


def _surest_first(score: Floats, among: Flags) -> NDArray[np.intp]:
    rows = np.flatnonzero(among)
    return rows[np.argsort(-score[rows], kind="stable")]


def _share(part: Floats, whole: Floats) -> Floats:
    share: Floats = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return share
