"""Duplicate groups from similar pairs: connected records that are also similar on average.

Two records may be linked through a third that is like both while they are not like each other. So the
connected components only limit where groups are looked for: within a component, every pair is compared,
and records are grouped by average linkage.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Observation, Window
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.compare import APART, compare_sides
from songmood.steps.dedupe.sides import FIELDS, sides_of
from songmood.steps.dedupe.weights import Array, Weights


def iterate_groups(links: DataFrame) -> DataFrame:
    """The connected components of links (song_id, linked_id), as (song_id, group_id).

    group_id is the least song_id of the component. Records without links are left out. Alternates the
    large-star and small-star steps of Kiveris et al. 2014, "Connected Components in MapReduce and Beyond",
    which end after a logarithmic number of rounds. Each round's result is a checkpoint, so the plan does not
    grow.
    """
    edges, state = _iterate_once(links.select(F.col("song_id").alias("a"), F.col("linked_id").alias("b")))
    before = None
    while state != before:
        before = state
        edges, state = _iterate_once(_small_star(_large_star(edges)))
    roots = edges.select(F.col("b").alias("song_id"), F.col("b").alias("group_id")).distinct()
    return edges.select(F.col("a").alias("song_id"), F.col("b").alias("group_id")).unionByName(roots)


def _iterate_once(edges: DataFrame) -> tuple[DataFrame, tuple[int, int]]:
    """The edges, computed, and their number and the sum of their hashes: equal only for the same edges."""
    observed = Observation("edges")
    count, hashes = F.count(F.lit(1)), F.sum(F.xxhash64("a", "b").cast("decimal(38,0)"))
    kept = edges.observe(observed, count.alias("count"), hashes.alias("hashes")).checkpoint()
    found = observed.get  # nothing is reported of a plan that Spark finds to be empty
    return kept, (int(found.get("count") or 0), int(found.get("hashes") or 0))


def _large_star(edges: DataFrame) -> DataFrame:
    """Link each larger neighbor of a record to the least of its neighbors and itself."""
    both = edges.unionByName(edges.select(F.col("b").alias("a"), F.col("a").alias("b")))
    least = F.least("a", F.min("b").over(Window.partitionBy("a")))
    return (
        both.withColumn("least", least)
        .where("b > a")
        .select(F.col("b").alias("a"), F.col("least").alias("b"))
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """Link each record and its smaller neighbors to the least of them."""
    ordered = edges.select(F.greatest("a", "b").alias("a"), F.least("a", "b").alias("b"))
    starred = ordered.withColumn("least", F.min("b").over(Window.partitionBy("a")))
    ends = F.explode(F.array("a", "b")).alias("a")
    return starred.select(ends, F.col("least").alias("b")).where("a <> b").distinct()


def hold_together(
    groups: DataFrame, named: DataFrame, weights: Weights, settings: DedupeSettings
) -> DataFrame:
    """Groups (song_id, group_id) whose records are similar on average, from connected ones.

    In a component of three records or more, all pairs are compared, and two groups are merged while the
    mean similarity of their records is at least `dedupe.cohesion` (average linkage, the most similar
    first). In a component of more than `dedupe.max_component` records, only those with equal artist and
    title stay together. group_id is the least song_id.
    """
    sized = groups.withColumn("size", F.count("*").over(Window.partitionBy("group_id")))
    pairs = sized.where("size = 2").select("song_id", "group_id")
    components = (
        sized.where(F.col("size").between(3, settings.max_component))
        .join(named, "song_id")
        .select("group_id", "song_id", *FIELDS)
        .repartition("group_id")
        .sortWithinPartitions("group_id", "song_id")
    )
    split = components.mapInPandas(
        partial(_split_batches, weights=weights, settings=settings), "song_id string, group_id string"
    )
    large = sized.where(F.col("size") > settings.max_component).join(named, "song_id")
    name = Window.partitionBy("group_id", "artist", "key", "version", "numbers")
    equal = large.select("song_id", F.min("song_id").over(name).alias("group_id"))
    return pairs.unionByName(split).unionByName(equal)


def _split_batches(
    batches: Iterator[pd.DataFrame], weights: Weights, settings: DedupeSettings
) -> Iterator[pd.DataFrame]:
    for rows in _whole_components(batches):
        groups = _split_components(rows, weights, settings)
        yield pd.DataFrame({"song_id": rows["song_id"], "group_id": groups})


def _whole_components(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows, sorted by component, in batches that end where a component ends."""
    rest = None
    for batch in batches:
        rows = batch if rest is None else pd.concat([rest, batch], ignore_index=True)
        if rows.empty:
            continue
        is_last = rows["group_id"] == rows["group_id"].iloc[-1]
        rest = rows[is_last]
        if not is_last.all():
            yield rows[~is_last]
    if rest is not None:
        yield rest.reset_index(drop=True)


def _split_components(rows: pd.DataFrame, weights: Weights, settings: DedupeSettings) -> list[str]:
    """The group of each row of whole components, as its least song_id; rows are sorted."""
    from scipy.cluster.hierarchy import fcluster, linkage  # here: workers that only compare save a second

    starts = np.flatnonzero(~rows["group_id"].duplicated())
    sizes = np.diff([*starts, len(rows)])
    pairs = [np.triu_indices(size, 1) for size in sizes]
    a, b = (
        np.concatenate([start + pair[side] for start, pair in zip(starts, pairs, strict=True)])
        for side in (0, 1)
    )
    levels = compare_sides(sides_of(rows, FIELDS, a, b), settings)
    distances: Array = 1 - weights.similarities(levels)
    if settings.unit == "recording":  # other lengths weigh more than names that are the same
        distances = np.where(levels["name"] == APART, 2.0, distances)
    ends = np.cumsum([len(pair[0]) for pair in pairs])
    songs = rows["song_id"].to_list()
    groups: list[str] = []
    for start, condensed in zip(starts, np.split(distances, ends[:-1]), strict=True):
        parts = fcluster(linkage(condensed, "average"), 1 - settings.cohesion, "distance")
        first: dict[int, str] = {}
        groups += [first.setdefault(int(part), songs[start + i]) for i, part in enumerate(parts)]
    return groups
