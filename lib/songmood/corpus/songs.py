"""The table `songs`, and the rejected records, from the records of song files."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from songmood.corpus.columns import Facts, facts_of_record, fit_facts
from songmood.corpus.fields import SOURCES
from songmood.corpus.lengths import read_seconds
from songmood.corpus.records import Records
from songmood.corpus.rejects import rejects
from songmood.corpus.values import (
    read_id,
    read_isrc,
    read_language,
    read_number,
    read_spotify_id,
    read_track_number,
    read_uuid,
    read_year,
    stripped,
    year_at_end,
)
from songmood.names.normalize import unescaped
from songmood.tables import SONGS

_READ_IDS = {
    **dict.fromkeys(("song_id", "album_id", "lastfm_id"), read_id),
    **{"spotify_id": read_spotify_id, "isrc": read_isrc, "musicbrainz_id": read_uuid},
}
_SEVERAL = ("language", "track_number")  # their functions read several fields
DUPLICATE = "duplicate_song_id"  # the only reason to reject a record that can be read


class Songs(NamedTuple):
    """The tables `songs` and `rejects`. Both come from `checked`, which is computed once and kept on disk."""

    songs: DataFrame
    rejects: DataFrame
    checked: DataFrame


def make_songs(records: Records) -> Songs:
    """The table of songs, and the rejected records with the reason.

    Songs in JSON get a missing album, year and artist from the album and artist records. Songs in CSV and
    Parquet do not. Of several records with the same song id, the first by file and hash is kept, and the
    others are rejects. All values are read from strings: an empty string is null, and so is a string that
    is not a number or a year where one belongs. What a length or a year means, the other values of its
    column tell, so all records are read once before.
    """
    checked = _checked(_with_values(_all_songs(records))).persist(StorageLevel.DISK_ONLY)
    songs = _with_facts(checked.where("problem IS NULL"), fit_facts(checked)).select(*SONGS.column_names)
    without_id = F.coalesce("problem", F.when(F.col("_id").isNull(), "no_id"))
    described = [records.albums, records.artists]
    frames = [frame.withColumn("problem", without_id) for frame in described if frame is not None]
    return Songs(songs, rejects([checked, *frames]), checked)


def _with_values(songs: DataFrame) -> DataFrame:
    """Song records with their names, languages and numbers; lengths and years are still texts."""
    return songs.withColumns(
        {
            **{name: stripped(unescaped(F.col(name))) for name in ("artist", "title", "album")},
            "track_number": read_track_number(*SOURCES["track_number"]),
            "language": read_language("language_detect", "language"),
            "popularity": read_number("popularity").cast("long"),
        }
    )


def _with_facts(songs: DataFrame, facts: Facts) -> DataFrame:
    """Song records with their length and year, as the columns of their files write them.

    A year in brackets at the end of the album's name is the year of a song that has no other. An album that
    is nothing but a year in brackets has no name.
    """
    known = facts_of_record(facts)
    year = F.coalesce(read_year("year", short=known["short_years"]), year_at_end("album"))
    return songs.withColumns(
        {
            "duration_s": read_seconds("duration_s", known["length"]),
            "year": year,
            "album": F.when(~F.col("album").rlike(r"^[(\[]\s*\d{4}\s*[)\]]$"), F.col("album")),
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
        keyed = keyed.withColumn("artist_key", read_id("id_artist"))
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
    """Song records under the names of table `songs`, with their ids and the texts of other values."""
    return records.withColumns(
        {
            name: F.coalesce(*map(_READ_IDS.get(name, F.col), sources))
            for name, sources in SOURCES.items()
            if name not in _SEVERAL
        }
    )


def _first_of_each_id(records: DataFrame, key: str) -> DataFrame:
    """One record for each id, which becomes the column `key`; of several records the first by content."""
    fields = [name for name in records.columns if name not in ("source", "raw", "record_hash", "problem")]
    keyed = records.where("problem IS NULL").withColumn(key, read_id("_id"))
    return (
        keyed.where(f"{key} IS NOT NULL")
        .groupBy(key)
        .agg(F.min(F.struct(*fields)).alias("record"))
        .select(key, "record.*")
    )
