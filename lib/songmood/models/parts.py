"""The parts of a song as arrays of numbers, for the heads: NaN where a song lacks a part."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from songmood.audio import continuous_features, one_hot_features

Array = npt.NDArray[np.float32]

# Some numbers of encoders are constant. Scaled up to deviation 1, they would drown the rest as soon as tuning
# moves them. float32 near 1 rounds in the seventh digit.
_SMALLEST_DEVIATION = 1e-6


def audio_numbers(songs: pd.DataFrame) -> Array:
    """The audio features: nine numbers, then key, mode and time_signature one-hot; NaN where missing."""
    return np.hstack([continuous_features(songs), one_hot_features(songs)]).astype(np.float32)


def mean_and_deviation(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The mean and deviation of each column of numbers (songs, width), leaving out what is not finite.

    Without any finite number they are 0 and 1. The deviation of a constant is 1, and a column that varies
    less than `_SMALLEST_DEVIATION` counts as constant, as rounding varies that much.
    """
    finite = np.isfinite(values)
    values, counts = np.where(finite, values, 0).astype(np.float64), np.maximum(finite.sum(axis=0), 1)
    mean = values.sum(axis=0) / counts
    deviation = np.sqrt((np.where(finite, values - mean, 0) ** 2).sum(axis=0) / counts)
    return mean, np.where(deviation < _SMALLEST_DEVIATION, 1, deviation)


def count_topics(songs: pd.DataFrame) -> int:
    """The number of topics; 0 if no song has topic weights."""
    return max((len(row) for row in songs["topic_weights"] if is_list(row)), default=0)


def is_list(row: Any) -> bool:
    """Whether a cell of an array column holds an array."""
    return isinstance(row, list | tuple | np.ndarray)


def stack(rows: pd.Series[Any], width: int) -> Array:
    """Lists of numbers as an array (songs, width); NaN where a song has none."""
    values = np.full((len(rows), width), np.nan, dtype=np.float32)
    for i, row in enumerate(rows):
        if is_list(row) and len(row) == width:
            values[i] = np.asarray(row, dtype=np.float32)
    return values


def has_text(songs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which songs have lyrics that are not blank."""
    return np.array([isinstance(text, str) and bool(text.strip()) for text in songs["lyrics"]], dtype=bool)
