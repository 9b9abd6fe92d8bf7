"""ingest: read the song records of the corpus, in any layout that WASABI is published in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.corpus.lines import TOO_LONG
from songmood.corpus.songs import DUPLICATE, UNCLOSED_QUOTE, make_songs, read_records
from songmood.engine.errors import UserError
from songmood.engine.step import Counts, Notes, step
from songmood.settings import IngestSettings

# What to do about the reasons that say more than that a file is broken.
_ADVICE = {
    TOO_LONG: "write one record on each line (or raise ingest.max_line_mb)",
    UNCLOSED_QUOTE: "write one record on each line, without line breaks in quoted values",
}


class Ingested(NamedTuple):
    """The songs, and the records that could not be read."""

    songs: DataFrame
    rejects: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


def review(counts: Mapping[str, Counts], settings: IngestSettings) -> Notes:
    """Warn of repeated ids. Raises UserError if too many records cannot be read."""
    warnings = []
    rejects = dict(counts["rejects"].reasons)
    examples = counts["rejects"].examples
    if DUPLICATE in rejects:
        repeated = rejects.pop(DUPLICATE)
        warnings.append(
            f"{repeated:,} records repeat the id of another song and were left out (e.g. in {examples[DUPLICATE]})"
        )
    unread, songs = sum(rejects.values()), counts["songs"].rows
    if unread > settings.max_reject_share * (songs + unread):
        reason = max(rejects, key=lambda name: (rejects[name], name))
        raise UserError(
            f"{unread:,} of {songs + unread:,} records cannot be read "
            f"(most: {reason}, e.g. in {examples[reason]}): "
            f"{_ADVICE.get(reason, 'correct the files in songs/')}, or raise ingest.max_reject_share"
        )
    return Notes(tuple(warnings))


@step("ingest", "read the song records", review=review)
def ingest_songs(spark: SparkSession, song_files: list[str], settings: IngestSettings) -> Ingested:
    """The tables `songs` and `rejects`, from the corpus' song files."""
    records = read_records(spark, song_files, settings.max_line_mb * 2**20)
    made = make_songs(records)
    ignored = tuple(
        f"{file} is not a format that songs are read from, and was left out" for file in records.ignored
    )
    return Ingested(made.songs, made.rejects, (made.checked,), Notes(ignored))
