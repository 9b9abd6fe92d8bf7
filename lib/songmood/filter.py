"""filter: keep the songs that have the ids and languages asked for (paper 3.1)."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.config import Filter


class Filtered(NamedTuple):
    """The songs kept, and for each other one the first reason that applies."""

    filtered: DataFrame
    dropped: DataFrame


def filter_songs(songs: DataFrame, settings: Filter) -> Filtered:
    """Songs with every id of `required_ids`, in one of `languages`; an empty list asks for nothing.

    drop_reason is the first that applies of no_spotify_id, no_lastfm_id, other_language, no_language.
    """
    nothing = F.lit(None).cast("string")
    reasons = [
        F.when(F.col(name).isNull(), f"no_{name}")
        for name in ("spotify_id", "lastfm_id")
        if name in settings.required_ids
    ]
    if settings.languages:
        languages = [language.lower() for language in settings.languages]
        reasons += [
            F.when(~F.col("language").isin(languages), "other_language"),
            F.when(F.col("language").isNull(), "no_language"),
        ]
    reasoned = songs.withColumn("drop_reason", F.coalesce(nothing, *reasons))
    dropped = reasoned.where("drop_reason IS NOT NULL")
    return Filtered(
        filtered=reasoned.where("drop_reason IS NULL").drop("drop_reason"),
        dropped=dropped.select(F.lit("filter").alias("step"), "song_id", "drop_reason"),
    )
