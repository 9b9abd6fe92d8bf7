"""What the files of a corpus have: their rows, and which of them is about a song."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES, feature
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

    `records` are those of `song_records` with `row_id`, the id by which the source may know them. `rows` has
    row_id, artist, title and content. Of several rows that fit, the representative's own comes first, then
    the least in order. A title may hold the artist, too ('Artist:Title'). Without `heed_live`, a live version
    or a mix counts as the song itself.

    Returns song_id, song_language, row (the content, or null), title and artist (as the row has them),
    score (as in match_names; null if found by id), and near_miss (text for people, about a name that was
    refused).
    """
    # a record without an id must meet no row, but not all of them in one partition
    row_id = F.coalesce("row_id", F.concat(F.lit("no id: "), "record_id"))
    is_song = F.col("record_id") == F.col("song_id")
    own = F.struct((~is_song).alias("merged"), "record_id", F.col("content").alias("row"))
    by_id = (
        records.withColumn("row_id", row_id)
        .join(rows.select("row_id", "content"), "row_id", "left")
        .groupBy("song_id")
        .agg(
            F.min(F.when(is_song, F.col("language"))).alias("song_language"),
            F.min(F.when(F.col("content").isNotNull(), own))["row"].alias("own"),
            F.collect_set(F.struct("title", "artist")).alias("names"),
        )
    )
    sought = by_id.where("own IS NULL").select("song_id", F.inline("names"))
    sought = sought.select("song_id", F.inline(_readings()))
    named = rows.where("title IS NOT NULL AND artist IS NOT NULL")
    matches = match_names(
        with_names(sought, heed_live=heed_live),
        with_names(named.select("title", "artist"), heed_live=heed_live),
        settings,
        heed_live=heed_live,
    )
    contents = named.groupBy("title", "artist").agg(F.min("content").alias("named"))
    spelled = (F.col("match_title") == F.col("title")) & (F.col("match_artist") == F.col("artist"))
    by_name = matches.join(contents, spelled).drop("title", "artist")
    accepted = F.col("accepted")
    nearest = F.format_string("nearest: '%s' by '%s' (%s)", "match_title", "match_artist", "difference")
    return by_id.join(by_name, "song_id", "left").select(
        "song_id",
        "song_language",
        F.coalesce("own", F.when(accepted, F.col("named"))).alias("row"),
        *(F.when(accepted, F.col(f"match_{part}")).alias(part) for part in ("title", "artist", "score")),
        F.when(~accepted, nearest).alias("near_miss"),
    )


def _readings() -> Column:
    """The names (title and artist) that a song may have: as they are, and as its title alone has them."""
    as_it_is = F.struct("title", "artist")
    in_title = F.struct(
        F.regexp_extract("title", _JOINED, 2).alias("title"),
        F.regexp_extract("title", _JOINED, 1).alias("artist"),
    )
    return F.array_compact(F.array(as_it_is, F.when(F.col("title").rlike(_JOINED), in_title)))


def audio_rows(audio_features: DataFrame) -> DataFrame:
    """Rows of audio features for `find_rows`, without those that have no feature within its range."""
    features = [feature(name).alias(name) for name in AUDIO_FEATURES]
    return audio_features.select(
        F.col("spotify_id").alias("row_id"), "artist", "title", F.struct(*features).alias("content")
    ).where(F.coalesce(*(F.col(f"content.{name}").cast("double") for name in AUDIO_FEATURES)).isNotNull())


def lyric_rows(corpus_lyrics: DataFrame) -> DataFrame:
    """Rows of lyrics for `find_rows`, those without a fault first."""
    content = F.struct(
        F.col("fault").isNotNull().alias("faulty"), "lyrics", "fault", sure_language().alias("language")
    )
    return corpus_lyrics.select(F.col("song_id").alias("row_id"), "artist", "title", content.alias("content"))


def sure_language() -> Column:
    """The language of lyrics where it is sure: null for a short text, and for a guess."""
    words = F.size(F.split(F.trim("lyrics"), r"\s+"))
    sure = (F.col("language_probability") >= SURE) & (words >= FEWEST_FOR_LANGUAGE)
    return F.when(sure, F.col("language"))
