"""The table `songs`, and the rejected records, from the records of song files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from songmood.corpus.fields import SOURCES
from songmood.corpus.lines import filled, object_id
from songmood.corpus.records import Records
from songmood.corpus.values import (
    read_language,
    read_number,
    read_seconds,
    read_spotify_id,
    read_track_number,
    read_year,
)
from songmood.names.normalize import unescaped
from songmood.tables import SONGS

_SEVERAL = ("language", "track_number")  # read from the first of their fields that has a value that counts
DUPLICATE = "duplicate_song_id"  # the only reason to reject a record that can be read


class Songs(NamedTuple):
    """The tables `songs` and `rejects`. Both come from `checked`, which should be computed once."""

    songs: DataFrame
    rejects: DataFrame
    checked: DataFrame


def make_songs(records: Records) -> Songs:
    """The table of songs, and the rejected records with the reason.

    Songs in JSON get a missing album, year and artist from the album and artist records. Songs in CSV and
    Parquet do not. Of several records with the same song id, the first by file and hash is kept, and the
    others are rejects. All values are read from strings: an empty string is null, and so is a string that
    is not a number or a year where one belongs.
    """
    checked = _checked(_with_values(_all_songs(records)))
    songs = checked.where("problem IS NULL").select(*SONGS.column_names)
    without_id = F.coalesce("problem", F.when(F.col("_id").isNull(), "no_id"))
    described = [records.albums, records.artists]
    frames = [frame.withColumn("problem", without_id) for frame in described if frame is not None]
    return Songs(songs, _rejects([checked, *frames]), checked)


def _with_values(songs: DataFrame) -> DataFrame:
    """Song records with the values that their strings stand for."""
    return songs.withColumns(
        {
            **{name: filled(unescaped(F.col(name))) for name in ("artist", "title", "album")},
            "song_id": object_id(F.col("song_id")),
            "track_number": read_track_number(*SOURCES["track_number"]),
            "year": read_year("year"),
            "spotify_id": read_spotify_id("spotify_id"),
            "isrc": F.upper(F.regexp_replace("isrc", r"[\s-]", "")),
            "language": read_language("language_detect", "language"),
            "duration_s": read_seconds("duration_s"),
            "popularity": read_number("popularity").cast("long"),
        }
    )


def _checked(songs: DataFrame) -> DataFrame:
    """Song records with the problem of each that is rejected: no id, or the id of a record before it."""
    same_id = Window.partitionBy(F.coalesce("song_id", "record_hash")).orderBy(
        F.col("problem").asc_nulls_first(), "source", "record_hash"
    )
    problem = F.coalesce(
        "problem",
        F.when(F.col("song_id").isNull(), "no_song_id"),
        F.when(F.row_number().over(same_id) > 1, DUPLICATE),
    )
    return songs.select(problem.alias("problem"), "source", "record_hash", "raw", *SONGS.column_names)


def _rejects(frames: Sequence[DataFrame]) -> DataFrame:
    """Table `rejects`: the records that have a problem."""
    problems = [
        frame.where("problem IS NOT NULL").select("source", "record_hash", "raw", "problem")
        for frame in frames
    ]
    return (
        reduce(DataFrame.unionByName, problems)
        .groupBy("source", "record_hash")
        .agg(F.min("problem").alias("reason"), F.count("*").alias("count"), F.min("raw").alias("raw"))
    )


def _all_songs(records: Records) -> DataFrame:
    """All song records, under the names of table `songs`."""
    frames = [] if records.songs is None else [_as_songs(records.songs)]
    if records.json_songs is not None:
        songs = _as_songs(records.json_songs)
        if records.albums is not None:
            songs = _with_albums(songs, _as_albums(records.albums, records.artists))
        frames.append(songs)
    return reduce(DataFrame.unionByName, frames)


def _as_albums(albums: DataFrame, artists: DataFrame | None) -> DataFrame:
    """The artist, title and date of each album; the artist is that of the artist records, if they have it."""
    keyed = _first_of_each_id(albums, "album_key")
    artist = F.col("name")
    if artists is not None:
        keyed = keyed.withColumn("artist_key", object_id(F.col("id_artist")))
        names = _first_of_each_id(artists, "artist_key").select(
            "artist_key", F.col("name").alias("artist_name")
        )
        keyed = keyed.join(names, "artist_key", "left")
        artist = F.coalesce("artist_name", "name")
    return keyed.select(
        F.col("album_key").alias("album_id"),
        artist.alias("album_artist"),
        F.col("title").alias("album_title"),
        F.col("publicationDate").alias("album_date"),
    )


def _with_albums(songs: DataFrame, albums: DataFrame) -> DataFrame:
    """Songs with a missing artist, album and year from their album."""
    completed = {
        "artist": F.coalesce("artist", "album_artist"),
        "album": F.coalesce("album", "album_title"),
        "year": F.coalesce("year", "album_date"),
    }
    joined = songs.join(albums, "album_id", "left").withColumns(completed)
    return joined.drop("album_artist", "album_title", "album_date")


def _as_songs(records: DataFrame) -> DataFrame:
    names = {name: F.coalesce(*sources) for name, sources in SOURCES.items() if name not in _SEVERAL}
    return records.withColumns({**names, "album_id": object_id(F.coalesce(*SOURCES["album_id"]))})


def _first_of_each_id(records: DataFrame, key: str) -> DataFrame:
    """One record for each id, which becomes the column `key`; of several records the first by content."""
    fields = [name for name in records.columns if name not in ("source", "raw", "record_hash", "problem")]
    keyed = records.where("problem IS NULL").withColumn(key, object_id(F.col("_id")))
    return (
        keyed.where(f"{key} IS NOT NULL")
        .groupBy(key)
        .agg(F.min(F.struct(*fields)).alias("record"))
        .select(key, "record.*")
    )
