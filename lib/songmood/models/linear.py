"""The parts of a song that a logistic regression makes: log-odds from words, embedding and lexicon.

A net over hundreds of numbers learns a thousand songs by heart. A regularized logistic regression does not,
and leaves the net over it only a few numbers to weigh.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel

from songmood.models.files import VOCABULARY, part_file
from songmood.models.lexicon import lexicon_numbers
from songmood.models.parts import Array, has_text, is_list, mean_and_deviation
from songmood.models.splits import deal

_FOLDS = 5


class LogOdds(ABC):
    """A logistic regression that predicts the log-odds of each mood, centered at 0.

    The log-odds of the songs that it learns from come from the moods of other songs (five folds), and with
    `by_artist` from songs of other artists: else a head over them would trust them more than it may on new
    songs.
    """

    name = ""
    strength = 1.0  # the inverse of the L2 penalty

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        self.moods, self.seed, self.by_artist = moods, seed, by_artist
        self.coefficients: npt.NDArray[np.float64] | None = None
        self.intercept: npt.NDArray[np.float64] = np.zeros(moods)

    def fit(self, songs: pd.DataFrame) -> Array:
        """Learn from songs and their `mood`; log-odds (songs, moods) of the same songs, NaN where missing.

        All are NaN, and nothing is learned, if there are too few songs of a mood, or too few artists, for the
        folds. Songs without a column `artist` are dealt into the folds one by one.
        """
        usable = self._usable(songs)
        moods, rows = songs["mood"].to_numpy()[usable], np.flatnonzero(usable)
        log_odds = np.full((len(songs), self.moods), np.nan, dtype=np.float32)
        artists = songs.loc[usable, "artist"] if self.by_artist and "artist" in songs else None
        folds = self._folds(moods, artists)
        if folds:
            numbers = self._fit_numbers(songs[usable])
            for learned, held_out in folds:
                self._regress(numbers[learned], moods[learned])
                log_odds[rows[held_out]] = self._log_odds(numbers[held_out])
            self._regress(numbers, moods)
        return log_odds

    def predict(self, songs: pd.DataFrame) -> Array:
        """Log-odds (songs, moods); NaN for songs that lack the part, or if nothing was learned."""
        usable = self._usable(songs)
        log_odds = np.full((len(songs), self.moods), np.nan, dtype=np.float32)
        if self.coefficients is not None and usable.any():
            log_odds[usable] = self._log_odds(self._numbers(songs[usable]))
        return log_odds

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON; nothing if nothing was learned."""
        if self.coefficients is not None:
            save_file({k: np.ascontiguousarray(v) for k, v in self._state().items()}, self._file(folder))

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        if self._file(folder).is_file():
            self._restore(load_file(self._file(folder)))

    @classmethod
    def _file(cls, folder: Path) -> Path:
        return folder / part_file(cls.name)

    def _folds(self, moods: npt.NDArray[Any], artists: pd.Series[str] | None) -> list[tuple[Any, Any]]:
        """The rows to learn from and the rows held out, for each fold; none if the songs do not suffice."""
        fewest = np.bincount(moods, minlength=self.moods).min()
        if fewest < _FOLDS or (artists is not None and artists.nunique() < _FOLDS):
            return []
        folds = list(deal(moods, artists, _FOLDS, self.seed))
        all_moods = all(len(np.unique(moods[learned])) == self.moods for learned, _ in folds)
        return folds if all_moods else []

    @abstractmethod
    def _usable(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Which songs have the part that the numbers are made from."""

    @abstractmethod
    def _fit_numbers(self, songs: pd.DataFrame) -> Any:
        """The numbers of training songs, (songs, width); learns from them how to make numbers."""

    @abstractmethod
    def _numbers(self, songs: pd.DataFrame) -> Any:
        """The numbers of songs, (songs, width)."""

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        assert self.coefficients is not None
        return {"coefficients": self.coefficients, "intercept": self.intercept}

    def _restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        self.coefficients, self.intercept = state["coefficients"], state["intercept"]

    def _regress(self, numbers: Any, moods: npt.NDArray[Any]) -> None:
        self.coefficients, self.intercept = regress(numbers, moods, self.strength, self.seed)

    def _log_odds(self, numbers: Any) -> npt.NDArray[Any]:
        assert self.coefficients is not None
        return np.asarray(numbers @ self.coefficients.T + self.intercept)


class WordOdds(LogOdds):
    """Words and word pairs of the lyrics, weighted by TF-IDF."""

    name = "words"

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        super().__init__(moods, seed, by_artist)
        self.vectorizer: Any = None

    def save(self, folder: Path) -> None:
        """As `LogOdds.save`, with the vocabulary beside it."""
        super().save(folder)
        if self.coefficients is not None:
            words = self.vectorizer.get_feature_names_out().tolist()
            text = json.dumps(words, ensure_ascii=False) + "\n"
            (folder / VOCABULARY).write_text(text, encoding="utf-8")

    def load(self, folder: Path) -> None:
        """As `LogOdds.load`."""
        if self._file(folder).is_file():
            words = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
            self.vectorizer = _vectorizer(vocabulary=words)
        super().load(folder)

    def _usable(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return has_text(songs)

    def _fit_numbers(self, songs: pd.DataFrame) -> Any:
        try:
            self.vectorizer = _vectorizer(min_df=2 if len(songs) > 50 else 1)
            return self.vectorizer.fit_transform(songs["lyrics"])
        except ValueError:  # no word is in two songs, as in languages that do not separate words
            self.vectorizer = _vectorizer(min_df=1)
            return self.vectorizer.fit_transform(songs["lyrics"])

    def _numbers(self, songs: pd.DataFrame) -> Any:
        return self.vectorizer.transform(songs["lyrics"])

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super()._state(), "idf": self.vectorizer.idf_}

    def _restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        super()._restore(state)
        self.vectorizer.idf_ = state["idf"]


class _Scaled(LogOdds):
    """Numbers of each song, standardized to mean 0 and deviation 1 by the training songs."""

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        super().__init__(moods, seed, by_artist)
        self.mean: npt.NDArray[Any] = np.zeros(0)
        self.deviation: npt.NDArray[Any] = np.ones(0)

    @abstractmethod
    def _vectors(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The numbers before they are standardized, (songs, width)."""

    def _fit_numbers(self, songs: pd.DataFrame) -> Any:
        vectors = self._vectors(songs)
        self.mean, self.deviation = mean_and_deviation(vectors)
        return (vectors - self.mean) / self.deviation

    def _numbers(self, songs: pd.DataFrame) -> Any:
        return (self._vectors(songs) - self.mean) / self.deviation

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super()._state(), "mean": self.mean, "deviation": self.deviation}

    def _restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        super()._restore(state)
        self.mean, self.deviation = state["mean"], state["deviation"]


class EmbeddingOdds(_Scaled):
    """The plain encoder's embedding of the lyrics, by its similarity to landmarks.

    Landmarks are training songs, at most `landmarks` of them. The similarity of two embeddings is
    exp(-d² / n) with d their distance and n their width: a song's mood is predicted from songs with similar
    embeddings, which weights on the single numbers cannot do. This is kernel logistic regression by
    Nyström's method (Williams & Seeger 2001, as in scikit-learn).
    """

    name = "reading"
    # On 992 songs with real lyrics, split by artist, strengths of 1 to 10, kernels 0.1 to 2 times as narrow
    # and 300 to 1,000 landmarks differ little; weights on the numbers themselves are worse.
    strength = 3.0
    landmarks = 500

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        super().__init__(moods, seed, by_artist)
        self.marks: npt.NDArray[Any] = np.zeros((0, 0))
        self.mixing: npt.NDArray[Any] = np.zeros((0, 0))  # of similarities, to numbers without correlation

    def _usable(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return np.array([is_list(row) for row in songs["embedding"]], dtype=bool)

    def _vectors(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        return np.stack(songs["embedding"].to_list()).astype(np.float64)

    def _fit_numbers(self, songs: pd.DataFrame) -> Any:
        scaled = super()._fit_numbers(songs)
        fitted = Nystroem(n_components=min(self.landmarks, len(scaled)), random_state=self.seed).fit(scaled)
        self.marks, self.mixing = fitted.components_, fitted.normalization_
        return self._similarities(scaled)

    def _numbers(self, songs: pd.DataFrame) -> Any:
        return self._similarities(super()._numbers(songs))

    def _similarities(self, scaled: Any) -> Any:
        return rbf_kernel(scaled, self.marks) @ self.mixing.T

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super()._state(), "marks": self.marks, "mixing": self.mixing}

    def _restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        super()._restore(state)
        self.marks, self.mixing = state["marks"], state["mixing"]


class LexiconOdds(_Scaled):
    """How happy or sad the words are by a published list."""

    name = "lexicon"
    strength = 0.1

    def _usable(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return has_text(songs)

    def _vectors(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        return lexicon_numbers(songs).astype(np.float64)


def regress(
    numbers: Any, moods: npt.NDArray[Any], strength: float, seed: int, balanced: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coefficients (moods, width) and intercept (moods) of a logistic regression; log-odds are centered at 0.

    `strength` is the inverse of the L2 penalty; `balanced` gives every mood the same total weight.
    """
    weights = "balanced" if balanced else None
    model = LogisticRegression(C=strength, class_weight=weights, max_iter=1000, random_state=seed)
    model.fit(numbers, moods)
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row of coefficients for two classes
        coefficients, intercept = (np.concatenate([-row, row]) / 2 for row in (coefficients, intercept))
    return coefficients, intercept


LINEAR: dict[str, type[LogOdds]] = {part.name: part for part in (EmbeddingOdds, WordOdds, LexiconOdds)}


def _vectorizer(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True,
        strip_accents="unicode",
        token_pattern=r"(?u)\b\w+\b",
        ngram_range=(1, 2),
        **options,
    )
