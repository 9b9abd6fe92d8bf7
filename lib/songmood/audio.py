"""The twelve audio features of Spotify: their ranges, and what is discrete as one-hot columns."""

from __future__ import annotations

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

# What a feature can be; a value outside is a fault of its source and becomes null. Spotify's key -1 says
# that no key was found. Loudness is in dB, tempo in beats a minute; mode is 0 or 1, and the others are shares.
RANGES = dict.fromkeys(AUDIO_FEATURES, (0.0, 1.0)) | {
    "key": (0.0, 11.0),
    "loudness": (-100.0, 20.0),
    "tempo": (0.0, 500.0),
    "time_signature": (0.0, 12.0),
}

# How many values, from 0, get a column of their own: pitch classes, minor or major, beats in a bar.
_LEVELS = {"key": 12, "mode": 2, "time_signature": 8}

Doubles = npt.NDArray[np.float64]


def feature(name: str) -> Column:
    """An audio feature as a number of the table's type; null where it is not a number, or out of its range."""
    low, high = RANGES[name]
    value = F.expr(f"try_cast({name} AS double)")
    valid = value.between(low, high)  # NaN is greater than any number
    if name in DISCRETE_AUDIO_FEATURES:
        return F.when(valid & (value == F.floor(value)), value.cast("int"))
    return F.when(valid, value)


def continuous_features(songs: Any) -> Doubles:
    """The nine continuous features of a pandas frame, (songs, 9); NaN where a song lacks one."""
    return np.asarray(songs[list(CONTINUOUS_AUDIO_FEATURES)].astype("float64").to_numpy())


def one_hot_features(songs: Any) -> Doubles:
    """A column of 0 and 1 for each value of each discrete feature, (songs, 22); NaN where a song lacks it."""
    columns = []
    for name, levels in _LEVELS.items():
        values = songs[[name]].astype("float64").to_numpy()
        columns.append(np.where(np.isnan(values), np.nan, values == np.arange(levels)))
    return np.hstack(columns)
