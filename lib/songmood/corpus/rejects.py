"""The table `rejects`: the records of all parts of a corpus that cannot be read, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.engine.step import Counts


def rejects(frames: Sequence[DataFrame]) -> DataFrame:
    """Table `rejects`: the records that have a problem."""
    problems = [
        frame.where("problem IS NOT NULL").select("source", "record_hash", "raw", "problem")
        for frame in frames
    ]
    return (
        reduce(DataFrame.unionByName, problems)
        .groupBy("source", "record_hash")
        .agg(F.min("problem").alias("reason"), F.count("*").alias("count"), F.min("raw").alias("raw"))
    )


def most_frequent(counts: Counts) -> tuple[str, int, str]:
    """The most frequent reason, the number of rejected records, and a file with that reason."""
    reason = max(counts.reasons, key=lambda name: (counts.reasons[name], name))
    return reason, sum(counts.reasons.values()), counts.examples[reason]


def warn_of_rejects(counts: Counts) -> tuple[str, ...]:
    """A warning of the records that a step rejected, if there are any."""
    if not counts.reasons:
        return ()
    reason, records, file = most_frequent(counts)
    return (
        f"left out {records:,} records that cannot be used (most often {reason}, for example in {file}): the "
        "table rejects has them all",
    )
