"""What each source has of each song, and which one counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from songmood.audio import AUDIO_FEATURES, feature
from songmood.lyrics.cleaning import INSTRUMENTAL
from songmood.names.normalize import normalized_artist, normalized_title
from songmood.settings import EnrichSettings, FetchSettings
from songmood.steps.enrich.cache import NO_MATCH, NOT_FOUND, OK, PERMANENT, TRANSIENT
from songmood.steps.enrich.files import audio_rows, find_rows, lyric_rows, with_faults
from songmood.tables import AUDIO, ENRICHMENT_FAILURES, LYRICS, TAGS


class Enrichment(NamedTuple):
    """`found`, a row for each song, part and source, is the costly frame that the tables come from."""

    audio_features: DataFrame
    lyrics: DataFrame
    enrichment_failures: DataFrame
    found: DataFrame


def find_parts(
    records: DataFrame,
    tags: DataFrame,
    audio_features: DataFrame | None,
    lyrics: DataFrame | None,
    answers: Mapping[str, DataFrame],
    settings: EnrichSettings,
) -> Enrichment:
    """The audio features and lyrics of each song, and a row for each thing that a source has not.

    `records` is the table `song_records`, `tags` the table; audio_features are the rows of files, with
    AUDIO_COLUMNS as strings, lyrics the table `corpus_lyrics`, each None where there are no files; `answers` are the cached ones of each
    service (cache.read_answers).
    In files, audio features are found by spotify_id and lyrics by song_id, and a song without such a row
    is looked for by artist and title. Of several sources the first in conf that has something counts.

    Status in enrichment_failures: not_found; no_match (a name came near: last_error says which); of lyrics
    empty, instrumental, and implausible (no lyric of one song: last_error says why; only under a name,
    what comes under the song's id is kept with its `fault`); of services also those of cache.py, and
    not_asked.
    """
    songs = records.where("record_id = song_id")
    frames = []
    rows_of = {"tags": None, "audio_features": audio_features, "lyrics": lyrics}
    for part, rows in rows_of.items():
        for rank, source in enumerate(settings.sources(part)):
            if source == "files":
                of_source = _in_files(part, rows, records, tags, settings)
            else:
                of_source = _answered(part, source, songs, answers[source], tags)
            place = {"part": F.lit(part), "source": F.lit(source), "rank": F.lit(rank)}
            frames.append(of_source.withColumns(place).select(*_FOUND))
    every = reduce(DataFrame.unionByName, frames)
    best = F.min(F.when(F.col("has"), F.col("rank"))).over(Window.partitionBy("part", "song_id"))
    found = every.withColumn("best", best)
    chosen = found.where("rank = best")
    failed = found.where("NOT has AND (best IS NULL OR rank < best)")
    return Enrichment(
        audio_features=chosen.where("part = 'audio_features'")
        .select("song_id", "audio.*", "source")
        .select(*AUDIO.column_names),
        lyrics=chosen.where("part = 'lyrics'")
        .withColumnsRenamed({name: f"match_{name}" for name in ("title", "artist", "score")})
        .select(*LYRICS.column_names),
        enrichment_failures=failed.withColumn("source", F.concat_ws(":", "part", "source")).select(
            *ENRICHMENT_FAILURES.column_names
        ),
        found=found,
    )


# What is known of a song in a source.
_FEATURES = StructType([field for field in AUDIO.schema.fields if field.name in AUDIO_FEATURES])
_FOUND = {
    **{"part": "string", "source": "string", "rank": "int", "song_id": "string", "has": "boolean"},
    **{"audio": _FEATURES.simpleString(), "lyrics": "string", "fault": "string"},
    **{"title": "string", "artist": "string", "score": "double"},
    **{"status": "string", "http_status": "int", "attempts": "int", "last_error": "string"},
    "fetched_at": "timestamp",
}


def _with_found(rows: DataFrame) -> DataFrame:
    """The rows with every column of _FOUND, null where they say nothing."""
    missing = {name: F.lit(None).cast(type_) for name, type_ in _FOUND.items() if name not in rows.columns}
    return rows.withColumns(missing)


def _in_files(
    part: str, rows: DataFrame | None, records: DataFrame, tags: DataFrame, settings: EnrichSettings
) -> DataFrame:
    # files are at hand and never asked again, so no time is kept: equal runs give equal tables
    attempts = F.lit(1)
    by_name = F.when(F.col("last_error").isNotNull(), NO_MATCH).otherwise(NOT_FOUND)
    if part == "tags":
        tagged = tags.where("source = 'files'").select("song_id").distinct().withColumn("tagged", F.lit(True))
        songs = records.select("song_id").distinct().join(tagged, "song_id", "left")
        has = F.col("tagged").isNotNull()
        return _with_found(songs.withColumns({"has": has, "status": F.lit(NOT_FOUND), "attempts": attempts}))
    if rows is None:  # nothing to look for in: a corpus of songs alone is no small one
        told = {"has": F.lit(False), "status": F.lit(NOT_FOUND), "attempts": attempts}
        return _with_found(records.select("song_id").distinct().withColumns(told))
    if part == "audio_features":
        ids = records.withColumn("row_id", F.col("spotify_id"))
        found = find_rows(ids, audio_rows(rows), settings).withColumnRenamed("row", "audio")
        found = found.withColumnRenamed("near_miss", "last_error")
        said = {"has": F.col("audio").isNotNull(), "status": by_name, "attempts": attempts}
        return _with_found(found.withColumns(said))
    ids = records.withColumn("row_id", F.col("record_id"))
    found = find_rows(ids, lyric_rows(rows), settings, heed_live=False)
    found = found.withColumnRenamed("near_miss", "last_error").withColumn("attempts", attempts)
    found = found.select("*", "row.lyrics", "row.fault", "row.language")
    return _with_found(_judged(found, records, by_name))


def _answered(part: str, source: str, songs: DataFrame, answers: DataFrame, tags: DataFrame) -> DataFrame:
    """What a service said of each song; `answers` hold a row for each request."""
    asked = songs.join(requests_of(songs, source).select("song_id", "request"), "song_id", "left")
    said = asked.select("song_id", "request").join(answers, "request", "left")
    ok = F.coalesce(F.col("status") == OK, F.lit(False))
    said = said.withColumn("status", F.coalesce("status", F.lit("not_asked")))
    if part == "tags":
        tagged = tags.where(F.col("source") == source).select("song_id").distinct()
        has = F.col("tagged").isNotNull()
        return _with_found(
            said.join(tagged.withColumn("tagged", F.lit(True)), "song_id", "left").withColumn("has", has)
        )
    if part == "audio_features":
        told = F.from_json(
            "content", StructType([StructField(name, StringType()) for name in AUDIO_FEATURES])
        )
        rows = said.withColumn("told", told).select("*", "told.*")
        audio = F.struct(*(feature(name).alias(name) for name in AUDIO_FEATURES))
        return _with_found(rows.withColumns({"audio": F.when(ok, audio), "has": ok}))
    told = F.from_json("content", "title string, artist string, score double, lyrics string")
    rows = said.withColumn("told", told).select(*said.columns, F.when(ok, F.col("told")).alias("told"))
    rows = rows.select(*said.columns, "told.*").withColumn("row", F.col("lyrics"))
    read = with_faults(rows)
    return _with_found(_judged(read, songs, F.col("status")))


def _judged(found: DataFrame, songs: DataFrame, otherwise: Column) -> DataFrame:
    """Lyrics under a name must be a song's, and in its language; those under its id are what they are."""
    spoken = songs.where("record_id = song_id").select("song_id", F.col("language").alias("song_language"))
    rows = found.join(spoken, "song_id", "left")
    named = F.col("score").isNotNull()
    other = F.col("language") != F.col("song_language")
    fault = F.coalesce("fault", F.when(other & named, "other language"))
    refused = fault.isNotNull() & (named | F.col("lyrics").isNull())
    empty = F.col("lyrics").isNull() & ~F.col("fault").eqNullSafe(INSTRUMENTAL)
    status = (
        F.when(F.col("row").isNull(), otherwise)
        .when(fault == INSTRUMENTAL, INSTRUMENTAL)
        .when(empty, "empty")
        .when(refused, "implausible")
    )
    error = F.when(F.col("row").isNull(), F.col("last_error"))
    return rows.withColumns(
        {
            "has": F.col("row").isNotNull() & ~refused,
            "status": status,
            "last_error": F.coalesce(error, F.when(refused & ~fault.isin(INSTRUMENTAL, "empty"), fault)),
            "fault": fault,
        }
    )


def requests_of(songs: DataFrame, source: str) -> DataFrame:
    """What a service is asked for: song_id, request (its key in the cache), artist and title.

    Audio features are asked for by spotify_id, the rest by artist and title as songmood.names.normalize writes them;
    songs that have none of these are left out.
    """
    if source in ("spotify", "reccobeats"):
        return songs.where("spotify_id IS NOT NULL").select(
            "song_id", F.col("spotify_id").alias("request"), "artist", "title"
        )
    named = songs.where("artist IS NOT NULL AND title IS NOT NULL")
    named = named.select(
        "song_id",
        "artist",
        "title",
        normalized_artist(F.col("artist")).alias("who"),
        normalized_title(F.col("title")).alias("what"),
    )
    request = F.concat_ws("\t", "who", "what")
    return named.where("who <> '' AND what <> ''").select(
        "song_id", request.alias("request"), "artist", "title"
    )


def _answered_ok(songs: DataFrame, source: str, answers: DataFrame) -> DataFrame:
    return requests_of(songs, source).join(answers.where(F.col("status") == OK), "request")


def lacking(
    songs: DataFrame,
    part: str,
    sources: tuple[str, ...],
    in_files: DataFrame,
    answers: Mapping[str, DataFrame],
) -> DataFrame:
    """The songs that none of these sources has a part for; `in_files` is `found` of files alone."""
    for source in sources:
        if source == "files":
            has = in_files.where((F.col("part") == part) & F.col("has"))
        else:
            has = _answered_ok(songs, source, answers[source])
        songs = songs.join(has.select("song_id"), "song_id", "left_anti")
    return songs


def unanswered(
    songs: DataFrame, source: str, answers: DataFrame, settings: FetchSettings, now: datetime
) -> DataFrame:
    """What a service is to be asked for songs, once each: key, artist, title, attempts so far.

    Not asked again: what has an answer, what was not found in the last conf.negative_days, and what
    failed conf.give_up_after times.
    """
    requests = (
        requests_of(songs, source).groupBy("request").agg(F.min(F.struct("artist", "title")).alias("of"))
    )
    fresh = F.col("fetched_at") > F.lit(now - timedelta(days=settings.negative_days))
    settled = F.col("status").isin(OK, PERMANENT) | (
        fresh & (F.col("status").isin(NOT_FOUND, NO_MATCH) | (F.col("attempts") >= settings.give_up_after))
    )
    failed = F.when(F.col("status") == TRANSIENT, F.col("attempts"))
    known = answers.select("request", settled.alias("settled"), failed.alias("failed"))
    open_ = requests.join(known, "request", "left").where("settled IS NULL OR NOT settled")
    return open_.select("request", "of.artist", "of.title", F.coalesce("failed", F.lit(0)).alias("attempts"))


def collect_tags(
    records: DataFrame, tags: DataFrame, answers: Mapping[str, DataFrame], settings: EnrichSettings
) -> DataFrame:
    """Table `tags`: each tag of a song once, in lower case, with the greatest weight it comes with.

    `tags` are rows of `read_tags`, of files; `answers` the cached ones of services. A song has the tags of
    the first source in conf that has any. Weights of 0 to 100 stay as they are. A song whose weights of
    one origin go beyond has counts there, not weights, and these are scaled so that its top tag is 100;
    only then origins are compared. A row without a tag or with a weight that is no number of at least 0
    is left out.
    """
    frames = []
    for rank, source in enumerate(settings.tags):
        if source == "files":
            rows = _tags_in_files(records, tags)
        else:
            songs = records.where("record_id = song_id")
            pairs = _answered_ok(songs, source, answers[source]).select(
                "song_id", F.explode(F.from_json("content", "array<array<string>>")).alias("pair")
            )
            rows = pairs.select(
                "song_id",
                F.col("pair")[0].alias("tag"),
                F.col("pair")[1].alias("weight"),
                F.lit(source).alias("origin"),
            )
        frames.append(rows.withColumns({"source": F.lit(source), "rank": F.lit(rank)}))
    each = reduce(DataFrame.unionByName, frames).withColumns(
        {
            "tag": F.lower(F.trim(F.regexp_replace("tag", r"\s+", " "))),
            "weight": F.expr("try_cast(weight AS double)"),
        }
    )
    each = each.where("tag <> '' AND weight >= 0 AND weight < double('infinity')")
    each = each.withColumn("first", F.min("rank").over(Window.partitionBy("song_id"))).where("rank = first")
    top = F.max("weight").over(Window.partitionBy("song_id", "origin"))
    scaled = each.withColumn("weight", F.col("weight") * 100 / F.greatest(F.lit(100.0), top))
    found = scaled.groupBy("song_id", "tag").agg(
        F.max("weight").alias("weight"), F.min("source").alias("source")
    )
    return found.select(*TAGS.column_names)


def _tags_in_files(records: DataFrame, tags: DataFrame) -> DataFrame:
    rows = tags.select(_tag_keys("song_id", "lastfm_id").alias("keys"), "tag", "weight", "origin")
    # distinct, or a song on ten albums would meet the tags of its lastfm_id ten times
    songs = records.select("song_id", F.explode(_tag_keys("record_id", "lastfm_id")).alias("key")).distinct()
    each = rows.withColumn("key", F.explode("keys")).join(songs, "key")
    return each.select("song_id", "tag", "weight", "origin")


def _tag_keys(song_id: str, lastfm_id: str) -> Column:
    return F.array_compact(F.array(F.concat(F.lit("song "), song_id), F.concat(F.lit("lastfm "), lastfm_id)))
