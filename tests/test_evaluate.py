"""The figures of a model, against values by hand and against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score, roc_auc_score

from mood_songs import MOODS
from songmood.models.evaluate import evaluate, fit_temperature, mcnemar, temper
from songmood.tables import METRICS


def test_figures_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])  # happy, happy, happy, sad
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    figures = evaluate(MOODS, truth, probabilities, seed=1, bootstrap_samples=200)
    assert figures["accuracy"] == 0.5
    assert figures["precision"] == pytest.approx(2 / 3)  # 3 called happy, 2 are
    assert figures["recall"] == pytest.approx(2 / 3)  # 3 are happy, 2 found
    assert figures["f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert figures["roc_auc"] == pytest.approx(2 / 3)  # sad's 0.4 is above two of three happy songs'
    assert figures["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.3, 0.4])))
    assert figures["n"] == 4
    # a draw of these 4 songs has none right in a sixteenth of all cases, and all right in another
    assert (figures["accuracy_low"], figures["accuracy_high"]) == (0, 1)


@pytest.mark.parametrize("moods", [MOODS, ["angry", *MOODS]])
def test_figures_equal_those_of_scikit_learn(moods: list[str]) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(len(moods), size=200)
    probabilities = rng.dirichlet(np.ones(len(moods)), 200).round(2)  # rounded: some tie
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    figures = evaluate(moods, truth, probabilities, 1, 50)
    guesses = probabilities.argmax(axis=1)
    two = len(moods) == 2
    average: dict[str, Any] = {"average": "binary", "pos_label": 0} if two else {"average": "macro"}
    expected = {
        "accuracy": accuracy_score(truth, guesses),
        "precision": precision_score(truth, guesses, **average),
        "recall": recall_score(truth, guesses, **average),
        "f1": f1_score(truth, guesses, average="macro"),
        "roc_auc": roc_auc_score(truth, probabilities[:, 1] if two else probabilities, multi_class="ovr"),
        "log_loss": log_loss(truth, probabilities),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    for name in METRICS:
        low, value, high = (figures[key] for key in (f"{name}_low", name, f"{name}_high"))
        assert low is not None
        assert value is not None
        assert high is not None
        assert low < high
        assert low <= value <= high


def test_an_interval_is_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros(400, dtype=int)
    right = rng.random(400) < 0.7
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    figures = evaluate(MOODS, truth, probabilities, 1, 2000)
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.7 * 0.3 / 400), rel=0.1)


def test_calibration_error_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.95, 0.05], [0.62, 0.38], [0.66, 0.34]])
    figures = evaluate(MOODS, truth, probabilities, 1, 10)
    # the first two are right, with probability 0.925; of the last two one is right, with probability 0.64
    assert figures["calibration_error"] == pytest.approx(0.5 * (1 - 0.925) + 0.5 * (0.64 - 0.5))


def test_the_interval_of_a_calibration_error_is_around_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):  # perfectly calibrated: the error is chance, and drawing anew adds to it
        happy = rng.random(150)
        truth = (rng.random(150) >= happy).astype(int)
        figures = evaluate(MOODS, truth, np.column_stack([happy, 1 - happy]), 1, 200)
        low, value, high = (figures[f"calibration_error{end}"] for end in ("_low", "", "_high"))
        assert low is not None
        assert value is not None
        assert high is not None
        assert low < value < high


def test_mcnemar_counts_the_songs_that_only_one_model_gets_right() -> None:
    truth = np.zeros(20, dtype=int)
    first, second = np.zeros(20, dtype=int), np.zeros(20, dtype=int)
    second[:6] = 1  # six songs that only the first model gets right, none that only the second does
    assert mcnemar(truth, first, second) == pytest.approx(2 * 0.5**6)
    assert mcnemar(truth, second, first) == pytest.approx(2 * 0.5**6)
    assert mcnemar(truth, first, first) == 1.0


def test_temperature_makes_probabilities_true() -> None:
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([1.0, 1.0], 4000)
    truth = (rng.random(4000) < honest[:, 1]).astype(int)
    logits = np.log(honest)
    assert fit_temperature(truth, logits) == pytest.approx(1, abs=0.1)
    for times in (3, 50):  # as of models that are too sure
        assert fit_temperature(truth, times * logits) == pytest.approx(times, rel=0.1)
        np.testing.assert_allclose(temper(times * logits, times), honest, atol=1e-6)
    assert (temper(logits, 5).argmax(axis=1) == honest.argmax(axis=1)).all()
    assert fit_temperature(np.array([0, 1]), np.array([[1.0, 0], [0, 1]])) == pytest.approx(0.1, abs=0.01)


def test_a_split_without_one_of_the_moods_has_no_roc_auc() -> None:
    figures = evaluate(MOODS, np.zeros(3, dtype=int), np.full((3, 2), 0.5), 1, 10)
    assert figures["roc_auc"] is None
    assert figures["accuracy"] == 1
