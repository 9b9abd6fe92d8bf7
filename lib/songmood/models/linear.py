"""The parts of a song that a logistic regression makes: what its words, its reading and a lexicon say.

A net over hundreds of numbers of a thousand songs learns the songs by heart. A regularized logistic
regression does not, and leaves the net over it a few numbers that it can weigh.
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

from songmood.encoder.files import check_weights
from songmood.engine.errors import UserError
from songmood.models.lexicon import read_lexicon
from songmood.models.parts import Array, has_text, is_list, mean_and_deviation
from songmood.models.splits import deal

VOCABULARY = "words.json"  # beside the weights and the encoder's own files
_FOLDS = 5


class LogOdds(ABC):
    """A logistic regression that tells of songs the log-odds of each mood, around 0.

    What it says of the songs it learns from comes from other songs' moods (five folds), with `by_artist`
    from other artists': a head that stands over it must not take it for surer than it is on new songs.
    """

    name = ""
    strength = 1.0  # the inverse of the L2 penalty

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        self.moods, self.seed, self.by_artist = moods, seed, by_artist
        self.coefficients: npt.NDArray[np.float64] | None = None
        self.intercept: npt.NDArray[np.float64] = np.zeros(moods)

    def fit(self, songs: pd.DataFrame) -> Array:
        """Learn from songs and their `mood`; log-odds (songs, moods) of the same songs, NaN if not known.

        All are NaN, and nothing is learned, where too few songs of a mood, or too few artists, are known to
        take folds. Songs without a column `artist` are dealt into the folds one by one.
        """
        known = self._known(songs)
        moods, rows = songs["mood"].to_numpy()[known], np.flatnonzero(known)
        said = np.full((len(songs), self.moods), np.nan, dtype=np.float32)
        artists = songs.loc[known, "artist"] if self.by_artist and "artist" in songs else None
        fewest = np.bincount(moods, minlength=self.moods).min()
        if fewest < _FOLDS or (artists is not None and artists.nunique() < _FOLDS):
            return said
        folds = list(deal(moods, artists, _FOLDS, self.seed))
        if any(len(np.unique(moods[learn])) < self.moods for learn, _ in folds):
            return said
        numbers = self._learn_numbers(songs[known])
        for learn, tell in folds:
            self._regress(numbers[learn], moods[learn])
            said[rows[tell]] = self._tell(numbers[tell])
        self._regress(numbers, moods)
        return said

    def read(self, songs: pd.DataFrame) -> Array:
        """Log-odds (songs, moods); NaN of songs that are not known, or where nothing was learned."""
        known = self._known(songs)
        said = np.full((len(songs), self.moods), np.nan, dtype=np.float32)
        if self.coefficients is not None and known.any():
            said[known] = self._tell(self._numbers(songs[known]))
        return said

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON; nothing, where nothing was learned."""
        if self.coefficients is not None:
            save_file({k: np.ascontiguousarray(v) for k, v in self._state().items()}, self._file(folder))

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        if self._file(folder).is_file():
            self._restore(load_file(self._file(folder)))

    @classmethod
    def check(cls, folder: Path, advice: str) -> None:
        """Raise UserError, with `advice`, unless what `save` wrote is there and whole."""
        file = cls._file(folder)
        if not file.is_file():
            raise UserError(f"the mood model {folder} has no {file.name}: {advice}")
        check_weights(file, advice)

    @classmethod
    def _file(cls, folder: Path) -> Path:
        return folder / f"{cls.name}.safetensors"

    @abstractmethod
    def _known(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Which songs have what is read here."""

    @abstractmethod
    def _learn_numbers(self, songs: pd.DataFrame) -> Any:
        """The numbers of training songs, (songs, width), having learned from them how to take them."""

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

    def _tell(self, numbers: Any) -> npt.NDArray[Any]:
        assert self.coefficients is not None
        return np.asarray(numbers @ self.coefficients.T + self.intercept)


class Words(LogOdds):
    """Words and pairs of words of the lyrics, weighed by TF-IDF."""

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

    @classmethod
    def check(cls, folder: Path, advice: str) -> None:
        """As `LogOdds.check`, and of the vocabulary, too."""
        super().check(folder, advice)
        try:
            json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"the mood model {folder} has no readable {VOCABULARY} ({error}): {advice}"
            ) from None

    def _known(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return has_text(songs)

    def _learn_numbers(self, songs: pd.DataFrame) -> Any:
        try:
            self.vectorizer = _vectorizer(min_df=2 if len(songs) > 50 else 1)
            return self.vectorizer.fit_transform(songs["lyrics"])
        except ValueError:  # no word is in two songs, as where a language writes none apart
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
    """Numbers of each song, brought to mean 0 and deviation 1 by the training songs."""

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        super().__init__(moods, seed, by_artist)
        self.mean: npt.NDArray[Any] = np.zeros(0)
        self.deviation: npt.NDArray[Any] = np.ones(0)

    @abstractmethod
    def _vectors(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The numbers as they are, (songs, width)."""

    def _learn_numbers(self, songs: pd.DataFrame) -> Any:
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


class Reading(_Scaled):
    """The plain encoder's reading of the lyrics, the column `embedding`, by its likeness to landmarks.

    Landmarks are training songs, at most `landmarks` of them. The likeness of two readings is
    exp(-d² / n), d their distance and n how many numbers they have: so a song is told by songs that read
    alike, which weights on the numbers cannot do. It is kernel logistic regression by Nyström's method
    (Williams & Seeger 2001, as scikit-learn has it).
    """

    name = "reading"
    # On 992 songs with real lyrics, artists apart, strengths 1 to 10, kernels 0.1 to 2 times as narrow and
    # 300 to 1,000 landmarks differ little; weights on the numbers themselves do worse.
    strength = 3.0
    landmarks = 500

    def __init__(self, moods: int, seed: int, by_artist: bool) -> None:
        super().__init__(moods, seed, by_artist)
        self.marks: npt.NDArray[Any] = np.zeros((0, 0))
        self.mixing: npt.NDArray[Any] = np.zeros((0, 0))  # of likenesses to numbers that do not overlap

    def _known(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return np.array([is_list(row) for row in songs["embedding"]], dtype=bool)

    def _vectors(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        return np.stack(songs["embedding"].to_list()).astype(np.float64)

    def _learn_numbers(self, songs: pd.DataFrame) -> Any:
        scaled = super()._learn_numbers(songs)
        fitted = Nystroem(n_components=min(self.landmarks, len(scaled)), random_state=self.seed).fit(scaled)
        self.marks, self.mixing = fitted.components_, fitted.normalization_
        return self._liken(scaled)

    def _numbers(self, songs: pd.DataFrame) -> Any:
        return self._liken(super()._numbers(songs))

    def _liken(self, scaled: Any) -> Any:
        return rbf_kernel(scaled, self.marks) @ self.mixing.T

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super()._state(), "marks": self.marks, "mixing": self.mixing}

    def _restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        super()._restore(state)
        self.marks, self.mixing = state["marks"], state["mixing"]


class Lexicon(_Scaled):
    """How glad or sad the words are by a published list."""

    name = "lexicon"
    strength = 0.1

    def _known(self, songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return has_text(songs)

    def _vectors(self, songs: pd.DataFrame) -> npt.NDArray[np.float64]:
        return read_lexicon(songs).astype(np.float64)


def regress(
    numbers: Any, moods: npt.NDArray[Any], strength: float, seed: int, balanced: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coefficients (moods, width) and intercept (moods) of a logistic regression; log-odds are around 0.

    `strength` is the inverse of the L2 penalty; `balanced` gives every mood the same say.
    """
    weights = "balanced" if balanced else None
    model = LogisticRegression(C=strength, class_weight=weights, max_iter=1000, random_state=seed)
    model.fit(numbers, moods)
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row of coefficients for two classes
        coefficients, intercept = (np.concatenate([-of, of]) / 2 for of in (coefficients, intercept))
    return coefficients, intercept


LINEAR: dict[str, type[LogOdds]] = {part.name: part for part in (Reading, Words, Lexicon)}


def _vectorizer(**more: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True, strip_accents="unicode", token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), **more
    )
