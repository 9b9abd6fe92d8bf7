"""filter: keep the songs that have the required ids and are in one of the languages to keep (paper 3.1).

A song without a language gets the one detected from its lyrics, or else from its title and album.
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
from songmood.lyrics.language import detect_language
from songmood.lyrics.notices import NONE_YET
from songmood.lyrics.reading import longest_first
from songmood.settings import FilterSettings


class Filtered(NamedTuple):
    """The songs that are kept, and for each other song the first reason to drop it."""

    filtered: DataFrame
    dropped: DataFrame
    shared: tuple[DataFrame, ...] = ()


def review(counts: Mapping[str, Counts]) -> Notes:
    """Raises UserError if no song is kept."""
    if counts["filtered"].rows:
        return Notes()
    if not counts["songs"].rows:
        raise UserError("ingest found no songs: paths.corpus must name a folder with song records in songs/")
    dropped = sorted(counts["dropped"].reasons.items())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped)
    raise UserError(
        f"filter kept no song ({reasons}). Require less, with --set 'filter.required_ids=[]' or "
        "--set 'filter.languages=[]'"
    )


@step(
    "filter",
    "keep the songs with the required ids and languages",
    review=review,
    only_if={"corpus_lyrics": lambda settings: settings.filter.detects},
)
def filter_songs(songs: DataFrame, corpus_lyrics: DataFrame | None, settings: FilterSettings) -> Filtered:
    """The songs with every id of `required_ids` that are in one of `languages`; an empty list keeps all.

    drop_reason is the first that applies of no_spotify_id, no_lastfm_id, other_language, no_language. If
    there are languages to keep and `detect_language` is set, a song that has the ids but no language gets
    the detected one, if any (see `detect_languages`).
    """
    missing_id = F.coalesce(
        F.lit(None).cast("string"),
        *(
            F.when(F.col(name).isNull(), f"no_{name}")
            for name in ("spotify_id", "lastfm_id")
            if name in settings.required_ids
        ),
    )
    shared: tuple[DataFrame, ...] = ()
    if settings.detects:
        # split and put together again, because Spark runs a Python UDF on every row of a frame, whatever
        # F.when says
        without_language = missing_id.isNull() & F.col("language").isNull()
        detected = detect_languages(
            songs.where(without_language), corpus_lyrics, settings.min_language_probability
        )
        songs = songs.where(~without_language).unionByName(detected)
        shared = (detected,)
    judged = songs.withColumn("drop_reason", F.coalesce(missing_id, _wrong_language(settings)))
    dropped = judged.where("drop_reason IS NOT NULL")
    return Filtered(
        filtered=judged.where("drop_reason IS NULL").drop("drop_reason"),
        dropped=dropped.select(F.lit("filter").alias("step"), "song_id", "drop_reason"),
        shared=shared,
    )


def _wrong_language(settings: FilterSettings) -> Column:
    """The reason to drop a song for its language; null for a song to keep."""
    if not settings.languages:
        return F.lit(None).cast("string")
    kept = [language.lower() for language in settings.languages]
    language = F.col("language")
    return F.when(language.isNull(), "no_language").when(~language.isin(kept), "other_language")


def detect_languages(songs: DataFrame, corpus_lyrics: DataFrame | None, min_probability: float) -> DataFrame:
    """The songs with `language` replaced by the detected one; null if it is less probable than required.

    The language is that of the song's lyrics in `corpus_lyrics` (of several texts the best, see
    `longest_first`) or, if it has no text there, of its title and album. A note that there are no lyrics yet
    is not a text. A text of which nothing is left after cleaning, such as '[Instrumental]', has no language.
    The artist is left out because names of artists are in no language: with them, more guesses on real songs
    were wrong. The languages considered are those of `LANGUAGE_CODES`.
    """
    names = F.concat_ws("\n", "title", "album")
    if corpus_lyrics is None:
        return songs.withColumn("language", detected_language(names, min_probability))
    text = F.struct(longest_first(), "language", "language_probability")
    by_song = (
        corpus_lyrics.where(~F.col("fault").eqNullSafe(NONE_YET))
        .join(songs.select("song_id"), "song_id", "left_semi")
        .groupBy("song_id")
        .agg(F.min(F.when(F.col("lyrics").isNotNull(), text)).alias("text"))
        .select("song_id", F.lit(True).alias("has_text"), "text.language", "text.language_probability")
    )
    joined = songs.drop("language").join(by_song, "song_id", "left")
    of_lyrics = F.when(F.col("language_probability") >= min_probability, F.col("language"))
    of_names = detected_language(F.when(F.col("has_text").isNull(), names), min_probability)
    language = F.when(F.col("has_text"), of_lyrics).otherwise(of_names)
    return joined.withColumn("language", language).select(songs.columns)


def detected_language(text: Column, min_probability: float) -> Column:
    """The lower-case English name of each text's language; null if it is less probable than required.

    Texts are cleaned by `clean_lyrics` first. A text without a letter has no language.
    """

    def detect(texts: pd.Series) -> pd.Series:
        return texts.map(lambda text: detect_language(clean_lyrics(text), min_probability))

    detected: Column = pandas_udf(detect, StringType())(text)  # type: ignore[call-overload]
    return detected
