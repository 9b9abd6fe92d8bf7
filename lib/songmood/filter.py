"""filter: keep the songs that have the ids and languages asked for (paper 3.1).

The language of a song that names none is detected from its lyrics, or else from its title and album.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from songmood.config import Filter
from songmood.enrich.clean import clean_lyrics
from songmood.language import language_of


class Filtered(NamedTuple):
    """The songs kept, and for each other one the first reason that applies.

    `detected`, the songs whose language was looked for, is the costly frame that both come from; None
    where none is.
    """

    filtered: DataFrame
    dropped: DataFrame
    detected: DataFrame | None


def filter_songs(songs: DataFrame, lyrics: DataFrame | None, settings: Filter) -> Filtered:
    """Songs with every id of `required_ids`, in one of `languages`; an empty list asks for nothing.

    drop_reason is the first that applies of no_spotify_id, no_lastfm_id, other_language, no_language.
    Where a language is asked for and `detect_language` is set, a song without one, but with the ids, gets
    the one detected (see `detect_languages`), if any. `lyrics` has song_id and lyrics, as text; a song may
    have several rows, or none. None stands for no lyrics at all.
    """
    nothing = F.lit(None).cast("string")
    lacks = F.coalesce(
        nothing,
        *(
            F.when(F.col(name).isNull(), f"no_{name}")
            for name in ("spotify_id", "lastfm_id")
            if name in settings.required_ids
        ),
    )
    detected = None
    if settings.detects:
        # a union, for a Python UDF is given every row of its frame, whatever F.when says
        sought = lacks.isNull() & F.col("language").isNull()
        detected = detect_languages(songs.where(sought), lyrics, settings.min_language_probability)
        songs = songs.where(~sought).unionByName(detected)
    reasons = [lacks]
    if settings.languages:
        languages = [language.lower() for language in settings.languages]
        reasons += [
            F.when(~F.col("language").isin(languages), "other_language"),
            F.when(F.col("language").isNull(), "no_language"),
        ]
    reasoned = songs.withColumn("drop_reason", F.coalesce(*reasons))
    dropped = reasoned.where("drop_reason IS NOT NULL")
    return Filtered(
        filtered=reasoned.where("drop_reason IS NULL").drop("drop_reason"),
        dropped=dropped.select(F.lit("filter").alias("step"), "song_id", "drop_reason"),
        detected=detected,
    )


def detect_languages(songs: DataFrame, lyrics: DataFrame | None, min_probability: float) -> DataFrame:
    """The songs, with the language that each seems to be in as `language`; null where that is not sure.

    Read are the song's lyrics (of several the least in order) or, without any, its title and album; not
    the artist, whose name is of no language: it made more guesses wrong (of real songs). Nothing of the
    lyrics is in the result. The languages considered are those of `LANGUAGES`.
    """
    text = F.concat_ws("\n", "title", "album")
    if lyrics is None:
        return songs.withColumn("language", detected_language(text, min_probability))
    sung = (
        lyrics.where("trim(lyrics) <> ''")
        .join(songs.select("song_id"), "song_id", "left_semi")
        .groupBy("song_id")
        .agg(F.min("lyrics").alias("lyrics"))
    )
    text = F.coalesce("lyrics", text)
    read = songs.join(sung, "song_id", "left").withColumn(
        "language", detected_language(text, min_probability)
    )
    return read.select(songs.columns)


def detected_language(text: Column, min_probability: float) -> Column:
    """The lower-case English name of each text's language; null if it is less probable than asked for.

    Texts are read as `clean_lyrics` cleans them. A text without a letter has no language.
    """

    def each(texts: pd.Series) -> pd.Series:
        return texts.map(lambda text: language_of(clean_lyrics(text), min_probability))

    detected: Column = pandas_udf(each, StringType())(text)  # type: ignore[call-overload]
    return detected
