"""The models without an encoder, which the others have to beat. Their names are in catalog.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline

from songmood.models.base import Loss, Model
from songmood.models.evaluate import fit_temperature, temper

_WORD = r"\w+"


class Majority:
    """Every song gets the shares of the moods among the training songs: the floor for all models."""

    def __init__(self, moods: Sequence[str]) -> None:
        self.moods = moods
        self.shares: npt.NDArray[Any] = np.full(len(moods), 1 / len(moods))

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Count the moods; the curve is empty."""
        self.shares = np.bincount(train["mood"], minlength=len(self.moods)) / len(train)
        return []

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The same shares for each song."""
        return np.tile(self.shares, (len(songs), 1))


class WordModel:
    """A model of scikit-learn over the words of lyrics, in any order; tempered, as neural models are."""

    def __init__(self, words: Any, model: Any) -> None:
        self.pipeline: Pipeline = make_pipeline(words, model)
        self.temperature = 1.0

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Fit; `validation` sets the temperature. The curve is empty, as the solver has no training steps."""
        self.pipeline.fit(train["lyrics"].fillna(""), train["mood"])
        self.temperature = fit_temperature(validation["mood"].to_numpy(), self._logits(validation))
        return []

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; a song without words of the vocabulary gets the prior, tempered."""
        return temper(self._logits(songs), self.temperature)

    def _logits(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        # logarithms, as many probabilities of naive Bayes round to 0 or 1
        logarithms = self.pipeline.predict_log_proba(songs["lyrics"].fillna(""))
        return np.asarray(logarithms, dtype=np.float64)


def naive_bayes() -> WordModel:
    """Multinomial naive Bayes on word counts."""
    return WordModel(CountVectorizer(strip_accents="unicode", token_pattern=_WORD), MultinomialNB())


def tfidf_logistic(seed: int) -> WordModel:
    """Logistic regression on TF-IDF of the words."""
    words = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode", token_pattern=_WORD)
    return WordModel(words, LogisticRegression(max_iter=1000, random_state=seed))


_MAKERS: dict[str, Callable[[Sequence[str], int], Model]] = {
    "majority": lambda moods, seed: Majority(moods),
    "naive_bayes": lambda moods, seed: naive_bayes(),
    "tfidf_logistic": lambda moods, seed: tfidf_logistic(seed),
}


def make_baseline(name: str, moods: Sequence[str], seed: int) -> Model:
    """The baseline of that name. Raises KeyError if there is none."""
    return _MAKERS[name](moods, seed)
