"""Duplicates: which records are one song, and the record that stands for its group."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.block import candidate_pairs
from songmood.steps.dedupe.compare import APART, LEVELS, SAME, compare_pairs
from songmood.steps.dedupe.group import hold_together, iterate_groups
from songmood.steps.dedupe.named import iterate_names
from songmood.steps.dedupe.weights import Weights, fit_weights
from songmood.tables import DEDUPED, DUPLICATE_PAIRS, DUPLICATES, OTHER_IDS, SONG_RECORDS


class Duplicates(NamedTuple):
    """The `groups` (song_id, group_id) that were found, and the evidence.

    A group has two records or more, or is a record that was split off. `named` has the names of records
    (named.py), `pairs` the candidates with the level of each comparison. `left_out` is the number of pairs
    of records of one block that were not compared.
    """

    groups: DataFrame
    named: DataFrame
    pairs: DataFrame
    weights: Weights
    left_out: int


class Merged(NamedTuple):
    """The tables; `linked` is the frame that they come from, to be computed once."""

    deduped: DataFrame
    duplicates: DataFrame
    song_records: DataFrame
    linked: DataFrame


def iterate_duplicates(songs: DataFrame, settings: DedupeSettings) -> Duplicates:
    """Find the records that are one song (`dedupe.unit` song) or one recording (recording).

    With unit `song`, the same artist and title is the same song, unless the title is generic ('Intro').
    All other pairs are weighed, and a pair with a similarity of at least `dedupe.threshold` is linked.
    """
    named = iterate_names(songs, settings)
    candidates = candidate_pairs(named, settings)
    pairs = candidates.pairs.checkpoint()
    weights = fit_weights(pairs, settings)
    linked = pairs.where(weights.similarity() >= settings.threshold)
    links = linked.select(F.col("song_id_b").alias("song_id"), F.col("song_id_a").alias("linked_id"))
    groups = hold_together(iterate_groups(links), named, weights, settings).checkpoint()
    # nothing is reported of a plan that Spark finds to be empty
    left_out = int(candidates.left_out.get.get("pairs") or 0)
    return Duplicates(groups, named, pairs, weights, left_out)


def merge_groups(songs: DataFrame, found: Duplicates, settings: DedupeSettings) -> Merged:
    """One row for each group and for each record outside groups, and the records merged into each.

    The representative has the most ids, then the earliest year, then the least song_id. `similarity` is
    the probability that the record and its representative are one song. match_reason gives the evidence:
    how the names compare, and what else agrees. A record that is not like its representative, only like
    others of its group, has 'through another' and 0.
    """
    linked = _compare_to_representative(found, settings)
    records = songs.join(
        linked.select("song_id", "representative_id", "version_count"), "song_id", "left"
    ).withColumn("representative_id", F.coalesce("representative_id", "song_id"))
    deduped = records.where("song_id = representative_id").withColumn(
        "version_count", F.coalesce("version_count", F.lit(1))
    )
    song_records = records.select(
        F.col("song_id").alias("record_id"),
        F.col("representative_id").alias("song_id"),
        *SONG_RECORDS.column_names[2:],
    )
    return Merged(
        deduped.select(*DEDUPED.column_names),
        linked.where("song_id <> representative_id").select(*DUPLICATES.column_names),
        song_records,
        linked,
    )


def _compare_to_representative(found: Duplicates, settings: DedupeSettings) -> DataFrame:
    """The records in groups: song_id, representative_id, version_count, similarity and match_reason."""
    ids = sum(((F.col(name) != "").cast("int") for name in OTHER_IDS), F.lit(0))
    group = Window.partitionBy("group_id")
    best = group.orderBy(F.desc(ids), F.asc_nulls_last("year"), "song_id")
    members = found.groups.join(found.named.select("song_id", *OTHER_IDS, "year"), "song_id").select(
        F.col("song_id").alias("song_id_a"),
        F.first("song_id").over(best).alias("song_id_b"),
        F.count("*").over(group).cast("int").alias("version_count"),
    )
    compared = compare_pairs(members, found.named, settings)
    is_apart = F.col("name") == APART
    return compared.select(
        F.col("song_id_a").alias("song_id"),
        F.col("song_id_b").alias("representative_id"),
        "version_count",
        found.weights.similarity().alias("similarity"),
        F.when(is_apart, "through another").otherwise(match_reason()).alias("match_reason"),
    )


def match_reason() -> Column:
    """The evidence for a pair: the level of its names, and the other comparisons that agree."""
    agreeing = [
        F.when(F.col(comparison).isin(*levels), f"same {comparison}") for comparison, levels in SAME.items()
    ]
    ids = F.when(F.col("ids") == 2, "one id agrees").when(F.col("ids") == 3, "two ids agree")
    return F.concat_ws("; ", level_in_words("name"), *agreeing, ids)


def level_in_words(comparison: str) -> Column:
    """The level of a comparison as text; null for names that are APART."""
    return F.get(F.array(*map(F.lit, LEVELS[comparison])), F.col(comparison).cast("int"))


def duplicate_pairs(found: Duplicates) -> DataFrame:
    """Every pair that was compared and can be one song, with its levels as text."""
    pairs = found.pairs.withColumnsRenamed({"song_id_a": "song_id", "song_id_b": "other_id"})
    levels = {name: level_in_words(name) for name in LEVELS}
    similarity = {"similarity": found.weights.similarity()}
    return pairs.withColumns(similarity | levels).select(*DUPLICATE_PAIRS.column_names)
