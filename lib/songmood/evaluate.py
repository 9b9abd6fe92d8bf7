"""How well a model tells the moods: the figures of the table model_metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support, roc_auc_score

from songmood.models import HAPPY


def evaluate(
    moods: Sequence[str],
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
    seed: int,
    bootstrap_samples: int,
) -> dict[str, float | int | None]:
    """The figures of one model on one split.

    `moods` are in the order of the columns of `probabilities` (songs, moods), `truth` holds indices
    into them. Precision and recall are of 'happy' where it is one of two moods, else the mean over
    moods, as f1 always is. roc_auc is None unless every mood has a song. `accuracy_low` and
    `accuracy_high` bound the middle 95% of accuracies of songs drawn anew with replacement.
    """
    labels = list(range(len(moods)))
    guesses = probabilities.argmax(axis=1)
    each = precision_recall_fscore_support(truth, guesses, labels=labels, zero_division=0)
    precision, recall, f1 = (float(np.mean(values)) for values in each[:3])
    if len(moods) == 2 and HAPPY in moods:
        positive = list(moods).index(HAPPY)
        precision, recall = float(each[0][positive]), float(each[1][positive])
    low, high = _interval(truth == guesses, seed, bootstrap_samples)
    return {
        "accuracy": float(accuracy_score(truth, guesses)),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "roc_auc": _roc_auc(truth, probabilities, labels),
        "log_loss": float(log_loss(truth, probabilities, labels=labels)),
        "n": len(truth),
        "accuracy_low": low,
        "accuracy_high": high,
    }


def _roc_auc(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64], labels: list[int]
) -> float | None:
    """Area under the ROC curve; over more than two moods the mean of each against the others."""
    if set(truth.tolist()) != set(labels):
        return None
    if len(labels) == 2:
        return float(roc_auc_score(truth, probabilities[:, 1]))
    return float(roc_auc_score(truth, probabilities, multi_class="ovr", labels=labels))


def _interval(right: npt.NDArray[np.bool_], seed: int, samples: int) -> tuple[float, float]:
    random = np.random.default_rng(seed)
    means = [float(random.choice(right, len(right)).mean()) for _ in range(samples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
