"""enrich: tags, audio features and lyrics for songs (paper 3.1), from files and from services.

clean.py        lyrics as they are sung, and what is none
fetch.py        asking a service, with lastfm.py, spotify.py, reccobeats.py and genius.py
gate.py         the pace, the budget, and what an answer means
cache.py        what was answered
keys.py         keys of services
__init__.py     what each source has for each song, and which one counts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from songmood import config
from songmood.enrich.cache import NO_MATCH, NOT_FOUND, OK, PERMANENT, TRANSIENT
from songmood.enrich.clean import INSTRUMENTAL, clean_lyrics, find_fault
from songmood.language import language_of
from songmood.matching import match_names, with_names
from songmood.names import normalised_artist, normalised_title
from songmood.tables import AUDIO, AUDIO_FEATURES, DISCRETE_AUDIO_FEATURES, ENRICHMENT_FAILURES, LYRICS, TAGS

__all__ = [
    "COLUMNS",
    "REQUIRED",
    "Enrichment",
    "collect_tags",
    "enrich_songs",
    "lacking",
    "song_versions",
    "unanswered",
]

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

# A text under a song's name that is surely in another language is another text: a translation.
SURE, FEWEST_FOR_LANGUAGE = 0.99, 20  # probability, words


class Enrichment(NamedTuple):
    """`found`, a row for each song, part and source, is the costly frame that the tables come from."""

    audio_features: DataFrame
    lyrics: DataFrame
    enrichment_failures: DataFrame
    found: DataFrame


def enrich_songs(
    versions: DataFrame,
    tags: DataFrame,
    audio_features: DataFrame,
    lyrics: DataFrame,
    answers: Mapping[str, DataFrame],
    conf: config.Enrich,
) -> Enrichment:
    """The audio features and lyrics of each song, and a row for each thing that a source has not.

    `versions` is of `song_versions`, `tags` the table; audio_features and lyrics are the files' rows, with
    the columns of COLUMNS, as strings; `answers` are the cached ones of each service (cache.read_answers).
    In files, audio features are found by spotify_id and lyrics by song_id, and a song without such a row
    is looked for by artist and title. Of several sources the first in conf that has something counts.

    Status in enrichment_failures: not_found; no_match (a name came near: last_error says which); of lyrics
    empty, instrumental, and implausible (no lyric of one song: last_error says why; only under a name,
    what comes under the song's id is kept with its `fault`); of services also those of cache.py, and
    not_asked.
    """
    songs = versions.where("version_id = song_id")
    frames = []
    for part, rows in (("tags", None), ("audio_features", audio_features), ("lyrics", lyrics)):
        for rank, source in enumerate(conf.sources(part)):
            if source == "files":
                of_source = _in_files(part, rows, versions, tags, conf)
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
    part: str, rows: DataFrame | None, versions: DataFrame, tags: DataFrame, conf: config.Enrich
) -> DataFrame:
    # files are at hand and never asked again, so no time is kept: equal runs give equal tables
    attempts = F.lit(1)
    by_name = F.when(F.col("near_miss").isNotNull(), NO_MATCH).otherwise(NOT_FOUND)
    if rows is None:
        tagged = tags.where("source = 'files'").select("song_id").distinct().withColumn("tagged", F.lit(True))
        songs = versions.select("song_id").distinct().join(tagged, "song_id", "left")
        has = F.col("tagged").isNotNull()
        return _with_found(songs.withColumns({"has": has, "status": F.lit(NOT_FOUND), "attempts": attempts}))
    if part == "audio_features":
        ids = versions.withColumn("row_id", F.col("spotify_id"))
        found = find_rows(ids, audio_rows(rows), conf).withColumnRenamed("row", "audio")
        said = {"has": F.col("audio").isNotNull(), "status": by_name, "last_error": F.col("near_miss")}
        return _with_found(found.withColumns({**said, "attempts": attempts}))
    ids = versions.withColumn("row_id", F.col("version_id"))
    found = find_rows(ids, lyric_rows(rows), conf, heed_live=False)
    found = found.select("*", "row.lyrics", "row.fault", "row.language").withColumn("attempts", attempts)
    return _with_found(_judged(found, versions, by_name))


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
        audio = F.struct(*(_feature(name).alias(name) for name in AUDIO_FEATURES))
        return _with_found(rows.withColumns({"audio": F.when(ok, audio), "has": ok}))
    told = F.from_json("content", "title string, artist string, score double, lyrics string")
    rows = said.withColumn("told", told).select(*said.columns, F.when(ok, F.col("told")).alias("told"))
    rows = rows.select(*said.columns, "told.*").withColumn("row", F.col("lyrics"))
    read = with_faults(rows)
    return _with_found(_judged(read, songs, F.col("status")))


def _judged(found: DataFrame, songs: DataFrame, otherwise: Column) -> DataFrame:
    """Lyrics under a name must be a song's, and in its language; those under its id are what they are."""
    spoken = songs.where("version_id = song_id").select("song_id", F.col("language").alias("song_language"))
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
    error = F.when(F.col("row").isNull(), F.col("near_miss" if "near_miss" in rows.columns else "last_error"))
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

    Audio features are asked for by spotify_id, the rest by artist and title as songmood.names writes them;
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
        normalised_artist(F.col("artist")).alias("who"),
        normalised_title(F.col("title")).alias("what"),
    )
    request = F.concat_ws("\t", "who", "what")
    return named.where("who <> '' AND what <> ''").select(
        "song_id", request.alias("request"), "artist", "title"
    )


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
            has = requests_of(songs, source).join(answers[source].where(F.col("status") == OK), "request")
        songs = songs.join(has.select("song_id"), "song_id", "left_anti")
    return songs


def unanswered(
    songs: DataFrame, source: str, answers: DataFrame, conf: config.Fetch, now: datetime
) -> DataFrame:
    """What a service is to be asked for songs, once each: key, artist, title, attempts so far.

    Not asked again: what has an answer, what was not found in the last conf.negative_days, and what
    failed conf.give_up_after times.
    """
    requests = (
        requests_of(songs, source).groupBy("request").agg(F.min(F.struct("artist", "title")).alias("of"))
    )
    fresh = F.col("fetched_at") > F.lit(now - timedelta(days=conf.negative_days))
    settled = F.col("status").isin(OK, PERMANENT) | (
        fresh & (F.col("status").isin(NOT_FOUND, NO_MATCH) | (F.col("attempts") >= conf.give_up_after))
    )
    failed = F.when(F.col("status") == TRANSIENT, F.col("attempts"))
    known = answers.select("request", settled.alias("settled"), failed.alias("failed"))
    open_ = requests.join(known, "request", "left").where("settled IS NULL OR NOT settled")
    return open_.select("request", "of.artist", "of.title", F.coalesce("failed", F.lit(0)).alias("attempts"))


def song_versions(deduped: DataFrame, filtered: DataFrame, duplicates: DataFrame) -> DataFrame:
    """Every row that stands for a song: song_id (the representative), version_id (the row's own id).

    Also spotify_id, lastfm_id, artist, title and language, as that row has them. What a source keys by any of
    these ids counts for the representative.
    """
    columns = ("song_id", "version_id", "spotify_id", "lastfm_id", "artist", "title", "language")
    merged = filtered.withColumnRenamed("song_id", "version_id").join(
        duplicates.select(F.col("song_id").alias("version_id"), F.col("representative_id").alias("song_id")),
        "version_id",
    )
    return deduped.withColumn("version_id", F.col("song_id")).select(*columns).union(merged.select(*columns))


def collect_tags(
    versions: DataFrame, tags: DataFrame, answers: Mapping[str, DataFrame], conf: config.Enrich
) -> DataFrame:
    """Table `tags`: each tag of a song once, in lower case, with the greatest weight it comes with.

    `tags` are rows of `read_tags`, of files; `answers` the cached ones of services. A song has the tags of
    the first source in conf that has any. Weights of 0 to 100 stay as they are. A song whose weights of
    one origin go beyond has counts there, not weights, and these are scaled so that its top tag is 100;
    only then origins are compared. A row without a tag or with a weight that is no number of at least 0
    is left out.
    """
    frames = []
    for rank, source in enumerate(conf.tags):
        if source == "files":
            rows = _tags_in_files(versions, tags)
        else:
            songs = versions.where("version_id = song_id")
            said = requests_of(songs, source).join(answers[source].where(F.col("status") == OK), "request")
            pairs = said.select(
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


def _tags_in_files(versions: DataFrame, tags: DataFrame) -> DataFrame:
    rows = tags.select(_tag_keys("song_id", "lastfm_id").alias("keys"), "tag", "weight", "origin")
    # distinct, or a song on ten albums would meet the tags of its lastfm_id ten times
    songs = versions.select(
        "song_id", F.explode(_tag_keys("version_id", "lastfm_id")).alias("key")
    ).distinct()
    each = rows.withColumn("key", F.explode("keys")).join(songs, "key")
    return each.select("song_id", "tag", "weight", "origin")


def _tag_keys(song_id: str, lastfm_id: str) -> Column:
    return F.array_compact(F.array(F.concat(F.lit("song "), song_id), F.concat(F.lit("lastfm "), lastfm_id)))


def audio_rows(audio_features: DataFrame) -> DataFrame:
    """Rows of audio features for `find_rows`; those of which no feature is within its range go."""
    features = [_feature(name).alias(name) for name in AUDIO_FEATURES]
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
        texts = rows["lyrics"]
        given = texts.notna()
        cleaned = texts.map(clean_lyrics).astype(object)
        fault = texts.map(find_fault).where(given).astype(object)
        language = cleaned.map(_surely_in).astype(object)
        yield rows.assign(lyrics=cleaned, fault=fault, language=language)


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


def _feature(name: str) -> Column:
    low, high = RANGES[name]
    value = F.expr(f"try_cast({name} AS double)")
    valid = value.between(low, high)  # NaN is greater than any number
    if name in DISCRETE_AUDIO_FEATURES:
        return F.when(valid & (value == F.floor(value)), value.cast("int"))
    return F.when(valid, value)
