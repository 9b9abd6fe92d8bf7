"""The audio features and lyrics of each song: what each source has, and which source counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from songmood.audio import AUDIO_FEATURES, feature
from songmood.lyrics.notices import INSTRUMENTAL
from songmood.lyrics.reading import read_texts
from songmood.settings import EnrichSettings
from songmood.steps.enrich.files import audio_rows, find_rows, lyric_rows, sure_language
from songmood.steps.enrich.questions import with_answers
from songmood.steps.enrich.service import NO_MATCH, NOT_FOUND, OK
from songmood.tables import AUDIO, ENRICHMENT_FAILURES, LYRICS

PARTS = ("tags", "audio_features", "lyrics")


class Files(NamedTuple):
    """What the files of a corpus have.

    `tags` is the table `tags`, `audio_features` the rows of files, with AUDIO_COLUMNS as strings, and
    `lyrics` the table `corpus_lyrics`. The last two are None where there are no files.
    """

    tags: DataFrame
    audio_features: DataFrame | None
    lyrics: DataFrame | None


class Enrichment(NamedTuple):
    """`found` has a row for each song, part and source. All tables come from it: compute it once."""

    audio_features: DataFrame
    lyrics: DataFrame
    enrichment_failures: DataFrame
    found: DataFrame


def find_parts(
    records: DataFrame, files: Files, answers: Mapping[str, DataFrame], settings: EnrichSettings
) -> Enrichment:
    """The audio features and lyrics of each song, and a row for each part that a source does not have.

    `records` is the table `song_records`, and `answers` are the cached answers of each service
    (cache.read_answers). In files, audio features are found by spotify_id and lyrics by song_id; a song
    without such a row is looked for by artist and title. Of several sources the first in the settings that
    has a part counts.

    Status in enrichment_failures: not_found; no_match (a name came near, and last_error says which); of
    lyrics empty, instrumental and implausible (not the lyric of one song, and last_error says why); of
    services those of service.py and not_asked. A text found by the song's id is kept, with its `fault`,
    unless it is a note that there are no lyrics.
    """
    songs = records.where("record_id = song_id")
    frames = []
    for part in PARTS:
        sources = settings.sources(part)
        in_part = []
        for rank, source in enumerate(sources):
            if source != "files":
                rows = _answered(part, source, songs, answers[source], files.tags)
            elif part == "tags":
                rows = _tagged(songs.select("song_id"), files.tags, "files").withColumns(_not_found())
            else:
                rows = _in_files(part, files, records, settings)
            place = {"part": F.lit(part), "source": F.lit(source), "rank": F.lit(rank)}
            in_part.append(_with_all(rows.withColumns(place)))
        if in_part:
            frames.append(_with_best(reduce(DataFrame.unionByName, in_part), len(sources)))
    found = reduce(DataFrame.unionByName, frames)
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


_FEATURES = StructType([field for field in AUDIO.schema.fields if field.name in AUDIO_FEATURES])
# What a source has of a song.
_FOUND = {
    **{"part": "string", "source": "string", "rank": "int", "song_id": "string", "has": "boolean"},
    **{"audio": _FEATURES.simpleString(), "lyrics": "string", "fault": "string"},
    **{"title": "string", "artist": "string", "score": "double"},
    **{"status": "string", "http_status": "int", "attempts": "int", "last_error": "string"},
    "fetched_at": "timestamp",
}


def _with_all(rows: DataFrame) -> DataFrame:
    """The rows with the columns of _FOUND; those that they lack are null."""
    missing = {name: F.lit(None).cast(kind) for name, kind in _FOUND.items() if name not in rows.columns}
    return rows.withColumns(missing).select(*_FOUND)


def _with_best(rows: DataFrame, sources: int) -> DataFrame:
    """The rows with the rank of the first source that has the part, as `best`."""
    rank = F.when(F.col("has"), F.col("rank"))
    return rows.withColumn("best", F.min(rank).over(Window.partitionBy("song_id")) if sources > 1 else rank)


def _not_found(status: Column | None = None) -> dict[str, Column]:
    # files are at hand and are not asked again, so no time is kept: equal runs give equal tables
    return {"status": F.lit(NOT_FOUND) if status is None else status, "attempts": F.lit(1)}


def _tagged(rows: DataFrame, tags: DataFrame, source: str) -> DataFrame:
    """Rows that say whether the song `has` tags of a source."""
    tagged = tags.where(F.col("source") == source).select("song_id").distinct()
    joined = rows.join(tagged.withColumn("tagged", F.lit(True)), "song_id", "left")
    return joined.withColumn("has", F.col("tagged").isNotNull())


# -- files -----------------------------------------------------------------------------------


def _in_files(part: str, files: Files, records: DataFrame, settings: EnrichSettings) -> DataFrame:
    """The audio features or lyrics that files have of each song."""
    by_name = F.when(F.col("near_miss").isNotNull(), NO_MATCH).otherwise(NOT_FOUND)
    if part == "audio_features" and files.audio_features is not None:
        ids = records.withColumn("row_id", F.col("spotify_id"))
        rows = find_rows(ids, audio_rows(files.audio_features), settings)
        has = {"has": F.col("row").isNotNull(), "audio": F.col("row"), "last_error": F.col("near_miss")}
        return rows.withColumns({**has, **_not_found(by_name)})
    if part == "lyrics" and files.lyrics is not None:
        ids = records.withColumn("row_id", F.col("record_id"))
        rows = find_rows(ids, lyric_rows(files.lyrics), settings, heed_live=False)
        texts = rows.select("*", "row.*").withColumns(
            {"last_error": F.col("near_miss"), "attempts": F.lit(1)}
        )
        return _judged(texts, by_name)
    nothing = {"has": F.lit(False), **_not_found()}
    return records.where("record_id = song_id").select("song_id").withColumns(nothing)


# -- services --------------------------------------------------------------------------------


def _answered(part: str, source: str, songs: DataFrame, answers: DataFrame, tags: DataFrame) -> DataFrame:
    """What a service answered for each song."""
    keys = songs.select("song_id", "spotify_id", "artist", "title", F.col("language").alias("song_language"))
    answered = with_answers(keys, source, answers.drop("source")).drop("spotify_id", "artist", "title")
    answered = answered.withColumn("status", F.coalesce("status", F.lit("not_asked")))
    ok = F.col("status") == OK
    if part == "tags":
        return _tagged(answered, tags, source)
    if part == "audio_features":
        texts = StructType([StructField(name, StringType()) for name in AUDIO_FEATURES])
        rows = answered.withColumn("features", F.from_json("content", texts)).select("*", "features.*")
        audio = F.struct(*(feature(name).alias(name) for name in AUDIO_FEATURES))
        return rows.withColumns({"audio": F.when(ok, audio), "has": ok}).drop(*AUDIO_FEATURES)
    if part == "lyrics":
        content = F.from_json("content", "title string, artist string, score double, lyrics string")
        rows = answered.withColumn("text", F.when(ok, content)).select(*answered.columns, "text.*")
        # asked by name, so found by name, also where a service does not say how well it matches
        rows = rows.withColumn("score", F.when(ok, F.coalesce("score", F.lit(100.0))))
        read = _read(rows.withColumn("row", F.col("lyrics")))
        return _judged(read, F.col("status"))
    raise ValueError(f"no answers are read for the part {part}")


def _read(rows: DataFrame) -> DataFrame:
    """Rows with their `lyrics` cleaned, and with their `fault` and, where it is sure, their `language`."""
    fields = [
        StructField("fault", StringType()),
        StructField("language", StringType()),
        StructField("language_probability", DoubleType()),
    ]
    read = rows.mapInPandas(_read_lyrics, StructType([*rows.schema.fields, *fields]))
    return read.withColumn("language", sure_language()).drop("language_probability")


def _read_lyrics(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        read = read_texts(rows["lyrics"]).set_axis(rows.index)
        yield rows.assign(**{str(name): column for name, column in read.items()})


# -- lyrics ----------------------------------------------------------------------------------


def _judged(rows: DataFrame, otherwise: Column) -> DataFrame:
    """Rows that say whether they have the song's lyrics; `otherwise` is the status where there is no row.

    Lyrics found by name must be without a fault and in the song's language. Lyrics found by id are kept.
    """
    named = F.col("score").isNotNull()
    other_language = named & (F.col("language") != F.col("song_language"))
    fault = F.coalesce("fault", F.when(other_language, "other language"))
    refused = fault.isNotNull() & (named | F.col("lyrics").isNull())
    status = (
        F.when(F.col("row").isNull(), otherwise)
        .when(fault == INSTRUMENTAL, INSTRUMENTAL)
        .when(fault == "empty", "empty")
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
