"""The questions that songs put to a service: how the cache names them, and which are open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.names.normalize import normalized_artist, normalized_title
from songmood.settings import FetchSettings
from songmood.steps.enrich.service import NO_MATCH, NOT_FOUND, OK, PERMANENT, TRANSIENT
from songmood.steps.enrich.services import BY_NAME, BY_SPOTIFY_ID, find_service


def with_requests(songs: DataFrame, source: str) -> DataFrame:
    """Songs with the `request` that a service is asked with, its key in the cache.

    A request is the spotify_id, or artist and title as songmood.names.normalize writes them. It is null for a
    song without these.
    """
    asked_by = find_service(source).asked_by
    if asked_by == BY_SPOTIFY_ID:
        return songs.withColumn("request", F.col("spotify_id"))
    if asked_by != BY_NAME:
        raise ValueError(f"service {source} is asked by {asked_by}, which is not known")
    names = {
        "asked_artist": normalized_artist(F.col("artist")),
        "asked_title": normalized_title(F.col("title")),
    }
    both = (F.col("asked_artist") != "") & (F.col("asked_title") != "")
    request = F.when(both, F.concat_ws("\t", *names))
    return songs.withColumns(names).withColumn("request", request).drop(*names)


def with_answers(songs: DataFrame, source: str, answers: DataFrame, how: str = "left") -> DataFrame:
    """Songs with the answers of a service; `how` joins them."""
    return with_requests(songs, source).join(answers, "request", how)


def lacking(
    songs: DataFrame,
    part: str,
    sources: tuple[str, ...],
    in_files: DataFrame,
    answers: Mapping[str, DataFrame],
) -> DataFrame:
    """The songs whose part none of these sources has. `in_files` is `found` (sources.py) of files alone."""
    for source in sources:
        if source == "files":
            having = in_files.where((F.col("part") == part) & F.col("has"))
        else:
            having = with_answers(songs, source, answers[source].where(F.col("status") == OK), how="inner")
        songs = songs.join(having.select("song_id"), "song_id", "left_anti")
    return songs


def open_requests(
    songs: DataFrame, source: str, answers: DataFrame, settings: FetchSettings, now: datetime
) -> DataFrame:
    """The requests that a service is to be asked, each once: request, artist, title and attempts so far.

    A request is not sent again if it has an answer, if it was not found in the last settings.negative_days,
    or if it failed settings.give_up_after times.
    """
    requests = (
        with_requests(songs, source)
        .where("request IS NOT NULL")
        .groupBy("request")
        .agg(F.min(F.struct("artist", "title")).alias("song"))
    )
    fresh = F.col("fetched_at") > F.lit(now - timedelta(days=settings.negative_days))
    settled = F.col("status").isin(OK, PERMANENT) | (
        fresh & (F.col("status").isin(NOT_FOUND, NO_MATCH) | (F.col("attempts") >= settings.give_up_after))
    )
    failed = F.when(F.col("status") == TRANSIENT, F.col("attempts"))
    answered = answers.select("request", settled.alias("settled"), failed.alias("failed"))
    left = requests.join(answered, "request", "left").where("settled IS NULL OR NOT settled")
    return left.select(
        "request", "song.artist", "song.title", F.coalesce("failed", F.lit(0)).alias("attempts")
    )
