"""One row for each song, with all that it is compared by and all that a list of songs depends on."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce
from operator import or_

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES
from songmood.names.normalize import normalize_artist, normalized_artist


def song_parts(
    deduped: DataFrame,
    song_terms: DataFrame,
    embeddings: DataFrame,
    moods: DataFrame,
    audio_features: DataFrame,
    clusters: DataFrame,
    works: DataFrame,
    nameless_artists: Collection[str],
) -> DataFrame:
    """A row for each song of `deduped`; null where it lacks something. `works` come from `find_works`.

    A name of `nameless_artists` is that of nobody, so that songs by 'Traditional' have no artist in common.
    listed is false for a song that is one of many of a work: it gets recommendations and is never one.
    """
    artist = normalized_artist(F.col("artist"))
    nobody = ["", *(normalize_artist(name) for name in nameless_artists)]
    parts = (
        song_terms,
        embeddings.select("song_id", "embedding"),
        moods.select(
            *("song_id", "mood", "probabilities", "hidden"),
            F.element_at("probabilities", F.col("mood")).alias("probability"),
        ),
        audio_features.select("song_id", *AUDIO_FEATURES),
        clusters.select("song_id", "cluster"),
        works,
    )
    songs = deduped.select(
        "song_id", F.when(~artist.isin(nobody), artist).alias("artist"), "album", "year", "popularity"
    )
    for part in parts:
        songs = songs.join(part, "song_id", "left")
    return songs.withColumn("listed", F.coalesce("listed", F.lit(True)))


def has_parts() -> Column:
    """Whether a song of `song_parts` has anything that it can be compared by."""
    names = ("terms", "embedding", "hidden", *AUDIO_FEATURES)
    return reduce(or_, (F.col(name).isNotNull() for name in names))


def without_recommendations(songs: DataFrame, recommendations: DataFrame) -> DataFrame:
    """The table `songs_without_recommendations`, from all songs of `song_parts`."""
    missing = songs.join(
        recommendations.select(F.col("seed_song_id").alias("song_id")), "song_id", "left_anti"
    )
    reason = F.when(has_parts(), "none_allowed").otherwise("nothing_known")
    return missing.select("song_id", reason.alias("reason"))


def fetch_vocabulary(lyric_index: DataFrame) -> pd.Index:
    """The terms of the index, in alphabetical order."""
    terms: pd.Series[str] = lyric_index.select("term").toPandas()["term"]
    return pd.Index(terms.sort_values(), name="term")


def fetch_names(cluster_profiles: DataFrame) -> dict[int, str]:
    """The name of each cluster."""
    return {row.cluster: row.name for row in cluster_profiles.select("cluster", "name").collect()}


def fetch_songs(drawn: DataFrame) -> pd.DataFrame:
    """A few of the songs of `song_parts` on the driver, in the order of their ids."""
    songs: pd.DataFrame = drawn.toPandas()
    return songs.sort_values("song_id", ignore_index=True)
