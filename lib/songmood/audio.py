"""The twelve audio features of Spotify: their ranges, and discrete features as one-hot columns."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column
from pyspark.sql import functions as F

AUDIO_FEATURES = (
    "acousticness",
    "danceability",
    "energy",
    "instrumentalness",
    "key",
    "liveness",
    "loudness",
    "mode",
    "speechiness",
    "tempo",
    "time_signature",
    "valence",
)
DISCRETE_AUDIO_FEATURES = ("key", "mode", "time_signature")
CONTINUOUS_AUDIO_FEATURES = tuple(name for name in AUDIO_FEATURES if name not in DISCRETE_AUDIO_FEATURES)

# The range of each feature. A value outside becomes null, because its source is wrong; Spotify's key -1
# means that no key was found. Loudness is in dB and tempo in beats per minute; the others without a range
# of their own are 0 to 1. `feature` says which zeros are null.
RANGES = dict.fromkeys(AUDIO_FEATURES, (0.0, 1.0)) | {
    "key": (0.0, 11.0),
    "loudness": (-100.0, 20.0),
    "tempo": (0.0, 500.0),
    "time_signature": (0.0, 12.0),
}

# Of these features 0 always means that none was found: of 41,106 real songs only those without a beat have
# it. Valence, acousticness and instrumentalness are 0 for songs with all else, too.
_NEVER_ZERO = ("danceability", "liveness", "speechiness", "tempo", "time_signature")

# The number of values, from 0, that have a one-hot column: pitch classes, minor and major, beats in a bar.
_LEVELS = {"key": 12, "mode": 2, "time_signature": 8}

Doubles = npt.NDArray[np.float64]


def feature(name: str) -> Column:
    """An audio feature as a number of the table's type, in a frame with all twelve as text.

    It is null where it is not a number in its range, and where it is a 0 that means 'not found': always of
    danceability, liveness, speechiness, tempo and time_signature; where tempo is 0, for no beat was found,
    of all features; and of mode, where no key was found. Where only the beat is missing, mode is kept
    beside a key other than 0.
    """
    low, high = RANGES[name]
    value = _number(name)
    valid = value.between(low, high)  # never true of NaN, which Spark orders after all numbers
    if name in _NEVER_ZERO:
        valid &= value != 0
    else:
        valid &= (value != 0) | ~F.coalesce(_not_measured(name), F.lit(False))
    if name in DISCRETE_AUDIO_FEATURES:
        return F.when(valid & (value == F.floor(value)), value.cast("int"))
    return F.when(valid, value)


def _number(name: str) -> Column:
    return F.expr(f"try_cast({name} AS double)")


def _not_measured(name: str) -> Column:
    """Whether a 0 of a feature says nothing, by the features beside it."""
    no_beat, key = _number("tempo") == 0, F.coalesce(_number("key"), F.lit(0.0))
    return (key == -1) | (no_beat & (key == 0)) if name == "mode" else no_beat


def continuous_features(songs: Any) -> Doubles:
    """The nine continuous features of a pandas frame, (songs, 9); NaN where a feature is missing."""
    return np.asarray(songs[list(CONTINUOUS_AUDIO_FEATURES)].astype("float64").to_numpy())


def one_hot_features(songs: Any) -> Doubles:
    """A column of 0 and 1 for each value of each discrete feature, (songs, 22); NaN where it is missing."""
    columns = []
    for name, levels in _LEVELS.items():
        values = songs[[name]].astype("float64").to_numpy()
        columns.append(np.where(np.isnan(values), np.nan, values == np.arange(levels)))
    return np.hstack(columns)


@dataclass(frozen=True)
class AudioEncoding:
    """Turns audio features into rows of numbers that can be compared.

    A continuous feature is standardized. A discrete one is one-hot, less the share of each value, and scaled
    so that it varies as much as a continuous one. A feature that a song lacks is 0, its mean.
    """

    means: Doubles  # of each continuous feature
    deviations: Doubles
    shares: Doubles  # of each one-hot column
    spreads: Doubles  # the standard deviation of the discrete feature that the column is of

    @classmethod
    def empty(cls) -> AudioEncoding:
        """For a corpus without songs."""
        columns = sum(_LEVELS.values())
        few = np.zeros(len(CONTINUOUS_AUDIO_FEATURES))
        return cls(few, few + 1, np.zeros(columns), np.ones(columns))

    @classmethod
    def fit(cls, songs: Any) -> AudioEncoding:
        """Learn from a pandas frame with the twelve columns."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of a feature that no song has
            continuous = continuous_features(songs)
            means, deviations = np.nanmean(continuous, axis=0), np.nanstd(continuous, axis=0)
            shares = np.nan_to_num(np.nanmean(one_hot_features(songs), axis=0))
        edges = np.cumsum([0, *_LEVELS.values()])
        spread = [np.sqrt((part * (1 - part)).sum()) for part in np.split(shares, edges[1:-1])]
        spreads = np.repeat(spread, list(_LEVELS.values()))
        return cls(np.nan_to_num(means), _not_zero(deviations), shares, _not_zero(spreads))

    def transform(self, songs: Any) -> Doubles:
        """A row of 31 numbers for each song; no NaN."""
        continuous = (continuous_features(songs) - self.means) / self.deviations
        discrete = (one_hot_features(songs) - self.shares) / self.spreads
        return np.nan_to_num(np.hstack([continuous, discrete]))


def _not_zero(deviations: Doubles) -> Doubles:
    return np.where(np.nan_to_num(deviations) > 0, deviations, 1.0)
