"""The table of names to compare: the names of each record (parse.py), and what else is compared.

A record often has a name in the wrong field: the artist or the album in the title, every value one field
too far. Which text is an artist or an album is learned from the corpus: another record has it in that field.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from songmood.corpus.lengths import LengthUnits, read_seconds
from songmood.corpus.values import read_track_number
from songmood.names.normalize import mapped, normalize_artist, normalized_artist
from songmood.names.words import LOST
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.parse import (
    Name,
    album_name,
    album_version,
    names_beside_album,
    parse_name,
    possible_albums,
    possible_artists,
)
from songmood.tables import OTHER_IDS

_TEXTS = ("album", "language", *OTHER_IDS)
_WITH_PARTS = r"[-/|~:;(\[{]| by "  # a title that may have another name in it
_ANYONE = " "  # stands for every name beside an album; names are never blank
_NUMBER_OR_LENGTH = r"^[\d.,:]+( ?(ms|s|sec|m|min)\b[\d. ]*(s|sec)?)?$"


def iterate_names(songs: DataFrame, settings: DedupeSettings) -> DataFrame:
    """Songs as names to compare, by the following functions.

    Their results are checkpoints, because what reads a frame four times would have four times its plan.
    """
    rows = songs_with_artists(songs, settings).checkpoint()
    return compared_names(rows, names_in_titles(rows).checkpoint(), settings).checkpoint()


def songs_with_artists(songs: DataFrame, settings: DedupeSettings) -> DataFrame:
    """The fields of songs that are compared, where songs without an artist have one as far as possible.

    It is the first part of the title, between dashes, slashes and colons, that is the artist of another
    song. The next two functions read it four times, so it is worth keeping.
    """
    rows = songs.select(
        "song_id", "artist", "title", "duration_s", F.col("year").cast("double").alias("year"),
        F.col("track_number").cast("double").alias("track_number"),
        *(F.coalesce(name, F.lit("")).alias(name) for name in _TEXTS),
    )  # fmt: skip
    return _with_artists(rows, _nameless(settings))


def names_in_titles(rows: DataFrame) -> DataFrame:
    """Each name in a title that may be an album: song_id, place in the title, name, and a name beside it."""
    titles = rows.where(F.col("title").rlike(_WITH_PARTS)).select("song_id", "artist", "title")
    return titles.mapInPandas(
        partial(_album_batches), "song_id string, place int, name string, beside string"
    )


def compared_names(rows: DataFrame, titles: DataFrame, settings: DedupeSettings) -> DataFrame:
    """Names to compare, of the results of both functions above.

    Columns: song_id, the fields of Name and the other fields of sides.py. What stands after the title and is
    an album of the same artist, or of a song of that title, is the song's album. `common_title` says whether
    several artists have a title of that name. `album` is '' if more than `dedupe.max_album_songs` songs of
    one artist, or of as many artists, have it ('Other Songs' is not an album). Texts are never null.
    """
    names = [StructField(name, StringType()) for name in Name._fields]
    kept = [field for field in rows.schema.fields if field.name not in ("artist", "title")]
    version = StructField("album_version", StringType())
    found = _albums_in_titles(rows, titles, settings.max_album_songs)
    rows = rows.join(found, "song_id", "left").fillna("", "found_album")
    named = rows.mapInPandas(
        partial(_parse_batches, nameless=_nameless(settings)), StructType([*names, *kept, version])
    )
    of_title, artist = Window.partitionBy("key"), F.nullif("artist", F.lit(""))
    several = F.min(artist).over(of_title) < F.max(artist).over(of_title)
    alone = F.when(F.col("album") == "", F.col("song_id"))  # songs without an album do not share one
    artists = F.approx_count_distinct("artist").over(Window.partitionBy("album", alone))
    of_artist = F.count("*").over(Window.partitionBy("album", "artist", alone))
    is_large = (artists > settings.max_album_songs) | (
        (of_artist > settings.max_album_songs) & (F.col("artist") != "")
    )
    album = F.when(~is_large, F.col("album")).otherwise("")
    return named.withColumns({"common_title": F.coalesce(several, F.lit(False)), "album": album})


def _nameless(settings: DedupeSettings) -> frozenset[str]:
    return frozenset(LOST).union(normalize_artist(name) for name in settings.nameless_artists)


def _with_artists(songs: DataFrame, nameless: frozenset[str]) -> DataFrame:
    """The songs, in which those without an artist have the one that their title or album names.

    A number or a length is an artist only if several songs have it. Where one song has it and the album is
    the artist of another song, every value of the song stands one field too early.
    """
    artists = songs.groupBy("artist").agg(F.count("*").alias("songs"))
    is_value = F.coalesce(F.col("artist").rlike(_NUMBER_OR_LENGTH) & (F.col("songs") == 1), F.lit(False))
    is_name = (F.col("name") != "") & ~F.col("name").isin(*nameless) & ~is_value
    artists = artists.withColumn("name", normalized_artist(F.col("artist"))).select(
        F.col("artist").alias("by"), "name", is_value.alias("is_value"), is_name.alias("is_name")
    )
    unnamed = artists.where("NOT is_name").drop("name", "is_name")
    parts = mapped(possible_artists, F.col("title"), kind="array<string>")
    album = F.when(F.col("is_value"), normalized_artist(F.col("album")))
    without = songs.join(unnamed, F.col("artist").eqNullSafe(F.col("by")))
    without = without.select("song_id", parts.alias("parts"), album.alias("album_artist"))
    possible = without.select(
        "song_id", F.size("parts").alias("parts"),
        F.posexplode(F.array_append("parts", F.col("album_artist"))).alias("place", "name"),
    )  # fmt: skip
    names = artists.where("is_name").select("name").distinct()
    first = F.struct(F.col("name").alias("artist"), (F.col("place") == F.col("parts")).alias("early"))
    found = possible.join(names, "name").groupBy("song_id").agg(F.min_by(first, "place").alias("found"))
    units = [F.lit(value).alias(name) for name, value in LengthUnits()._asdict().items()]
    moved = {
        "title": F.lit(None),
        "album": F.lit(""),
        "duration_s": read_seconds("artist", F.struct(*units)),
        "track_number": read_track_number("title").cast("double"),
    }
    early = F.coalesce("found.early", F.lit(False))
    values = {name: F.when(early, value).otherwise(F.col(name)) for name, value in moved.items()}
    values["artist"] = F.coalesce("found.artist", "artist")
    return songs.join(found, "song_id", "left").withColumns(values).drop("found")


def _albums_in_titles(songs: DataFrame, titles: DataFrame, most_artists: int) -> DataFrame:
    """song_id and the `found_album` in the title, for songs whose title has an album of the corpus after it.

    The album has another song that is by the same artist or has the title before it. One that is of more
    artists ('Other Songs') may be anyone's.
    """
    albums = songs.groupBy("album").agg(F.approx_count_distinct("artist").alias("artists"))
    albums = albums.withColumn("name", mapped(album_name, F.col("album")))
    albums = albums.join(titles.select("name").distinct(), "name")
    is_anyones = F.col("artists") > most_artists
    texts = [F.when(~is_anyones, F.col(name)) for name in ("artist", "title")]
    beside = mapped(names_beside_album, *texts, kind="array<string>")
    beside = F.concat(beside, F.when(is_anyones, F.array(F.lit(_ANYONE))).otherwise(F.array()))
    known = songs.join(albums, "album").select("name", F.explode(beside).alias("beside")).distinct()
    found = titles.join(known, ["name", "beside"])
    return found.groupBy("song_id").agg(F.min_by("name", "place").alias("found_album"))


def _album_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """For each name that may be an album, by its place in the title, the names that may be beside it."""
    for songs in batches:
        rows = [
            (song, place, album, beside)
            for song, artist, title in songs.itertuples(index=False)
            for place, (before, album) in enumerate(possible_albums(title))
            for beside in {normalize_artist(artist), before, _ANYONE} - {""}
        ]
        yield pd.DataFrame(rows, columns=["song_id", "place", "name", "beside"])


def _parse_batches(batches: Iterator[pd.DataFrame], nameless: frozenset[str]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        albums = rows["album"].map(album_name)
        fields = zip(
            rows["artist"], rows["title"], albums, rows["found_album"], rows["track_number"], strict=True
        )
        names = [
            parse_name(artist, title, nameless, (album, found), track)
            for artist, title, album, found, track in fields
        ]
        parsed = pd.DataFrame(names, columns=Name._fields, index=rows.index)
        albums = albums.where(albums != "", rows["found_album"])
        by_artist = zip(albums, names, strict=True)
        albums = pd.Series(
            [album.removeprefix(f"{name.artist} ") for album, name in by_artist], index=rows.index
        )
        kept = rows.drop(columns=["artist", "title", "found_album"])
        yield pd.concat([parsed, kept.assign(album=albums, album_version=albums.map(album_version))], axis=1)
