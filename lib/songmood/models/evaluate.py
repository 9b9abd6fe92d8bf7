"""How well a model predicts moods: the figures of the table model_metrics, and tests between models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest

from songmood.tables import METRICS

HAPPY = "happy"  # the positive class: the mood whose probability is a column of its own
CALIBRATION_BINS = 10
# A probability of 0 counts as this, so that one mistake does not make the log loss infinite.
_SMALLEST = float(np.finfo(np.float64).eps)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def evaluate(
    moods: Sequence[str], truth: Integers, probabilities: Floats, seed: int, bootstrap_samples: int
) -> dict[str, float | int | None]:
    """The figures of one model on one split: METRICS, each with `_low` and `_high`, and n.

    `moods` are in the order of the columns of `probabilities` (songs, moods), `truth` holds indices
    into them. Precision and recall are those of 'happy' if it is one of two moods, else the mean over
    moods, as f1 always is. roc_auc is None unless every mood has a song; for more than two moods it
    is the mean of each mood against the others. calibration_error is the expected one (Naeini et al. 2015):
    the mean distance between the probability of the predicted mood and the share of right predictions, in
    ten bins of equal width. Low and high bound the middle 95% of bootstrap figures (`with_interval`).
    """
    point = figures_of_draws(moods, truth, probabilities, np.ones((1, len(truth))))
    drawn = figures_of_draws(moods, truth, probabilities, draw(len(truth), seed, bootstrap_samples))
    figures: dict[str, float | int | None] = {"n": len(truth)}
    for name in METRICS:
        figures |= with_interval(name, point[name][0], drawn[name])
    return figures


def figures_of_draws(
    moods: Sequence[str], truth: Integers, probabilities: Floats, counts: Floats
) -> dict[str, Floats]:
    """METRICS of each draw, as defined in `evaluate`; NaN where undefined.

    `counts` (draws, songs) is the number of times that each song is in each draw.
    """
    positive = list(moods).index(HAPPY) if len(moods) == 2 and HAPPY in moods else None
    songs = len(truth)
    one_hot = np.eye(len(moods))
    guesses = probabilities.argmax(axis=1)
    total = counts.sum(axis=1)
    hits = counts @ one_hot[guesses]
    actual = counts @ one_hot[truth]
    right = counts @ (one_hot[truth] * (guesses == truth)[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(hits > 0, right / hits, 0.0)
        recall = np.where(actual > 0, right / actual, 0.0)
        f1 = np.where(hits + actual > 0, 2 * right / (hits + actual), 0.0)
        winner = probabilities[np.arange(songs), guesses]
        bins = np.eye(CALIBRATION_BINS)[
            np.minimum((winner * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        ]
        gap = counts @ (bins * ((guesses == truth) - winner)[:, None])
        losses = -np.log(np.clip(probabilities[np.arange(songs), truth], _SMALLEST, 1))
        return {
            "accuracy": right.sum(axis=1) / total,
            "precision": precision.mean(axis=1) if positive is None else precision[:, positive],
            "recall": recall.mean(axis=1) if positive is None else recall[:, positive],
            "f1": f1.mean(axis=1),
            "roc_auc": roc_auc_of_draws(truth, probabilities, counts),
            "log_loss": counts @ losses / total,
            "calibration_error": np.abs(gap).sum(axis=1) / total,
        }


def roc_auc_of_draws(truth: Integers, probabilities: Floats, counts: Floats) -> Floats:
    """The ROC-AUC of each draw, as defined in `evaluate`; NaN where a mood has no song."""
    moods = probabilities.shape[1]
    sides = range(1, 2) if moods == 2 else range(moods)
    areas = [_areas(truth == mood, probabilities[:, mood], counts) for mood in sides]
    return np.asarray(np.mean(areas, axis=0))


def draw(count: int, seed: int, samples: int) -> Floats:
    """Bootstrap draws of `count` items with replacement: how often each is drawn; (samples, count)."""
    share = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, share, size=samples).astype(np.float64)


def with_interval(name: str, value: float, drawn: Floats) -> dict[str, float | int | None]:
    """A figure as `name`, and the middle 95% of its draws as `_low` and `_high`; None where undefined.

    A calibration error adds up distances, in which noise does not cancel, so its bootstrap figures are
    too large; they are shifted to have the figure as their mean (Efron and Tibshirani 1993, chapter 10).
    """
    defined = drawn[np.isfinite(drawn)]
    if name == "calibration_error" and len(defined):
        defined = np.maximum(defined + value - defined.mean(), 0)
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return {name: _or_none(value), f"{name}_low": _or_none(low), f"{name}_high": _or_none(high)}


def mcnemar(truth: Integers, first: Integers, second: Integers) -> float:
    """The exact p-value of the hypothesis that two models are right equally often (McNemar 1947)."""
    only_first = int(((first == truth) & (second != truth)).sum())
    only_second = int(((first != truth) & (second == truth)).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def fit_temperature(truth: Integers, logits: Floats) -> float:
    """The temperature at which logits (songs, moods) have the least log loss (Guo et al. 2017).

    A temperature above 1 makes a model less sure, one below 1 surer. The predicted mood stays the same.
    """

    def loss(logarithm: float) -> float:
        tempered = temper(logits, float(np.exp(logarithm)))
        return float(-np.log(np.maximum(tempered[np.arange(len(truth)), truth], _SMALLEST)).mean())

    # Less than a tenth is chance: a model that makes no mistake on the few validation songs. Naive Bayes,
    # which takes each word for independent evidence, needs a temperature of some tens.
    return float(np.exp(minimize_scalar(loss, bounds=(-np.log(10), np.log(1000)), method="bounded").x))


def temper(logits: Floats, temperature: float) -> Floats:
    """The probabilities (songs, moods) of logits divided by the temperature."""
    return np.asarray(softmax(logits / temperature, axis=1))


def _areas(positive: npt.NDArray[np.bool_], scores: Floats, counts: Floats) -> Floats:
    """Area under the ROC curve of each draw: how often a positive song scores higher than a negative one."""
    # the place of each song's score among the distinct scores, from the lowest
    _, places = np.unique(scores, return_inverse=True)
    at = sparse.csr_matrix((np.ones(len(scores)), (np.arange(len(scores)), places)))
    positives, negatives = (counts * positive) @ at, (counts * ~positive) @ at
    below = np.cumsum(negatives, axis=1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=1)
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(pairs > 0, wins / pairs, np.nan))


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
