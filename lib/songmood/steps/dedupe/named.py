"""The table of names to compare: the names of each record (parse.py), and what else is compared."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from songmood.names.normalize import normalize_artist, normalize_title, normalized_artist
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.parse import Name, parse_name, possible_artists


def name_songs(songs: DataFrame, settings: DedupeSettings) -> DataFrame:
    """Songs as names to compare: song_id, the fields of Name, and the other fields of compare.py.

    A song without an artist gets the first part of its title, between dashes, slashes and colons, that is
    the artist of another song. `common_title` says whether several artists have a title of that name.
    `album` is '' if it has more than `dedupe.max_album_songs` songs ('Other Songs' is not an album).
    Texts are never null.
    """
    nameless = frozenset(normalize_artist(name) for name in settings.nameless_artists)
    texts = ("album", "language", "isrc", "musicbrainz_id", "spotify_id", "lastfm_id")
    rows = songs.select(
        "song_id", "artist", "title", "duration_s", F.col("year").cast("double").alias("year"),
        *(F.coalesce(name, F.lit("")).alias(name) for name in texts),
    )  # fmt: skip
    names = [StructField(name, StringType()) for name in Name._fields]
    kept = [field for field in rows.schema.fields if field.name not in ("artist", "title")]
    rows = rows.join(_artists_in_titles(rows, nameless), "song_id", "left")
    named = rows.withColumn("artist", F.coalesce("found", "artist")).mapInPandas(
        partial(_parse_batches, nameless=nameless), StructType([*names, *kept])
    )
    of_title, artist = Window.partitionBy("key"), F.nullif("artist", F.lit(""))
    several = F.min(artist).over(of_title) < F.max(artist).over(of_title)
    # songs without an album do not share one
    of_album = Window.partitionBy("album", F.when(F.col("album") == "", F.col("song_id")))
    is_album = F.count("*").over(of_album) <= settings.max_album_songs
    album = F.when(is_album, F.col("album")).otherwise("")
    return named.withColumns({"common_title": F.coalesce(several, F.lit(False)), "album": album})


def _artists_in_titles(songs: DataFrame, nameless: frozenset[str]) -> DataFrame:
    """song_id and the artist `found` in the title, for songs that name none and whose title names one."""
    artists = songs.select("artist").distinct().withColumn("name", normalized_artist(F.col("artist")))
    is_name = (F.col("name") != "") & ~F.col("name").isin(*nameless)
    unnamed = artists.where(~is_name).select(F.col("artist").alias("no_name"))
    titles = songs.join(unnamed, F.col("artist").eqNullSafe(F.col("no_name"))).select("song_id", "title")

    def parts(titles: pd.Series) -> pd.Series:
        return titles.map(possible_artists)

    split: Column = pandas_udf(parts, ArrayType(StringType()))(F.col("title"))  # type: ignore[call-overload]
    possible = titles.select("song_id", F.posexplode(split).alias("place", "name"))
    names = artists.where(is_name).select("name").distinct()
    return possible.join(names, "name").groupBy("song_id").agg(F.min_by("name", "place").alias("found"))


def _parse_batches(batches: Iterator[pd.DataFrame], nameless: frozenset[str]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        names = [
            parse_name(artist, title, nameless, album)
            for artist, title, album in zip(rows["artist"], rows["title"], rows["album"], strict=True)
        ]
        parsed = pd.DataFrame(names, columns=Name._fields, index=rows.index)
        albums = [
            normalize_title(album).removeprefix(f"{name.artist} ") if name.artist else normalize_title(album)
            for album, name in zip(rows["album"], names, strict=True)
        ]
        yield pd.concat([parsed, rows.drop(columns=["artist", "title"]).assign(album=albums)], axis=1)
