"""How well a model tells the moods: the figures of the table model_metrics, and who is better than whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest

from songmood.tables import METRICS

HAPPY = "happy"  # the mood whose probability, precision and recall are given by themselves
CALIBRATION_BINS = 10
# What a probability of 0 counts as: one sure mistake must not make the log loss infinite.
_SMALLEST = float(np.finfo(np.float64).eps)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def evaluate(
    moods: Sequence[str], truth: Integers, probabilities: Floats, seed: int, bootstrap_samples: int
) -> dict[str, float | int | None]:
    """The figures of one model on one split: METRICS, each with `_low` and `_high`, and n.

    `moods` are in the order of the columns of `probabilities` (songs, moods), `truth` holds indices
    into them. Precision and recall are of 'happy' where it is one of two moods, else the mean over
    moods, as f1 always is. roc_auc is None unless every mood has a song; over more than two moods it
    is the mean of each against the others. calibration_error is the expected one (Naeini et al. 2015):
    the distance of the winner's probability from how often it is right, in ten bins of equal width.
    Low and high bound the middle 95% of figures of songs drawn anew with replacement (`with_interval`).
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
    """METRICS of each draw, as `evaluate` has them; NaN where undefined.

    `counts` (draws, songs) says how often a song is in a draw.
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
    """The ROC-AUC of each draw, as `evaluate` has it; NaN where a mood has no song."""
    moods = probabilities.shape[1]
    sides = range(1, 2) if moods == 2 else range(moods)
    areas = [_areas(truth == mood, probabilities[:, mood], counts) for mood in sides]
    return np.asarray(np.mean(areas, axis=0))


def draw(count: int, seed: int, samples: int) -> Floats:
    """How often each of so many is drawn when as many are drawn with replacement; (samples, count)."""
    share = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, share, size=samples).astype(np.float64)


def with_interval(name: str, value: float, drawn: Floats) -> dict[str, float | int | None]:
    """A figure as `name`, the middle 95% of those drawn as `_low` and `_high`; None where unknown.

    A calibration error adds up distances, in which noise does not cancel, so those of songs drawn anew are
    too large; they are moved to have the figure as their mean (Efron and Tibshirani 1993, chapter 10).
    """
    known = drawn[np.isfinite(drawn)]
    if name == "calibration_error" and len(known):
        known = np.maximum(known + value - known.mean(), 0)
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return {name: _known(value), f"{name}_low": _known(low), f"{name}_high": _known(high)}


def mcnemar(truth: Integers, one: Integers, other: Integers) -> float:
    """The exact p-value that two models are right equally often (McNemar 1947)."""
    only_one = int(((one == truth) & (other != truth)).sum())
    only_other = int(((one != truth) & (other == truth)).sum())
    if only_one + only_other == 0:
        return 1.0
    return float(binomtest(only_one, only_one + only_other).pvalue)


def fit_temperature(truth: Integers, logits: Floats) -> float:
    """The temperature under which logits (songs, moods) have the least log loss (Guo et al. 2017).

    Above 1 it makes a model less sure, below 1 surer. Which mood wins stays the same.
    """

    def loss(logarithm: float) -> float:
        tempered = temper(logits, float(np.exp(logarithm)))
        return float(-np.log(np.maximum(tempered[np.arange(len(truth)), truth], _SMALLEST)).mean())

    # Below a tenth it is chance, as with a model that makes no mistake on the few songs of validation. Naive
    # Bayes, which takes each word for new evidence, needs some tens.
    return float(np.exp(minimize_scalar(loss, bounds=(-np.log(10), np.log(1000)), method="bounded").x))


def temper(logits: Floats, temperature: float) -> Floats:
    """The probabilities (songs, moods) of logits divided by the temperature."""
    return np.asarray(softmax(logits / temperature, axis=1))


def _areas(positive: npt.NDArray[np.bool_], scores: Floats, counts: Floats) -> Floats:
    """Area under the ROC curve of each draw: how often a positive song scores above a negative one."""
    # which of the distinct scores, from the least, each song has
    _, places = np.unique(scores, return_inverse=True)
    at = sparse.csr_matrix((np.ones(len(scores)), (np.arange(len(scores)), places)))
    for_, against = (counts * positive) @ at, (counts * ~positive) @ at
    below = np.cumsum(against, axis=1) - against
    wins = (for_ * (below + against / 2)).sum(axis=1)
    pairs = for_.sum(axis=1) * against.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(pairs > 0, wins / pairs, np.nan))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
