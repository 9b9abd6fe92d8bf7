"""dedupe: one row for each song, where a corpus has one for each album a song is on (paper 3.2).

parse.py       a record as names: who, what, which version, wherever it was written
named.py       the table of those names, and of the other fields that are compared
block.py       which records are worth comparing: candidate pairs
sides.py       pairs of records as arrays
artists.py     whether the artists of two records are the same
compare.py     how similar two records are: a level for each comparison
weights.py     the weight of each level: Fellegi and Sunter's model, learned from the corpus by EM
group.py       duplicate groups: connected, and similar on average
duplicates.py  the whole way from records to groups, and the record that represents each group
__init__.py    the step
"""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.engine.step import Notes, step
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.duplicates import duplicate_pairs, iterate_duplicates, merge_groups
from songmood.tables import MATCH_WEIGHTS


class Deduped(NamedTuple):
    """The songs, the records merged into them, and the evidence."""

    deduped: DataFrame
    duplicates: DataFrame
    song_records: DataFrame
    duplicate_pairs: DataFrame
    match_weights: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


@step("dedupe", "one row for each song")
def dedupe_songs(spark: SparkSession, filtered: DataFrame, settings: DedupeSettings) -> Deduped:
    """Find the records that are one song, and keep one record of each song."""
    found = iterate_duplicates(filtered, settings)
    merged = merge_groups(filtered, found, settings)
    weights = spark.createDataFrame(found.weights.rows(), MATCH_WEIGHTS.schema)
    figures = {"pairs_left_out": found.left_out, "match_share": found.weights.match_share}
    return Deduped(
        merged.deduped,
        merged.duplicates,
        merged.song_records,
        duplicate_pairs(found),
        weights,
        (merged.linked,),
        Notes(figures=figures),
    )
