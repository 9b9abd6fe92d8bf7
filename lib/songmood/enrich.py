"""Tags, audio features and lyrics for songs, from the corpus' own files (paper 3.1)."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from songmood import config
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


class Enrichment(NamedTuple):
    """`found`, one row a song, is the costly frame that the tables come from."""

    audio_features: DataFrame
    lyrics: DataFrame
    enrichment_failures: DataFrame
    found: DataFrame


def enrich_songs(
    versions: DataFrame,
    tags: DataFrame,
    audio_features: DataFrame,
    lyrics: DataFrame,
    conf: config.Enrich,
) -> Enrichment:
    """The audio features and lyrics of each song, and a row for each thing that a song has not.

    `versions` is of `song_versions`, `tags` the table; the others have the columns of COLUMNS, as
    strings. Audio features are found by spotify_id and lyrics by song_id; a song without such a row is
    looked for by artist and title. Status in enrichment_failures: not_found, no_match (a name came
    near: last_error says which) or empty (cleaning left nothing of the lyrics).
    """
    audio = find_rows(versions.withColumn("row_id", F.col("spotify_id")), audio_rows(audio_features), conf)
    words = find_rows(
        versions.withColumn("row_id", F.col("version_id")), lyric_rows(lyrics), conf, heed_live=False
    )
    tagged = tags.select("song_id").distinct().withColumn("tagged", F.lit(True))
    found = (
        _prefixed(audio, "audio")
        .join(_prefixed(words, "lyrics"), "song_id")
        .join(tagged, "song_id", "left")
        .withColumn("lyrics", cleaned_lyrics(F.col("lyrics_row")))
    )
    return Enrichment(
        audio_features=found.where("audio_row IS NOT NULL").select(
            "song_id", "audio_row.*", F.lit("files").alias("source")
        ),
        lyrics=found.where("lyrics IS NOT NULL").select(
            "song_id",
            "lyrics",
            F.lit("files").alias("source"),
            F.col("lyrics_title").alias("match_title"),
            F.col("lyrics_artist").alias("match_artist"),
            F.col("lyrics_score").alias("match_score"),
        ),
        enrichment_failures=_failures(found),
        found=found,
    )


def song_versions(deduped: DataFrame, filtered: DataFrame, duplicates: DataFrame) -> DataFrame:
    """Every row that stands for a song: song_id (the representative), version_id (the row's own id).

    Also spotify_id, lastfm_id, artist and title, as that row has them. What a source keys by any of
    these ids counts for the representative.
    """
    columns = ("song_id", "version_id", "spotify_id", "lastfm_id", "artist", "title")
    merged = filtered.withColumnRenamed("song_id", "version_id").join(
        duplicates.select(F.col("song_id").alias("version_id"), F.col("representative_id").alias("song_id")),
        "version_id",
    )
    return deduped.withColumn("version_id", F.col("song_id")).select(*columns).union(merged.select(*columns))


def collect_tags(versions: DataFrame, tags: DataFrame) -> DataFrame:
    """Table `tags`: each tag of a song once, in lower case, with the greatest weight it comes with.

    `tags` are rows of `read_tags`. Weights of 0 to 100 stay as they are. A song whose weights of one
    origin go beyond has counts there, not weights, and these are scaled so that its top tag is 100; only
    then origins are compared. A row without a tag or with a weight that is no number of at least 0 is
    left out.
    """
    rows = tags.select(
        _tag_keys("song_id", "lastfm_id").alias("keys"),
        F.lower(F.trim(F.regexp_replace("tag", r"\s+", " "))).alias("tag"),
        F.expr("try_cast(weight AS double)").alias("weight"),
        "origin",
    ).where("tag <> '' AND weight >= 0 AND weight < double('infinity')")
    # distinct, or a song on ten albums would meet the tags of its lastfm_id ten times
    songs = versions.select(
        "song_id", F.explode(_tag_keys("version_id", "lastfm_id")).alias("key")
    ).distinct()
    each = rows.withColumn("key", F.explode("keys")).join(songs, "key")
    top = F.max("weight").over(Window.partitionBy("song_id", "origin"))
    scaled = each.withColumn("weight", F.col("weight") * 100 / F.greatest(F.lit(100.0), top))
    return scaled.groupBy("song_id", "tag").agg(F.max("weight").alias("weight"))


def _tag_keys(song_id: str, lastfm_id: str) -> Column:
    return F.array_compact(F.array(F.concat(F.lit("song "), song_id), F.concat(F.lit("lastfm "), lastfm_id)))


def audio_rows(audio_features: DataFrame) -> DataFrame:
    """Rows of audio features for `find_rows`; those of which no feature is within its range go."""
    features = [_feature(name).alias(name) for name in AUDIO_FEATURES]
    return audio_features.select(
        F.col("spotify_id").alias("row_id"), "artist", "title", F.struct(*features).alias("content")
    ).where(F.coalesce(*(F.col(f"content.{name}").cast("double") for name in AUDIO_FEATURES)).isNotNull())


def lyric_rows(lyrics: DataFrame) -> DataFrame:
    """Rows of lyrics for `find_rows`; empty ones go."""
    return lyrics.where("trim(lyrics) <> ''").select(
        F.col("song_id").alias("row_id"), "artist", "title", F.col("lyrics").alias("content")
    )


def find_rows(
    versions: DataFrame, rows: DataFrame, conf: config.Enrich, *, heed_live: bool = True
) -> DataFrame:
    """For each song the row of a source that is about it: by id, or else by artist and title.

    `versions` as `song_versions` gives them with `row_id`, the id by which the source may know them;
    `rows` has row_id, artist, title and content. Where several rows fit, the representative's own goes
    first, then the least in order. Without `heed_live`, a live version is the song itself.

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
    named = rows.where("title IS NOT NULL AND artist IS NOT NULL").groupBy("title", "artist")
    contents = named.agg(F.min("content").alias("named"))
    matches = match_names(
        with_names(sought, heed_live=heed_live),
        with_names(contents.select("title", "artist"), heed_live=heed_live),
        conf,
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


_BREAK = re.compile(r"<\s*(?:br|/p|/div)\b[^<>]*>\n?", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_SECTION = re.compile(
    r"^[ \t]*[\[{](?:(?:pre|post)[ -]?)?"
    r"(?:verse|chorus|hook|bridge|refrain|intro|outro|interlude|instrumental|solo|break|breakdown|drop|part|skit"
    r"|coda|strophe|couplet|pont|estribillo|coro|refrão)"
    r"\b[^\[\]{}\n]*[\]}][ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# What pages of Genius add: a head, a tail, and between lines advertisements without a space after them.
_GENIUS = (
    re.compile(r"\A\d+ Contributors?[^\n]*? Lyrics"),
    re.compile(r"(?<=\S)\d{0,7}Embed\Z"),
    re.compile(r"^You might also like(?=[^\s\W]|\[|$)", re.MULTILINE),
    re.compile(r"See [^\n]{1,80} LiveGet tickets as low as \$\d+"),
)


def clean_lyrics(text: str | None) -> str | None:
    """The sung words of a lyric, one line a line; None where nothing is left.

    HTML entities and tags go (`<br>` ends a line), and so do whole-line section headers such as
    [Verse 1], and what pages of Genius put around lyrics. Characters are in NFKC, lines without space
    at their ends, no more than one empty line between two others.
    """
    if not isinstance(text, str):
        return None
    text = html.unescape(text).replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFKC", _MARKUP.sub("", _BREAK.sub("\n", text))).strip()
    for addition in _GENIUS:
        text = addition.sub("", text)
    lines = "\n".join(line.strip() for line in _SECTION.sub("", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip() or None


def cleaned_lyrics(column: Column) -> Column:
    """`clean_lyrics` of a column: Spark SQL knows neither HTML's entities nor NFKC."""

    def each(texts: pd.Series) -> pd.Series:
        return texts.map(clean_lyrics)

    cleaned: Column = pandas_udf(each, StringType())(column)  # type: ignore[call-overload]
    return cleaned


def _feature(name: str) -> Column:
    low, high = RANGES[name]
    value = F.expr(f"try_cast({name} AS double)")
    valid = value.between(low, high)  # NaN is greater than any number
    if name in DISCRETE_AUDIO_FEATURES:
        return F.when(valid & (value == F.floor(value)), value.cast("int"))
    return F.when(valid, value)


def _prefixed(rows: DataFrame, prefix: str) -> DataFrame:
    return rows.select("song_id", *(F.col(c).alias(f"{prefix}_{c}") for c in rows.columns if c != "song_id"))


def _failures(found: DataFrame) -> DataFrame:
    """One row for each song and part that the files do not give."""

    def failure(source: str, missing: Column, status: Column, error: Column) -> Column:
        reason = F.struct(F.lit(source).alias("source"), status.alias("status"), error.alias("last_error"))
        return F.when(missing, reason)

    def by_name(near_miss: Column) -> Column:
        return F.when(near_miss.isNotNull(), "no_match").otherwise("not_found")

    audio_near, lyrics_near = F.col("audio_near_miss"), F.col("lyrics_near_miss")
    failures = F.array_compact(
        F.array(
            failure("tags:files", F.col("tagged").isNull(), F.lit("not_found"), F.lit(None).cast("string")),
            failure("audio_features:files", F.col("audio_row").isNull(), by_name(audio_near), audio_near),
            failure(
                "lyrics:files",
                F.col("lyrics").isNull(),
                F.when(F.col("lyrics_row").isNotNull(), "empty").otherwise(by_name(lyrics_near)),
                lyrics_near,
            ),
        )
    )
    return found.select("song_id", F.explode(failures).alias("failure")).select(
        "song_id",
        "failure.source",
        "failure.status",
        F.lit(None).cast("int").alias("http_status"),
        F.lit(1).alias("attempts"),
        "failure.last_error",
        # files are at hand and never asked again, so no time is kept: equal runs give equal tables
        F.lit(None).cast("timestamp").alias("fetched_at"),
    )
