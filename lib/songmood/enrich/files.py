"""What files have: their rows, and which of them is about a song."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from songmood import config
from songmood.enrich.clean import read_lyrics
from songmood.language import language_of
from songmood.matching import match_names, with_names
from songmood.tables import AUDIO_FEATURES, DISCRETE_AUDIO_FEATURES

# What is read of each flat part's files, and what of it a file with a header must have.
COLUMNS = {
    "audio_features": ("spotify_id", "artist", "title", *AUDIO_FEATURES),
    "lyrics": ("song_id", "artist", "title", "lyrics"),
}
REQUIRED = {"audio_features": (), "lyrics": ("lyrics",)}

# What a feature can be; what is outside is a fault of the file and becomes null. Spotify's key -1 says
# that none was found. Loudness is in dB, tempo in beats a minute; mode is 0 or 1, and the others shares.
RANGES = dict.fromkeys(AUDIO_FEATURES, (0.0, 1.0)) | {
    "key": (0.0, 11.0),
    "loudness": (-100.0, 20.0),
    "tempo": (0.0, 500.0),
    "time_signature": (0.0, 12.0),
}

# 'Artist:Title' and 'Artist - Title', as some titles have it; what only looks so matches nothing.
_JOINED = r"^(.+?)(?::| - )(.+)$"

# A text under a song's name that is surely in another language is another text: a translation.
SURE, FEWEST_FOR_LANGUAGE = 0.99, 20  # probability, words


def find_rows(
    versions: DataFrame, rows: DataFrame, conf: config.Enrich, *, heed_live: bool = True
) -> DataFrame:
    """For each song the row of a source that is about it: by id, or else by artist and title.

    `versions` as `song_versions` gives them with `row_id`, the id by which the source may know them;
    `rows` has row_id, artist, title and content. Where several rows fit, the representative's own goes
    first, then the least in order. A title may hold the artist, too ('Artist:Title'). Without
    `heed_live`, a live version or a mix is the song itself.

    Returns every song_id, row (the content, or null), title and artist (as the row has them) and score
    (as in match_names), null when found by id, and near_miss (text for people, of a name refused).
    """
    # an id that is not there must meet nothing, and not all in one partition
    row_id = F.coalesce("row_id", F.concat(F.lit("no id: "), "version_id"))
    own = F.struct(
        (F.col("version_id") != F.col("song_id")).alias("merged"), "version_id", F.col("content").alias("row")
    )
    by_id = (
        versions.withColumn("row_id", row_id)
        .join(rows.select("row_id", "content"), "row_id", "left")
        .groupBy("song_id")
        .agg(
            F.min(F.when(F.col("content").isNotNull(), own))["row"].alias("own"),
            F.collect_set(F.struct("title", "artist")).alias("names"),
        )
    )
    sought = by_id.where("own IS NULL").select("song_id", F.inline("names"))
    sought = sought.union(
        sought.where(F.col("title").rlike(_JOINED)).select(
            "song_id", F.regexp_extract("title", _JOINED, 2), F.regexp_extract("title", _JOINED, 1)
        )
    )
    named = rows.where("title IS NOT NULL AND artist IS NOT NULL").groupBy("title", "artist")
    contents = named.agg(F.min("content").alias("named"))
    matches = match_names(
        with_names(sought, heed_live=heed_live),
        with_names(contents.select("title", "artist"), heed_live=heed_live),
        conf,
        heed_live=heed_live,
    )
    spelled = (F.col("match_title") == F.col("title")) & (F.col("match_artist") == F.col("artist"))
    by_name = matches.join(contents, spelled).drop("title", "artist")
    accepted = F.col("accepted")
    nearest = F.format_string("nearest: '%s' by '%s' (%s)", "match_title", "match_artist", "difference")
    return by_id.join(by_name, "song_id", "left").select(
        "song_id",
        F.coalesce("own", F.when(accepted, F.col("named"))).alias("row"),
        *(F.when(accepted, F.col(f"match_{part}")).alias(part) for part in ("title", "artist", "score")),
        F.when(~accepted, nearest).alias("near_miss"),
    )


def audio_rows(audio_features: DataFrame) -> DataFrame:
    """Rows of audio features for `find_rows`; those of which no feature is within its range go."""
    features = [feature(name).alias(name) for name in AUDIO_FEATURES]
    return audio_features.select(
        F.col("spotify_id").alias("row_id"), "artist", "title", F.struct(*features).alias("content")
    ).where(F.coalesce(*(F.col(f"content.{name}").cast("double") for name in AUDIO_FEATURES)).isNotNull())


def lyric_rows(lyrics: DataFrame) -> DataFrame:
    """Rows of lyrics for `find_rows`, cleaned, faultless ones first; empty ones go."""
    rows = with_faults(lyrics.where("trim(lyrics) <> ''"))
    content = F.struct(F.col("fault").isNotNull().alias("faulty"), "lyrics", "fault", "language")
    return rows.select(F.col("song_id").alias("row_id"), "artist", "title", content.alias("content"))


def with_faults(rows: DataFrame) -> DataFrame:
    """Rows with their `lyrics` cleaned, and beside them their `fault` (clean.py) and, if sure, `language`."""
    told = [StructField(name, StringType()) for name in ("fault", "language")]
    return rows.mapInPandas(_read_lyrics, StructType([*rows.schema.fields, *told]))


def _surely_in(text: str | None) -> str | None:
    enough = isinstance(text, str) and len(text.split()) >= FEWEST_FOR_LANGUAGE
    return language_of(text, SURE) if enough else None


def _read_lyrics(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        read = [(None, None) if text is None else read_lyrics(text) for text in rows["lyrics"]]
        told = pd.DataFrame(read, columns=["lyrics", "fault"], index=rows.index, dtype=object)
        yield rows.assign(**told, language=told["lyrics"].map(_surely_in).astype(object))


def feature(name: str) -> Column:
    """An audio feature as a number of the table's type; null where it is none, or out of its range."""
    low, high = RANGES[name]
    value = F.expr(f"try_cast({name} AS double)")
    valid = value.between(low, high)  # NaN is greater than any number
    if name in DISCRETE_AUDIO_FEATURES:
        return F.when(valid & (value == F.floor(value)), value.cast("int"))
    return F.when(valid, value)
