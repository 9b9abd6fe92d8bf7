"""Duplicate groups from similar pairs: connected, and holding together.

Two records may be linked through a third that is like both while they are not like each other. So the
connected components are only where groups are looked for: within one, every pair is compared, and
records are grouped by average linkage.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy.cluster.hierarchy import fcluster, linkage

from songmood.config import Dedupe
from songmood.dedupe.compare import FIELDS, compare_pairs, paired
from songmood.dedupe.weights import Weights


def iterate_groups(links: DataFrame) -> DataFrame:
    """The connected components of links (song_id, linked_id), as (song_id, group_id).

    group_id is the least song_id of the component. Records without links are left out. Alternates
    the large-star and small-star steps of Kiveris et al. 2014, "Connected Components in MapReduce and
    Beyond", which settle in a logarithmic number of rounds; each round's result is kept with the
    executors, so the plan does not grow.
    """
    edges = links.select(F.col("song_id").alias("a"), F.col("linked_id").alias("b")).localCheckpoint()
    before = None
    while (state := _state(edges)) != before:
        before = state
        edges = _small_star(_large_star(edges)).localCheckpoint()
    roots = edges.select(F.col("b").alias("song_id"), F.col("b").alias("group_id")).distinct()
    return edges.select(F.col("a").alias("song_id"), F.col("b").alias("group_id")).unionByName(roots)


def hold_together(groups: DataFrame, named: DataFrame, weights: Weights, settings: Dedupe) -> DataFrame:
    """Groups (song_id, group_id) whose records are alike on average, from connected ones.

    Of a component of three records or more, all pairs are compared, and two groups become one while the
    mean similarity of their records is `dedupe.cohesion` or more (average linkage, from the most alike).
    Records that say the same count once. Of a component with more than `dedupe.max_component` different
    records, only those with equal artist and title stay together. group_id is the least song_id.
    """
    sizes = groups.withColumn("size", F.count("*").over(Window.partitionBy("group_id")))
    pairs = sizes.where("size = 2").select("song_id", "group_id")
    larger = sizes.where("size > 2").select("song_id", "group_id").join(named, "song_id")
    split = larger.groupBy("group_id").applyInPandas(
        partial(_split_component, weights=weights, settings=settings), "song_id string, group_id string"
    )
    return pairs.unionByName(split)


def _split_component(records: pd.DataFrame, weights: Weights, settings: Dedupe) -> pd.DataFrame:
    records = records.sort_values("song_id", ignore_index=True)
    same = records.groupby([*FIELDS], dropna=False, sort=False).ngroup()
    distinct = records[~same.duplicated()].reset_index(drop=True)
    if len(distinct) > settings.max_component:
        part = records.groupby(["artist", "key", "version", "numbers"], sort=False).ngroup()
    else:
        part = same.map(pd.Series(_average_linkage(distinct, weights, settings)))
    first = records.groupby(part)["song_id"].transform("min")
    return pd.DataFrame({"song_id": records["song_id"], "group_id": first})


def _average_linkage(records: pd.DataFrame, weights: Weights, settings: Dedupe) -> list[int]:
    if len(records) < 2:
        return [0] * len(records)
    left, right = np.array(list(combinations(range(len(records)), 2))).T
    levels = compare_pairs(paired(records.iloc[left], records.iloc[right]), settings)
    distances = 1 - weights.similarities(levels)
    clusters = fcluster(linkage(distances, "average"), 1 - settings.cohesion, "distance")
    return [int(cluster) for cluster in clusters]


def _large_star(edges: DataFrame) -> DataFrame:
    """Link each larger neighbour of a record to the least of its neighbours and itself."""
    both = edges.unionByName(edges.select(F.col("b").alias("a"), F.col("a").alias("b")))
    least = F.least("a", F.min("b").over(Window.partitionBy("a")))
    return (
        both.withColumn("least", least)
        .where("b > a")
        .select(F.col("b").alias("a"), F.col("least").alias("b"))
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """Link each record and its smaller neighbours to the least of them."""
    ordered = edges.select(F.greatest("a", "b").alias("a"), F.least("a", "b").alias("b"))
    starred = ordered.withColumn("least", F.min("b").over(Window.partitionBy("a")))
    ends = F.explode(F.array("a", "b")).alias("a")
    return starred.select(ends, F.col("least").alias("b")).where("a <> b").distinct()


def _state(edges: DataFrame) -> tuple[int, int]:
    row = edges.agg(F.count("*"), F.sum(F.xxhash64("a", "b").cast("decimal(38,0)"))).first()
    return (row[0], int(row[1] or 0)) if row is not None else (0, 0)
