"""enrich: tags, audio features and lyrics for songs (paper 3.1), from files and from services.

sources.py      what each source has for each song, and which one counts
files.py        rows of files, and which of them is about a song
services/       one file for each service
asking.py       asking a service: batches, tries, pauses
gate.py         the pace, the budget, and what an answer means
cache.py        what was answered
keys.py         keys of services
__init__.py     the steps fetch and enrich
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.corpus.files import read_columns
from songmood.corpus.tags import read_tags
from songmood.engine.step import Counts, Notes, step
from songmood.settings import EnrichSettings, IngestSettings, Settings
from songmood.steps.enrich.asking import Request, fetch_answers
from songmood.steps.enrich.cache import RequestCache, cache_folder, read_answers
from songmood.steps.enrich.files import AUDIO_COLUMNS
from songmood.steps.enrich.gate import Budget
from songmood.steps.enrich.keys import hidden
from songmood.steps.enrich.services import open_service
from songmood.steps.enrich.sources import collect_tags, find_parts, lacking, unanswered

PARTS = ("tags", "audio_features", "lyrics")


class Enriched(NamedTuple):
    """What songs have, and what each source lacks."""

    tags: DataFrame
    audio_features: DataFrame
    lyrics: DataFrame
    enrichment_failures: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


def review(
    counts: Mapping[str, Counts],
    tag_files: list[str],
    audio_files: list[str],
    lyric_files: list[str],
    settings: EnrichSettings,
) -> Notes:
    """Warn of a part that no song has."""
    warnings, figures = [], {}
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
    """The tables `tags`, `audio_features`, `lyrics` and `enrichment_failures`.

    `answers` names the folder of what each service that is switched on has answered so far.
    """
    answered = {source: read_answers(spark, folder, source) for source, folder in answers.items()}
    tag_rows, warnings = _read_tags(spark, tag_files, settings, ingest_settings)
    tags = collect_tags(song_records, tag_rows, answered, settings)
    found = find_parts(
        song_records,
        tags,
        read_columns(spark, audio_files, AUDIO_COLUMNS) if audio_files else None,
        corpus_lyrics if rows["corpus_lyrics"] else None,
        answered,
        settings,
    )
    return Enriched(
        tags,
        found.audio_features,
        found.lyrics,
        found.enrichment_failures,
        (tags, found.found),
        Notes(warnings),
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
    """Ask the services that are switched on for the songs that the sources before them lack.

    Their answers are kept in the cache, where enrich reads them.
    """
    asked, folder = settings.enrich, cache_folder(settings)
    seconds = None if settings.fetch.max_minutes is None else 60 * settings.fetch.max_minutes
    budget = Budget(settings.fetch.max_requests, seconds)
    services = {name: open_service(name, settings, budget) for name in asked.services}
    warnings: list[str] = []
    figures: dict[str, object] = {}
    with RequestCache(folder) as cache:
        now = datetime.now(timezone.utc)
        newest = cache.newest_time()
        if newest is not None and newest > now + timedelta(hours=1):
            warnings.append(f"the clock may be set back: the cache has answers of {newest:%Y-%m-%d %H:%M}")
        only_files = asked.model_copy(update=dict.fromkeys(PARTS, ("files",)))
        tag_rows, _ = _read_tags(spark, tag_files, only_files, settings.ingest)
        tagged = collect_tags(song_records, tag_rows, {}, only_files).persist()
        found = find_parts(
            song_records,
            tagged,
            read_columns(spark, audio_files, AUDIO_COLUMNS) if audio_files else None,
            corpus_lyrics if rows["corpus_lyrics"] else None,
            {},
            only_files,
        ).found.persist()
        for part in PARTS:
            for rank, name in enumerate(asked.sources(part)):
                if name == "files":
                    continue
                answers = {s: read_answers(spark, folder, s) for s in asked.sources(part) if s != "files"}
                songs = lacking(deduped, part, asked.sources(part)[:rank], found, answers)
                open_requests = unanswered(songs, name, answers[name], settings.fetch, now).persist()
                requests = (Request(*row) for row in open_requests.orderBy("request").toLocalIterator())
                outcome = fetch_answers(
                    services[name], requests, open_requests.count(), cache, settings.fetch
                )
                cache.flush()
                figures |= {name: dict(outcome.statuses), f"{name}_requests": budget.asked}
                if outcome.stopped:
                    warnings.append(
                        hidden(
                            f"{name} was not asked for all songs: {outcome.stopped}; "
                            "run the same command again to resume"
                        )
                    )
                open_requests.unpersist()
        found.unpersist()
        tagged.unpersist()
    return Notes(tuple(warnings), figures)


def _read_tags(
    spark: SparkSession, files: list[str], settings: EnrichSettings, ingest_settings: IngestSettings
) -> tuple[DataFrame, tuple[str, ...]]:
    """The rows of the corpus' tag files, and a warning for each file with lines that cannot be read."""
    read = read_tags(spark, files, ingest_settings.max_line_mb * 2**20, settings.max_pickle_mb * 2**20)
    warnings = tuple(
        f"{lines:,} lines of {file} are not JSON records, or are too long, and were left out"
        for file, lines in read.unread.groupBy("file").count().orderBy("file").collect()
    )
    return read.rows, warnings
