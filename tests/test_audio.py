"""audio: values out of range are null, and discrete features become one-hot columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from songmood.audio import (
    AUDIO_FEATURES,
    CONTINUOUS_AUDIO_FEATURES,
    RANGES,
    continuous_features,
    feature,
    one_hot_features,
)


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("energy", ["0", "0.5", "1.0", "1e-3"], [0.0, 0.5, 1.0, 0.001]),
        ("energy", ["-0.1", "1.01", "NaN", "Infinity", "loud", "", None], [None] * 7),
        ("loudness", ["-60.5", "3", "21", "-101"], [-60.5, 3.0, None, None]),
        ("tempo", ["120.4", "501"], [120.4, None]),
        ("key", ["0", "11", "5.0"], [0, 11, 5]),
        ("key", ["-1", "12", "5.5", "C", None], [None] * 5),  # -1: no key was found
        ("mode", ["0", "1", "2"], [0, 1, None]),
        ("time_signature", ["4", "13"], [4, None]),
    ],
)
def test_values_out_of_range_are_null(
    spark: SparkSession, name: str, texts: list[str | None], expected: list[float | None]
) -> None:
    rows = spark.createDataFrame(list(enumerate(texts)), f"number int, {name} string")
    found = rows.select("number", feature(name).alias("value")).orderBy("number").collect()
    assert [row["value"] for row in found] == expected
    assert [type(row["value"]) for row in found] == [type(value) for value in expected]


def test_every_feature_has_a_range() -> None:
    assert set(RANGES) == set(AUDIO_FEATURES)
    assert all(low < high for low, high in RANGES.values())


def test_features_of_songs_as_columns() -> None:
    songs = pd.DataFrame(
        [
            {**dict.fromkeys(AUDIO_FEATURES, 0), "energy": 0.5, "key": 11, "mode": 1, "time_signature": 4},
            {**dict.fromkeys(AUDIO_FEATURES, 0), "energy": None, "key": None},
        ]
    )
    continuous = continuous_features(songs)
    assert continuous.shape == (2, 9)
    energy = CONTINUOUS_AUDIO_FEATURES.index("energy")
    assert continuous[0, energy] == 0.5
    assert np.isnan(continuous[1]).nonzero()[0].tolist() == [energy]

    one_hot = one_hot_features(songs)
    assert one_hot.shape == (2, 12 + 2 + 8)
    assert one_hot[0].nonzero()[0].tolist() == [11, 12 + 1, 12 + 2 + 4]
    assert np.isnan(one_hot[1, :12]).all()
    assert one_hot[1, 12:].nonzero()[0].tolist() == [0, 2]
    assert one_hot_features(songs[:0]).shape == (0, 22)
