"""The words part of a song: what a logistic regression on TF-IDF of its words says of its mood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from songmood.encoder import check_weights
from songmood.errors import SongmoodError
from songmood.models.parts import Array, has_text

WEIGHTS, VOCABULARY = "words.safetensors", "words.json"  # beside the encoder's own files
_FOLDS = 5


class Words:
    """Words and pairs of words, weighed by TF-IDF, under a logistic regression; log-odds of each mood.

    What it says of the songs it learns from comes from other songs' moods (five folds): a head that
    stands over it must not take it for surer than it is on new songs.
    """

    def __init__(self, moods: int, seed: int) -> None:
        self.moods, self.seed = moods, seed
        self.vectorizer: Any = None
        self.coefficients: npt.NDArray[np.float64] = np.zeros((0, 0))
        self.intercept: npt.NDArray[np.float64] = np.zeros(0)

    def fit(self, songs: pd.DataFrame) -> Array:
        """Learn from `lyrics` and `mood`; log-odds (songs, moods) of the same songs, NaN without lyrics.

        All are NaN, and nothing is learnt, where too few songs of a mood have lyrics to take folds.
        """
        known = has_text(songs)
        texts, moods = songs["lyrics"].to_numpy()[known], songs["mood"].to_numpy()[known]
        said = np.full((len(songs), self.moods), np.nan, dtype=np.float32)
        if np.bincount(moods, minlength=self.moods).min() < _FOLDS:
            return said
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=self.seed)
        rows = np.flatnonzero(known)
        for learn, tell in folds.split(texts, moods):
            self._learn(texts[learn], moods[learn])
            said[rows[tell]] = self._tell(texts[tell])
        self._learn(texts, moods)
        return said

    def read(self, songs: pd.DataFrame) -> Array:
        """Log-odds (songs, moods); NaN without lyrics, or where nothing was learnt."""
        known = has_text(songs)
        said = np.full((len(songs), self.moods), np.nan, dtype=np.float32)
        if self.vectorizer is not None and known.any():
            said[known] = self._tell(songs["lyrics"].to_numpy()[known])
        return said

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON; nothing, where nothing was learnt."""
        if self.vectorizer is None:
            return
        words = self.vectorizer.get_feature_names_out().tolist()
        (folder / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False) + "\n", encoding="utf-8")
        numbers = {
            "idf": self.vectorizer.idf_,
            "coefficients": self.coefficients,
            "intercept": self.intercept,
        }
        save_file({name: np.ascontiguousarray(values) for name, values in numbers.items()}, folder / WEIGHTS)

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        if not (folder / WEIGHTS).is_file():
            return
        numbers = load_file(folder / WEIGHTS)
        words = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        self.vectorizer = _vectorizer(vocabulary=words)
        self.vectorizer.idf_ = numbers["idf"]
        self.coefficients, self.intercept = numbers["coefficients"], numbers["intercept"]

    def _learn(self, texts: npt.NDArray[Any], moods: npt.NDArray[Any]) -> None:
        self.vectorizer = _vectorizer(min_df=2 if len(texts) > 50 else 1)
        counts = self.vectorizer.fit_transform(texts)
        model = LogisticRegression(max_iter=1000, random_state=self.seed).fit(counts, moods)
        two = len(model.classes_) == 2  # scikit-learn keeps one row of coefficients for two classes
        self.coefficients = np.vstack([-model.coef_, model.coef_]) / 2 if two else model.coef_
        self.intercept = np.hstack([-model.intercept_, model.intercept_]) / 2 if two else model.intercept_

    def _tell(self, texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(self.vectorizer.transform(texts) @ self.coefficients.T + self.intercept)


def check(folder: Path, advice: str) -> None:
    """Raise SongmoodError, with `advice`, unless what `save` wrote is there and whole."""
    if not (folder / WEIGHTS).is_file():
        raise SongmoodError(f"the mood model {folder} has no {WEIGHTS}: {advice}")
    check_weights(folder / WEIGHTS, advice)
    try:
        json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SongmoodError(
            f"the mood model {folder} has no readable {VOCABULARY} ({error}): {advice}"
        ) from None


def _vectorizer(**more: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True, strip_accents="unicode", token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), **more
    )
