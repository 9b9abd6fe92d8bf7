"""The features that songs are clustered by, as a table and as rows of numbers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES, continuous_features, one_hot_features

Matrix: TypeAlias = NDArray[np.float64]


def song_features(songs: DataFrame, vector: str, audio: DataFrame) -> DataFrame:
    """The features of each song: song_id, vector (array<float>), and the twelve audio features or nulls.

    `songs` is `moods` with `vector` "hidden", or `embeddings` with `vector` "embedding".
    """
    features = songs.select("song_id", F.col(vector).alias("vector"))
    return features.join(audio.select("song_id", *AUDIO_FEATURES), "song_id", "left")


@dataclass(frozen=True)
class Encoding:
    """Turns songs into rows of numbers: continuous features standardized, discrete ones one-hot.

    A feature that a song lacks gets the sample's mean, so that a gap makes songs neither alike nor unlike.
    """

    width: int  # of the vector
    means: Matrix  # of each continuous column in the sample
    scales: Matrix  # its standard deviation
    shares: Matrix  # of each one-hot column in the sample

    @classmethod
    def fit(cls, songs: pd.DataFrame) -> Encoding:
        """Learn means and deviations from songs as `song_features` gives them."""
        from sklearn.preprocessing import StandardScaler

        width = max((len(vector) for vector in songs["vector"] if vector is not None), default=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of a feature that no song has
            scaler = StandardScaler().fit(_continuous(songs, width))
            shares = np.nan_to_num(np.nanmean(one_hot_features(songs), axis=0))
        return cls(width, scaler.mean_, scaler.scale_, shares)

    def transform(self, songs: pd.DataFrame) -> Matrix:
        """One row for each song; no NaN."""
        continuous = np.nan_to_num((_continuous(songs, self.width) - self.means) / self.scales)
        discrete = one_hot_features(songs)
        return np.hstack([continuous, np.where(np.isnan(discrete), self.shares, discrete)])


def _continuous(songs: pd.DataFrame, width: int) -> Matrix:
    """Vectors and continuous audio features side by side; NaN where a song has none."""
    no_vector = np.full(width, np.nan)
    vectors = np.array([no_vector if vector is None else vector for vector in songs["vector"]], dtype=float)
    return np.hstack([vectors, continuous_features(songs)])
