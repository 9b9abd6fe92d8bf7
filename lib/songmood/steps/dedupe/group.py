"""Duplicate groups from similar pairs: connected, and holding together.

Two records may be linked through a third that is like both while they are not like each other. So the
connected components are only where groups are looked for: within one, every pair is compared, and
records are grouped by average linkage.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.compare import compare_records
from songmood.steps.dedupe.weights import Weights


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


def hold_together(
    groups: DataFrame, named: DataFrame, weights: Weights, settings: DedupeSettings
) -> DataFrame:
    """Groups (song_id, group_id) whose records are alike on average, from connected ones.

    Of a component of three records or more, all pairs are compared, and two groups become one while the
    mean similarity of their records is `dedupe.cohesion` or more (average linkage, from the most alike).
    Of a component of more than `dedupe.max_component` records, only those with equal artist and title
    stay together. group_id is the least song_id.
    """
    sized = groups.withColumn("size", F.count("*").over(Window.partitionBy("group_id")))
    pairs = sized.where("size = 2").select("song_id", "group_id")
    components = sized.where(F.col("size").between(3, settings.max_component)).select("song_id", "group_id")
    compared = _compare_components(components, named, weights, settings)
    split = compared.mapInPandas(partial(_split_components, cohesion=settings.cohesion), _GROUPS)
    knots = sized.where(F.col("size") > settings.max_component).join(named, "song_id")
    name = Window.partitionBy("group_id", "artist", "key", "version", "numbers")
    equal = knots.select("song_id", F.min("song_id").over(name).alias("group_id"))
    return pairs.unionByName(split).unionByName(equal)


_GROUPS = "song_id string, group_id string"


def _compare_components(
    components: DataFrame, named: DataFrame, weights: Weights, settings: DedupeSettings
) -> DataFrame:
    """A row a component: its records `members`, and `pairs` (a, b, similarity) of those not apart."""
    a, b = (components.select("group_id", F.col("song_id").alias(f"song_id_{side}")) for side in ("a", "b"))
    every = a.join(b, "group_id").where("song_id_a < song_id_b")
    levels = compare_records(every.select("song_id_a", "song_id_b"), named, settings)
    similar = levels.select(
        F.struct("song_id_a", "song_id_b", weights.similarity().alias("similarity")).alias("pair")
    )
    group = components.withColumnRenamed("song_id", "song_id_a")
    told = similar.withColumn("song_id_a", F.col("pair.song_id_a")).join(group, "song_id_a")
    pairs = told.groupBy("group_id").agg(F.sort_array(F.collect_list("pair")).alias("pairs"))
    members = components.groupBy("group_id").agg(F.sort_array(F.collect_list("song_id")).alias("members"))
    return members.join(pairs, "group_id", "left").select("members", "pairs")


def _split_components(batches: Iterator[pd.DataFrame], cohesion: float) -> Iterator[pd.DataFrame]:
    from scipy.cluster.hierarchy import fcluster, linkage  # here: workers that compare save a second

    for components in batches:
        rows: list[tuple[str, str]] = []
        for members, pairs in zip(components["members"], components["pairs"], strict=True):
            at = {song: place for place, song in enumerate(members)}
            distances = np.ones((len(at), len(at)))
            for pair in pairs if pairs is not None else ():
                distances[at[pair["song_id_a"]], at[pair["song_id_b"]]] = 1 - pair["similarity"]
            condensed = distances[np.triu_indices(len(at), 1)]
            part = fcluster(linkage(condensed, "average"), 1 - cohesion, "distance")
            first: dict[int, str] = {}
            rows += [
                (song, first.setdefault(int(number), song))
                for song, number in zip(members, part, strict=True)
            ]
        yield pd.DataFrame(rows, columns=["song_id", "group_id"])


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


def _state(edges: DataFrame) -> tuple[int, int]:
    row = edges.agg(F.count("*"), F.sum(F.xxhash64("a", "b").cast("decimal(38,0)"))).first()
    return (row[0], int(row[1] or 0)) if row is not None else (0, 0)
