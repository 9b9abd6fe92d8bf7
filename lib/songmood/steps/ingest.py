"""ingest: read the song records of the corpus, in any layout in which WASABI is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.corpus.records import read_records
from songmood.corpus.rejects import most_frequent
from songmood.corpus.songs import DUPLICATE, make_songs
from songmood.corpus.splitting import BROKEN_JSON, TOO_LONG, UNCLOSED_QUOTE
from songmood.engine.errors import UserError
from songmood.engine.step import Counts, Notes, step
from songmood.settings import IngestSettings

# What to do about the reasons to reject a record that tell more than that its file is broken.
_ADVICE = {
    TOO_LONG: "write one record on each line (or raise ingest.max_line_mb)",
    UNCLOSED_QUOTE: "write one record on each line, without line breaks in quoted values",
    BROKEN_JSON: "write JSON records, best one on each line",
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
    unread, examples = dict(counts["rejects"].reasons), counts["rejects"].examples
    repeated = unread.pop(DUPLICATE, 0)
    if repeated:
        warnings.append(
            f"left out {repeated:,} records that repeat the id of another song, for example in "
            f"{examples[DUPLICATE]}"
        )
    records = counts["songs"].rows + sum(unread.values())
    if sum(unread.values()) > settings.max_reject_share * records:
        reason, number, file = most_frequent(counts["rejects"]._replace(reasons=unread))
        raise UserError(
            f"{number:,} of {records:,} records cannot be read (most often {reason}, for example in {file}): "
            f"{_ADVICE.get(reason, 'correct the files in songs/')}, or raise ingest.max_reject_share"
        )
    return Notes(tuple(warnings))


@step("ingest", "read the song records", review=review)
def ingest_songs(spark: SparkSession, song_files: list[str], settings: IngestSettings) -> Ingested:
    """The tables `songs` and `rejects`, from the corpus' song files."""
    records = read_records(spark, song_files, settings.max_line_bytes)
    made = make_songs(records)
    ignored = tuple(
        f"left out {file}: songs are not read from files of this format" for file in records.ignored
    )
    return Ingested(made.songs, made.rejects, (made.checked,), Notes(ignored))
