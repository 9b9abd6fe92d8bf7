"""The best candidates of each song."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec


def rerank(pairs: DataFrame, semantic_weight: float, top_n: int) -> DataFrame:
    """The best `top_n` candidates of each seed, with score and rank from 1; equal scores by song_id.

    `pairs` come from compare_songs. Of candidates that are one work only the best is kept.
    """
    return best_works(pairs.withColumn("score", score(F.lit(semantic_weight))), "score", top_n)


def score(semantic_weight: Column) -> Column:
    """(1 - semantic_weight) * lexical_score + semantic_weight * semantic_score, where null counts as 0."""
    semantic = F.coalesce("semantic_score", F.lit(0.0))
    return (1 - semantic_weight) * F.col("lexical_score") + semantic_weight * semantic


def best_works(pairs: DataFrame, by: str, at_most: int) -> DataFrame:
    """`best`, without each pair whose candidate is one work with a better one of the list."""
    better = _best_first(by).rowsBetween(Window.unboundedPreceding, -1)
    kept = F.coalesce(
        ~F.arrays_overlap("works", F.flatten(F.collect_list("works").over(better))), F.lit(True)
    )
    return best(pairs.withColumn("kept", kept).where("kept").drop("kept"), by, at_most)


def best(pairs: DataFrame, by: str, at_most: int) -> DataFrame:
    """The pairs with the largest `by`, at most `at_most` for each model and seed, with their rank from 1."""
    return pairs.withColumn("rank", F.row_number().over(_best_first(by))).where(F.col("rank") <= at_most)


def _best_first(by: str) -> WindowSpec:
    return Window.partitionBy("model", "seed_song_id").orderBy(F.desc(by), "song_id")
