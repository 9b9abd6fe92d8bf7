"""ingest: read the song records of the corpus, in any layout in which WASABI is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.corpus.lines import TOO_LONG
from songmood.corpus.records import UNCLOSED_QUOTE, read_records
from songmood.corpus.songs import DUPLICATE, make_songs
from songmood.engine.errors import UserError
from songmood.engine.step import Counts, Notes, step
from songmood.settings import IngestSettings

# What to do about the reasons to reject a record that tell more than that its file is broken.
_ADVICE = {
    TOO_LONG: "write one record on each line (or raise ingest.max_line_mb)",
    UNCLOSED_QUOTE: "write one record on each line, without line breaks in quoted values",
}


class Ingested(NamedTuple):
    """The songs, and the records that are rejected."""

    songs: DataFrame
    rejects: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


def review(counts: Mapping[str, Counts], settings: IngestSettings) -> Notes:
    """Warn of repeated ids. Raises UserError if too many records cannot be read."""
    warnings = []
    rejects, examples = dict(counts["rejects"].reasons), counts["rejects"].examples
    repeated = rejects.pop(DUPLICATE, 0)
    if repeated:
        warnings.append(
            f"left out {repeated:,} records that repeat the id of another song, for example in "
            f"{examples[DUPLICATE]}"
        )
    unread, songs = sum(rejects.values()), counts["songs"].rows
    if unread > settings.max_reject_share * (songs + unread):
        reason = max(rejects, key=lambda name: (rejects[name], name))
        raise UserError(
            f"{unread:,} of {songs + unread:,} records cannot be read (most often {reason}, for example in "
            f"{examples[reason]}): {_ADVICE.get(reason, 'correct the files in songs/')}, or raise "
            "ingest.max_reject_share"
        )
    return Notes(tuple(warnings))


@step("ingest", "read the song records", review=review)
def ingest_songs(spark: SparkSession, song_files: list[str], settings: IngestSettings) -> Ingested:
    """The tables `songs` and `rejects`, from the corpus' song files."""
    records = read_records(spark, song_files, settings.max_line_mb * 2**20)
    made = make_songs(records)
    ignored = tuple(
        f"left out {file}: songs are not read from files of this format" for file in records.ignored
    )
    return Ingested(made.songs, made.rejects, (made.checked,), Notes(ignored))
