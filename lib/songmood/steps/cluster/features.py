"""The features that songs are clustered by, as a table and as rows of numbers (paper section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES, AudioEncoding

AUDIO = "audio"
VECTORS = {"mood": "hidden", "lyrics": "embedding"}  # the columns of the parts that models give vectors for

Matrix: TypeAlias = NDArray[np.float64]


def song_features(moods: DataFrame, embeddings: DataFrame, audio_features: DataFrame) -> DataFrame:
    """The features of each song that has any: song_id, hidden, embedding, and the twelve audio features."""
    vectors = moods.select("song_id", "hidden").join(
        embeddings.select("song_id", "embedding"), "song_id", "full_outer"
    )
    features = vectors.join(audio_features.select("song_id", *AUDIO_FEATURES), "song_id", "full_outer")
    names = [*VECTORS.values(), *AUDIO_FEATURES]
    return features.where(reduce(or_, (F.col(name).isNotNull() for name in names)))


@dataclass(frozen=True)
class Encoding:
    """Turns songs into rows of numbers: the final model's hidden layer, the lyrics' reading, audio features.

    Each part is taken from its mean, and scaled so that its columns together vary by the part's weight,
    however many they are. A part that a song lacks is 0, the mean, so that a gap makes songs neither alike
    nor unlike.
    """

    centers: Mapping[str, Matrix]
    scales: Mapping[str, float]
    audio: AudioEncoding

    @classmethod
    def fit(cls, songs: pd.DataFrame, weights: Mapping[str, float]) -> Encoding:
        """Learn means and scales from songs as `song_features` gives them."""
        centers = {}
        for part, column in VECTORS.items():
            known = songs[column].dropna()
            centers[part] = np.mean(np.stack(known.to_list()), axis=0) if len(known) else np.zeros(0)
        plain = cls(centers, dict.fromkeys([*VECTORS, AUDIO], 1.0), AudioEncoding.fit(songs))
        scales = {}
        for part, rows in plain._parts(songs).items():
            squares = (rows**2).sum(axis=1)
            squares = squares[squares > 0]
            scales[part] = float(np.sqrt(weights[part] / squares.mean())) if len(squares) else 0.0
        return cls(centers, scales, plain.audio)

    def transform(self, songs: pd.DataFrame) -> Matrix:
        """One row for each song; no NaN."""
        return np.hstack([self.scales[part] * rows for part, rows in self._parts(songs).items()])

    def _parts(self, songs: pd.DataFrame) -> dict[str, Matrix]:
        parts = {part: _centered(songs[column], self.centers[part]) for part, column in VECTORS.items()}
        return {**parts, AUDIO: self.audio.transform(songs)}


def _centered(vectors: pd.Series, center: Matrix) -> Matrix:
    rows = np.zeros((len(vectors), len(center)))
    known = vectors.notna().to_numpy()
    if known.any() and len(center):
        rows[known] = np.stack(vectors[known].to_list()) - center
    return rows
