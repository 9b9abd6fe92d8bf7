"""The files of audio features of a corpus."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from songmood.audio import AUDIO_FEATURES
from songmood.corpus.flat import lacks_key, read_flat, with_problems
from songmood.corpus.values import read_spotify_id

AUDIO_COLUMNS = ("spotify_id", "artist", "title", *AUDIO_FEATURES)


def read_audio_features(spark: SparkSession, files: Sequence[str], max_bytes: int) -> DataFrame:
    """The records of flat files of audio features, with AUDIO_COLUMNS as strings; see `read_flat`."""
    read = read_flat(spark, "audio_features", files, AUDIO_COLUMNS, (), max_bytes)
    return with_problems(
        read.withColumn("spotify_id", read_spotify_id("spotify_id")), lacks_key("spotify_id")
    )
