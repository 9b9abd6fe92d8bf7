"""audio: values out of range are null, and discrete features become one-hot columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from songmood.audio import (
    AUDIO_FEATURES,
    CONTINUOUS_AUDIO_FEATURES,
    RANGES,
    continuous_features,
    feature,
    one_hot_features,
)


def read(spark: SparkSession, rows: list[dict[str, str | None]]) -> list[dict[str, float | None]]:
    """The features of rows as files have them."""
    cells = [(number, *(row.get(name) for name in AUDIO_FEATURES)) for number, row in enumerate(rows)]
    schema = ", ".join(["number int", *(f"{name} string" for name in AUDIO_FEATURES)])
    features = [feature(name).alias(name) for name in AUDIO_FEATURES]
    found = spark.createDataFrame(cells, schema).select("number", *features).orderBy("number").collect()
    return [{name: row[name] for name in AUDIO_FEATURES} for row in found]


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("energy", ["0", "0.5", "1.0", "1e-3"], [0.0, 0.5, 1.0, 0.001]),
        ("energy", ["-0.1", "1.01", "NaN", "Infinity", "loud", "", None], [None] * 7),
        ("loudness", ["-60.5", "3", "21", "-101"], [-60.5, 3.0, None, None]),
        ("loudness", ["0", "0.0"], [0.0, 0.0]),  # loud, and with a beat
        ("valence", ["0", "0.0"], [0.0, 0.0]),
        ("acousticness", ["0", "-0.0"], [0.0, 0.0]),
        ("instrumentalness", ["0", "1e-6"], [0.0, 1e-6]),
        ("tempo", ["120.4", "501", "0", "0.000", "-0.0", "-1"], [120.4, *[None] * 5]),
        ("danceability", ["0.5", "0", "0.0"], [0.5, None, None]),
        ("speechiness", ["0.03", "0"], [0.03, None]),
        ("liveness", ["0.1", "0e0"], [0.1, None]),
        ("key", ["0", "11", "5.0"], [0, 11, 5]),
        ("key", ["-1", "12", "5.5", "C", None], [None] * 5),  # -1: no key was found
        ("mode", ["0", "1", "2"], [0, 1, None]),
        ("time_signature", ["4", "1", "13", "0", "0.0", "-1"], [4, 1, None, None, None, None]),
    ],
)
def test_values_out_of_range_are_null(
    spark: SparkSession, name: str, texts: list[str | None], expected: list[float | None]
) -> None:
    found = [row[name] for row in read(spark, [{name: text} for text in texts])]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


MAY_BE_ZERO = ("acousticness", "energy", "instrumentalness", "loudness", "valence")
ALL_ZERO = dict.fromkeys(AUDIO_FEATURES, "0")


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (ALL_ZERO, {}),
        (
            {**ALL_ZERO, "tempo": "120"},
            {**dict.fromkeys(MAY_BE_ZERO, 0.0), "key": 0, "mode": 0, "tempo": 120.0},
        ),
        ({**ALL_ZERO, "loudness": "-60.0"}, {"loudness": -60.0}),  # silence
        # as Spotify has it for a song without a beat, whose key was found
        (
            {**ALL_ZERO, "key": "10", "energy": "0.4", "loudness": "-6.8", "liveness": "0.3"},
            {"key": 10, "mode": 0, "energy": 0.4, "loudness": -6.8, "liveness": 0.3},
        ),
        ({"key": "-1", "mode": "0", "tempo": "90"}, {"tempo": 90.0}),
        ({"key": "-1", "mode": "1"}, {"mode": 1}),
        ({"key": "0", "mode": "0", "tempo": "90"}, {"key": 0, "mode": 0, "tempo": 90.0}),
        ({"mode": "0", "tempo": "0"}, {}),
        ({"loudness": "0", "valence": "0", "tempo": "0.0"}, {}),
        ({"loudness": "0", "valence": "0", "tempo": None}, {"loudness": 0.0, "valence": 0.0}),
        ({"tempo": "85", "time_signature": "0", "valence": "0"}, {"tempo": 85.0, "valence": 0.0}),
    ],
)
def test_zeros_that_say_not_found_are_null(
    spark: SparkSession, row: dict[str, str | None], kept: dict[str, float]
) -> None:
    (found,) = read(spark, [row])
    measured = {name: value for name, value in found.items() if value is not None}
    assert measured == kept


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


def test_real_zeros_are_kept_where_they_are_measured(spark: SparkSession, shared_data: Path) -> None:
    file = shared_data / "wasabi-api" / "audio_features" / "audio_features.parquet"
    texts = [F.col(name).cast("string").alias(name) for name in AUDIO_FEATURES]
    rows = spark.read.parquet(f"file://{file}").select(*texts)
    nulls = [F.count_if(feature(name).isNull()).alias(name) for name in AUDIO_FEATURES]
    (found,) = rows.select(*nulls).collect()
    # one song has no beat, and two more no time signature
    without_beat = ("danceability", "instrumentalness", "speechiness", "tempo", "valence")
    assert {name: n for name, n in found.asDict().items() if n} == {
        **dict.fromkeys(without_beat, 1),
        "time_signature": 3,
    }
