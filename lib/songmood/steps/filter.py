"""filter: keep the songs that have the ids and languages asked for (paper 3.1).

A song that names no language gets the one detected from its lyrics, or else from its title and album.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from songmood.engine.errors import UserError
from songmood.engine.step import Counts, Notes, step
from songmood.lyrics.cleaning import clean_lyrics
from songmood.lyrics.language import language_of
from songmood.settings import FilterSettings


class Filtered(NamedTuple):
    """The songs kept, and for each other song the first reason that applies."""

    filtered: DataFrame
    dropped: DataFrame
    shared: tuple[DataFrame, ...] = ()


def review(counts: Mapping[str, Counts]) -> Notes:
    """Raises UserError if no song is left."""
    if not counts["filtered"].rows:
        reasons = ", ".join(
            f"{count:,} {reason}" for reason, count in sorted(counts["dropped"].reasons.items())
        )
        raise UserError(
            f"filter kept no song ({reasons}): ask for less, with --set 'filter.required_ids=[]' or "
            "--set 'filter.languages=[]'"
            if reasons
            else "ingest found no song: paths.corpus must name a folder with song records in songs/"
        )
    return Notes()


@step(
    "filter",
    "keep songs with the ids and languages asked for",
    review=review,
    only_if={"corpus_lyrics": lambda settings: settings.filter.detects},
)
def filter_songs(songs: DataFrame, corpus_lyrics: DataFrame | None, settings: FilterSettings) -> Filtered:
    """Songs with every id of `required_ids`, in one of `languages`; an empty list asks for nothing.

    drop_reason is the first that applies of no_spotify_id, no_lastfm_id, other_language, no_language.
    Where a language is asked for and `detect_language` is set, a song without one, but with the ids, gets
    the one detected (see `detect_languages`), if any.
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
    shared: tuple[DataFrame, ...] = ()
    if settings.detects:
        # a union, for a Python UDF is given every row of its frame, whatever F.when says
        sought = lacks.isNull() & F.col("language").isNull()
        detected = detect_languages(songs.where(sought), corpus_lyrics, settings.min_language_probability)
        songs = songs.where(~sought).unionByName(detected)
        shared = (detected,)
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
        shared=shared,
    )


def detect_languages(songs: DataFrame, corpus_lyrics: DataFrame | None, min_probability: float) -> DataFrame:
    """The songs, with the language that each seems to be in as `language`; null where that is not sure.

    Read are the song's lyrics in `corpus_lyrics` (of several the first in order) or, without any, its title
    and album; not the artist, whose name is in no language: on real songs it made more guesses wrong. The
    languages considered are those of `LANGUAGE_CODES`.
    """
    named = F.concat_ws("\n", "title", "album")
    if corpus_lyrics is None:
        return songs.withColumn("language", detected_language(named, min_probability))
    sung = (
        corpus_lyrics.where("lyrics IS NOT NULL")
        .join(songs.select("song_id"), "song_id", "left_semi")
        .groupBy("song_id")
        .agg(F.min(F.struct("lyrics", "language", "language_probability")).alias("sung"))
        .select("song_id", F.lit(True).alias("has_lyrics"), "sung.language", "sung.language_probability")
    )
    found = songs.drop("language").join(sung, "song_id", "left")
    by_lyrics = F.when(F.col("language_probability") >= min_probability, F.col("language"))
    by_name = detected_language(F.when(F.col("has_lyrics").isNull(), named), min_probability)
    language = F.when(F.col("has_lyrics"), by_lyrics).otherwise(by_name)
    return found.withColumn("language", language).select(songs.columns)


def detected_language(text: Column, min_probability: float) -> Column:
    """The lower-case English name of each text's language; null if it is less probable than asked for.

    Texts are read as `clean_lyrics` cleans them. A text without a letter has no language.
    """

    def each(texts: pd.Series) -> pd.Series:
        return texts.map(lambda text: language_of(clean_lyrics(text), min_probability))

    detected: Column = pandas_udf(each, StringType())(text)  # type: ignore[call-overload]
    return detected
