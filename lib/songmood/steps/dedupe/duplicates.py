"""Duplicates: which records are one song, and the record that stands for its group."""

from __future__ import annotations

from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.block import candidate_pairs
from songmood.steps.dedupe.compare import IDS, LEVELS, compare_records
from songmood.steps.dedupe.group import hold_together, iterate_groups
from songmood.steps.dedupe.parse import name_songs
from songmood.steps.dedupe.weights import Weights, fit_weights
from songmood.tables import DEDUPED, DUPLICATE_PAIRS, DUPLICATES, SONG_RECORDS


class Duplicates(NamedTuple):
    """What was found: `groups` (song_id, group_id) of two records or more, and on what grounds.

    `named` (parse.py) and `pairs` (every pair with its levels and similarity) are kept on disk until
    unpersisted. `left_out` is the number of pairs of records of one block that were not compared.
    """

    groups: DataFrame
    named: DataFrame
    pairs: DataFrame
    weights: Weights
    left_out: int


class Merged(NamedTuple):
    """`ranked` is the frame that the three tables come from: compute it once."""

    deduped: DataFrame
    duplicates: DataFrame
    song_records: DataFrame
    ranked: DataFrame


def iterate_duplicates(songs: DataFrame, settings: DedupeSettings) -> Duplicates:
    """Find the records that are one song (`dedupe.unit` song) or one recording (recording).

    With unit `song`, the same artist and title is the same song, unless the title says nothing
    ('Intro'). Everything else is weighed, and a pair of `dedupe.threshold` or more is linked.
    """
    named = name_songs(songs, settings).persist(StorageLevel.DISK_ONLY)
    candidates = candidate_pairs(named, settings)
    levels = compare_records(candidates.pairs, named, settings).persist(StorageLevel.DISK_ONLY)
    weights = fit_weights(levels, settings)
    pairs = levels.withColumn("similarity", weights.similarity())
    linked = pairs.where(F.col("similarity") >= settings.threshold)
    links = linked.select(F.col("song_id_b").alias("song_id"), F.col("song_id_a").alias("linked_id"))
    groups = hold_together(iterate_groups(links), named, weights, settings).localCheckpoint()
    return Duplicates(groups, named, pairs, weights, int(candidates.left_out.get.get("pairs", 0)))


def merge_groups(songs: DataFrame, found: Duplicates, settings: DedupeSettings) -> Merged:
    """One row for each group and for each record in none, and what was merged into what.

    The representative has the most ids, then the earliest year, then the least song_id. `similarity` is
    the probability that the record and its representative are one song; match_reason says on what
    grounds: how the names compare, and what else speaks for it. A record that is not like its
    representative itself, only others of its group, has 'through another' and 0.
    """
    ids = sum((F.col(name).isNotNull().cast("int") for name in IDS), F.lit(0))
    group = Window.partitionBy("group_id")
    best = group.orderBy(ids.desc(), F.col("year").asc_nulls_last(), "song_id")
    ranked = (
        songs.join(found.groups, "song_id", "left")
        .withColumn("group_id", F.coalesce("group_id", "song_id"))
        .withColumn("version_count", F.count("*").over(group).cast("int"))
        .withColumn("representative_id", F.first("song_id").over(best))
    )
    merged = ranked.where("song_id <> representative_id")
    pairs = merged.select(F.col("song_id").alias("song_id_a"), F.col("representative_id").alias("song_id_b"))
    levels = compare_records(pairs, found.named, settings).select(
        F.col("song_id_a").alias("song_id"), found.weights.similarity().alias("similarity"), match_reason()
    )
    duplicates = (
        merged.select("song_id", "representative_id")
        .join(levels, "song_id", "left")
        .fillna({"similarity": 0.0, "match_reason": "through another"})
    )
    records = ranked.select(
        F.col("song_id").alias("record_id"),
        F.col("representative_id").alias("song_id"),
        *SONG_RECORDS.column_names[2:],
    )
    return Merged(
        ranked.where("song_id = representative_id").select(*DEDUPED.column_names),
        duplicates.select(*DUPLICATES.column_names),
        records,
        ranked,
    )


def match_reason() -> Column:
    """What speaks for a pair: the level of its names, and the other comparisons that agree."""
    names = F.array(*map(F.lit, LEVELS["name"]))
    agreeing = [
        F.when(F.col(name) == len(levels) - 1, f"same {name}")
        for name, levels in LEVELS.items()
        if name not in ("name", "ids")
    ]
    ids = F.when(F.col("ids") == 2, "one id agrees").when(F.col("ids") == 3, "two ids agree")
    said = (F.element_at(names, F.col("name").cast("int") + 1), *agreeing, ids)
    return F.concat_ws("; ", *said).alias("match_reason")


def duplicate_pairs(found: Duplicates) -> DataFrame:
    """Every pair that was compared and could be one song, with its levels in words."""
    words = {
        name: F.element_at(F.array(*map(F.lit, levels)), F.col(name).cast("int") + 1)
        for name, levels in LEVELS.items()
    }
    pairs = found.pairs.withColumnsRenamed({"song_id_a": "song_id", "song_id_b": "other_id"})
    return pairs.withColumns(words).select(*DUPLICATE_PAIRS.column_names)
