"""enrich: tags, audio features and lyrics for songs (paper 3.1), from files and from services.

__init__.py     the steps fetch and enrich
tags.py         the tags of each song
sources.py      the audio features and lyrics of each song: what each source has, and which source counts
files.py        what files have: which of their rows is about a song
questions.py    what services are asked about songs
services/       the list of services, and a file for each
service.py      what a service is
asking.py       asking a service: batches, retries, pauses
gate.py         the pace, the budget, and what a status means
cache.py        the answers of services
old_cache.py    the answers as songmood kept them before
keys.py         the keys of services
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.corpus.audio_features import read_audio_features
from songmood.corpus.rejects import rejects, warn_of_rejects
from songmood.corpus.tags import TagFiles, read_tags
from songmood.engine.step import Counts, Notes, step
from songmood.settings import EnrichSettings, IngestSettings, Settings
from songmood.steps.enrich.asking import Outcome, fetch_answers
from songmood.steps.enrich.cache import RequestCache, cache_folder, read_answers
from songmood.steps.enrich.gate import Budget
from songmood.steps.enrich.keys import hide
from songmood.steps.enrich.questions import lacking, open_requests
from songmood.steps.enrich.service import Request, Service
from songmood.steps.enrich.services import KEY_NAMES, open_service
from songmood.steps.enrich.sources import PARTS, Enrichment, Files, find_parts
from songmood.steps.enrich.tags import collect_tags


class Enriched(NamedTuple):
    """What songs have, what each source lacks, and the rows of files that cannot be read."""

    tags: DataFrame
    audio_features: DataFrame
    lyrics: DataFrame
    enrichment_failures: DataFrame
    rejects: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


def review(
    counts: Mapping[str, Counts],
    tag_files: list[str],
    audio_files: list[str],
    lyric_files: list[str],
    settings: EnrichSettings,
) -> Notes:
    """Warn of a part that no song has, and of rows of files that cannot be read."""
    warnings, figures = [*warn_of_rejects(counts["rejects"])], {}
    for part, files in zip(PARTS, (tag_files, audio_files, lyric_files), strict=True):
        counted = counts[part]
        songs = counted.rows if counted.distinct is None else counted.distinct
        figures[f"songs_with_{part}"] = songs
        if not files and settings.sources(part) == ("files",):
            warnings.append(f"no {part}: the corpus has no files in its folder {part}/")
        elif not songs and files:
            warnings.append(
                f"no {part}: none of the rows in the corpus' folder {part}/ belongs to a song that was kept"
            )
    return Notes(tuple(warnings), figures)


@step("enrich", "add tags, audio features and lyrics", review=review)
def enrich_songs(
    spark: SparkSession,
    song_records: DataFrame,
    corpus_lyrics: DataFrame,
    tag_files: list[str],
    audio_files: list[str],
    answers: Mapping[str, str],
    settings: EnrichSettings,
    ingest_settings: IngestSettings,
    rows: Mapping[str, int],
) -> Enriched:
    """The tables `tags`, `audio_features`, `lyrics` and `enrichment_failures`, and more `rejects`.

    `answers` has the folder with the answers of each service that is switched on.
    """
    answered = {source: read_answers(spark, folder, source) for source, folder in answers.items()}
    tags_read = _read_tags(spark, tag_files, settings, ingest_settings)
    audio_read = read_audio_features(spark, audio_files, ingest_settings.max_line_bytes)
    tags = collect_tags(song_records, tags_read.rows, answered, settings)
    files = Files(
        tags, _without_rejects(audio_read, audio_files), corpus_lyrics if rows["corpus_lyrics"] else None
    )
    found = find_parts(song_records, files, answered, settings)
    return Enriched(
        tags,
        found.audio_features,
        found.lyrics,
        found.enrichment_failures,
        rejects([tags_read.read, audio_read]),
        (tags_read.read, audio_read, tags, found.found),
    )


@step("fetch", "ask services for what the files lack")
def fetch_parts(
    spark: SparkSession,
    deduped: DataFrame,
    song_records: DataFrame,
    corpus_lyrics: DataFrame,
    tag_files: list[str],
    audio_files: list[str],
    settings: Settings,
    rows: Mapping[str, int],
) -> Notes:
    """Ask the services that are switched on about the songs that the sources before them lack.

    Their answers are kept in the cache, where enrich reads them.
    """
    seconds = None if settings.fetch.max_minutes is None else 60 * settings.fetch.max_minutes
    budget = Budget(settings.fetch.max_requests, seconds)
    services = {name: open_service(name, settings, budget) for name in settings.enrich.services}
    only_files = settings.enrich.model_copy(update=dict.fromkeys(PARTS, ("files",)))
    figures: dict[str, object] = {}
    with RequestCache(cache_folder(settings)) as cache:
        now = datetime.now(timezone.utc)
        warnings = [*cache.notes, *_clock_warnings(cache.newest_time(), now)]
        tag_rows = _read_tags(spark, tag_files, only_files, settings.ingest).rows
        tags = collect_tags(song_records, tag_rows, {}, only_files)
        lyrics = corpus_lyrics if rows["corpus_lyrics"] else None
        audio_read = read_audio_features(spark, audio_files, settings.ingest.max_line_bytes)
        files = Files(tags, _without_rejects(audio_read, audio_files), lyrics)
        in_files = find_parts(song_records, files, {}, only_files)
        kept = [frame.persist() for frame in (tags, in_files.found)]
        for part in PARTS:
            for name in (source for source in settings.enrich.sources(part) if source != "files"):
                outcome = fetch_service(services[name], part, deduped, in_files, cache, settings, now)
                figures |= {name: dict(outcome.statuses), f"{name}_requests": budget.asked}
                if outcome.stopped:
                    warnings.append(
                        hide(
                            f"{name} was not asked about all songs: {outcome.stopped}; "
                            "run the same command again to resume",
                            KEY_NAMES,
                        )
                    )
        for frame in kept:
            frame.unpersist()
    return Notes(tuple(warnings), figures)


def fetch_service(
    service: Service,
    part: str,
    songs: DataFrame,
    in_files: Enrichment,
    cache: RequestCache,
    settings: Settings,
    now: datetime,
) -> Outcome:
    """Ask a service about the songs whose part no source before it has."""
    sources = settings.enrich.sources(part)
    answers = {
        source: read_answers(songs.sparkSession, cache.folder, source, content=False)
        for source in sources
        if source != "files"
    }
    lack = lacking(songs, part, sources[: sources.index(service.name)], in_files.found, answers)
    unasked = open_requests(lack, service.name, answers[service.name], settings.fetch, now).persist()
    total = unasked.count()  # before the first answer, so that none changes what is asked
    requests = (Request(*row) for row in unasked.orderBy("request").toLocalIterator())
    outcome = fetch_answers(service, requests, total, cache, settings.fetch)
    unasked.unpersist()
    return outcome


def _read_tags(
    spark: SparkSession, files: list[str], settings: EnrichSettings, ingest_settings: IngestSettings
) -> TagFiles:
    return read_tags(spark, files, ingest_settings.max_line_bytes, settings.max_pickle_mb * 2**20)


def _without_rejects(records: DataFrame, files: list[str]) -> DataFrame | None:
    """The records that can be read; None if there are no files."""
    return records.where("problem IS NULL") if files else None


def _clock_warnings(newest: datetime | None, now: datetime) -> list[str]:
    if newest is None or newest <= now + timedelta(hours=1):
        return []
    return [f"the clock may be set back: the cache has answers of {newest:%Y-%m-%d %H:%M}"]
