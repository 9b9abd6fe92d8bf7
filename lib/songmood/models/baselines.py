"""What the mood models are to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline

from songmood.models import Loss
from songmood.models.evaluate import fit_temperature, temper

_WORD = r"\w+"


class Majority:
    """Every song has the moods in the shares of the training songs: what knowing nothing reaches."""

    def __init__(self, moods: Sequence[str]) -> None:
        self.moods = moods
        self.shares: npt.NDArray[Any] = np.full(len(moods), 1 / len(moods))

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Count."""
        self.shares = np.bincount(train["mood"], minlength=len(self.moods)) / len(train)
        return []

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The same shares for each song."""
        return np.tile(self.shares, (len(songs), 1))


class WordModel:
    """A model of scikit-learn over the words of lyrics, without their order; tempered, as neural ones are."""

    def __init__(self, words: Any, model: Any) -> None:
        self.pipeline: Pipeline = make_pipeline(words, model)
        self.temperature = 1.0

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Fit; the curve is empty, for the solver does not go by steps. `validation` sets the temperature."""
        self.pipeline.fit(train["lyrics"].fillna(""), train["mood"])
        self.temperature = fit_temperature(validation["mood"].to_numpy(), self._logits(validation))
        return []

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; a song without known words gets the model's prior, tempered."""
        return temper(self._logits(songs), self.temperature)

    def _logits(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        # not of the probabilities: naive Bayes has many that are 0 or 1
        said = self.pipeline.predict_log_proba(songs["lyrics"].fillna(""))
        return np.asarray(said, dtype=np.float64)


def naive_bayes() -> WordModel:
    """Multinomial naive Bayes on counts of words."""
    return WordModel(CountVectorizer(strip_accents="unicode", token_pattern=_WORD), MultinomialNB())


def tfidf_logistic(seed: int) -> WordModel:
    """Logistic regression on TF-IDF of the words."""
    words = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode", token_pattern=_WORD)
    return WordModel(words, LogisticRegression(max_iter=1000, random_state=seed))
