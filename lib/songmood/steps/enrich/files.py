"""What the files of a corpus have: their rows, and which of them is about a song."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES, feature
from songmood.lyrics.notices import INSTRUMENTAL
from songmood.lyrics.reading import longest_first
from songmood.names.matching import match_names, with_names
from songmood.settings import EnrichSettings

# 'Artist:Title' and 'Artist - Title', as some titles are. A title that only looks so matches nothing.
_JOINED = r"^(.+?)(?::| - )(.+)$"

# A text that is surely in another language than the song is another text: a translation.
SURE, FEWEST_FOR_LANGUAGE = 0.99, 20  # probability, words


def find_rows(
    records: DataFrame, rows: DataFrame, settings: EnrichSettings, *, heed_live: bool = True
) -> DataFrame:
    """For each song, the row of a source that is about it: by id, or else by artist and title.

    `records` are those of `song_records` with `row_id`, the id by which the source may know them. `rows` come
    from `audio_rows` or `lyric_rows`. Of several rows that fit, those that are not poor come first, then the
    least by `order`, then the representative's own. A song whose rows by id are all poor is looked for by
    name, too. A title may hold the artist, too ('Artist:Title'). Without `heed_live`, a live version or a mix
    counts as the song itself.

    Returns song_id, song_language, row (the content, or null), title and artist (as the row has them),
    score (as in match_names; null if found by id), and near_miss (text for people, about a name that was
    refused).
    """
    # a record without an id must meet no row, but not all of them in one partition
    row_id = F.coalesce("row_id", F.concat(F.lit("no id: "), "record_id"))
    is_song = F.col("record_id") == F.col("song_id")
    by_id = (
        records.withColumn("row_id", row_id)
        .join(rows.drop("artist", "title"), "row_id", "left")
        .groupBy("song_id")
        .agg(
            F.min(F.when(is_song, F.col("language"))).alias("song_language"),
            _best((~is_song).alias("merged"), "record_id").alias("own"),
            F.collect_set(F.struct("title", "artist")).alias("names"),
        )
    )
    readings = by_id.where("own IS NULL OR own.poor").select("song_id", F.inline("names"))
    readings = readings.select("song_id", F.inline(_readings()))
    languages = records.where(is_song).select("song_id", "language")
    by_name = _find_by_name(readings, languages, rows, settings, heed_live=heed_live)
    found = by_id.join(by_name, "song_id", "left").withColumn(
        "chosen",
        F.when(F.col("named").isNotNull() & (F.col("own").isNull() | ~F.col("named.poor")), F.col("named")),
    )
    return found.select(
        "song_id",
        "song_language",
        F.coalesce("chosen.content", "own.content").alias("row"),
        *(F.col(f"chosen.{part}").alias(part) for part in ("title", "artist")),
        F.when(F.col("chosen").isNotNull(), F.col("score")).alias("score"),
        "near_miss",
    )


def _find_by_name(
    sought: DataFrame, languages: DataFrame, rows: DataFrame, settings: EnrichSettings, *, heed_live: bool
) -> DataFrame:
    """For songs with a similar name among the rows: song_id, named (their best row), score and near_miss.

    `sought` has song_id, title and artist, and `languages` song_id and language. Where the name was refused,
    `named` is null. Rows of one name are compared however it is spelled.
    """
    named = rows.where("title IS NOT NULL AND artist IS NOT NULL").drop("row_id")
    spelled = F.collect_set(F.struct("title", "artist", "name_core"))
    names = (
        with_names(named.select("title", "artist").distinct(), heed_live=heed_live)
        .groupBy("name_title", "name_artist")
        .agg(spelled.alias("spellings"))
        .withColumn("first", F.array_min("spellings"))
    )
    matches = match_names(
        with_names(sought, heed_live=heed_live),
        names.select("name_title", "name_artist", "first.*"),
        settings,
        heed_live=heed_live,
    )
    accepted = F.col("accepted") & (F.col("match_title") == F.col("first.title"))
    accepted &= F.col("match_artist") == F.col("first.artist")
    nearest = F.format_string("nearest: '%s' by '%s' (%s)", "match_title", "match_artist", "difference")
    near_miss = F.when(~F.col("accepted"), nearest)
    return (
        matches.join(names, accepted, "left")
        .select("song_id", "match_score", near_miss.alias("near_miss"), F.inline_outer("spellings"))
        .join(languages, "song_id")
        .join(named, ["title", "artist"], "left")
        .groupBy("song_id")
        .agg(
            _best("title", "artist").alias("named"),
            F.min("match_score").alias("score"),
            F.min("near_miss").alias("near_miss"),
        )
    )


def _best(*last: str | Column) -> Column:
    """The best of the rows that are grouped, as a struct with `poor` and `content`; null without a row.

    Rows in another language than the song's are poor, too.
    """
    poor = F.col("poor") | F.coalesce(F.col("row_language") != F.col("language"), F.lit(False))
    row = F.struct(poor.alias("poor"), "order", *last, "content")
    return F.min(F.when(F.col("content").isNotNull(), row))


def _readings() -> Column:
    """The names (title and artist) that a song may have: as they are, and as its title alone has them."""
    as_it_is = F.struct("title", "artist")
    in_title = F.struct(
        F.regexp_extract("title", _JOINED, 2).alias("title"),
        F.regexp_extract("title", _JOINED, 1).alias("artist"),
    )
    return F.array_compact(F.array(as_it_is, F.when(F.col("title").rlike(_JOINED), in_title)))


def audio_rows(audio_features: DataFrame) -> DataFrame:
    """Rows of audio features for `find_rows`, without those that have no feature within its range.

    The fullest come first.
    """
    features = F.struct(*(feature(name).alias(name) for name in AUDIO_FEATURES))
    rows = audio_features.select(
        F.col("spotify_id").alias("row_id"), "artist", "title", features.alias("content")
    )
    known = F.size(F.array_compact(F.array(*(F.col(f"content.{name}") for name in AUDIO_FEATURES))))
    return rows.where(known > 0).select(
        "*",
        (-known).alias("order"),
        F.lit(False).alias("poor"),
        F.lit(None).cast("string").alias("row_language"),
    )


def lyric_rows(corpus_lyrics: DataFrame) -> DataFrame:
    """Rows of lyrics for `find_rows`: those with a fault are poor, and the longest come first.

    A note that a song is instrumental is an answer, so it is not poor.
    """
    return corpus_lyrics.select(
        F.col("song_id").alias("row_id"),
        *("artist", "title"),
        F.struct("lyrics", "fault", sure_language().alias("language")).alias("content"),
        longest_first().alias("order"),
        (F.coalesce("fault", F.lit(INSTRUMENTAL)) != INSTRUMENTAL).alias("poor"),
        sure_language().alias("row_language"),
    )


def sure_language() -> Column:
    """The language of lyrics where it is sure: null for a short text, and for a guess."""
    words = F.size(F.split(F.trim("lyrics"), r"\s+"))
    sure = (F.col("language_probability") >= SURE) & (words >= FEWEST_FOR_LANGUAGE)
    return F.when(sure, F.col("language"))
