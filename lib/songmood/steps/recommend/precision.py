"""How often recommended songs share the mood of their seed (paper section 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from songmood.settings import RecommendSettings
from songmood.steps.recommend.compare import Vectors, compare_songs
from songmood.steps.recommend.rank import best_works, score
from songmood.tables import RETRIEVAL_METRICS


def held_out_songs(model_predictions: DataFrame) -> DataFrame:
    """song_id and mood of the songs that the models were tested on: no model has seen these labels."""
    return model_predictions.where("split = 'test'").select("song_id", "mood").distinct()


def measure_precision(
    songs: DataFrame,
    held_out: DataFrame,
    at_most: int,
    models: Sequence[Vectors],
    settings: RecommendSettings,
    seed: int,
) -> DataFrame:
    """The table `retrieval_metrics`: precision by mood of words alone, and with each model's vectors.

    A recommended song is relevant when its label is the seed's. `held_out` (song_id, mood) are labelled
    songs whose labels the mood model has never seen, not more than `at_most`. Both seeds and recommended
    songs are among these, because a song that the model was trained on carries its label in its hidden
    layer. A seed's precision is the share of relevant songs among its best `top_n` (k), or among all of
    them if there are fewer. The value is the mean over seeds that have any, with the bootstrap 95%
    interval over seeds. 'chance' is a list drawn at random: the share of the seed's label among the rest.
    """
    # a few thousand songs at most: training is on the driver
    labels = F.broadcast(held_out)
    among_held_out = songs.join(labels, "song_id", "left_semi")
    pairs = _by_words_too(
        compare_songs(among_held_out, at_most, models, settings), models[0].model, settings.semantic_weight
    )
    seed_labels = F.broadcast(held_out.toDF("seed_song_id", "seed_mood"))
    queries = (
        best_works(pairs, "score", settings.top_n)
        .join(seed_labels, "seed_song_id")
        .join(labels, "song_id")
        .groupBy("model", "weight", "seed_song_id")
        .agg(F.avg((F.col("mood") == F.col("seed_mood")).cast("double")).alias("precision"))
    )
    return _with_intervals(queries.unionByName(_by_chance(held_out)), settings, seed)


def _by_words_too(pairs: DataFrame, first_model: str, semantic_weight: float) -> DataFrame:
    """The pairs with their score by words and vectors, and those of one model again, by words alone."""
    both = F.struct(
        F.concat(F.lit("tfidf + "), "model").alias("model"), F.lit(semantic_weight).alias("weight")
    )
    words_alone = F.struct(F.lit("tfidf").alias("model"), F.lit(0.0).alias("weight"))
    scored_by = F.when(F.col("model") == first_model, F.array(both, words_alone)).otherwise(F.array(both))
    return (
        pairs.withColumn("scored_by", F.explode(scored_by))
        .withColumns({"model": F.col("scored_by.model"), "weight": F.col("scored_by.weight")})
        .withColumn("score", score(F.col("weight")))
    )


def _by_chance(held_out: DataFrame) -> DataFrame:
    """The precision of a list drawn at random: for each seed, the share of its label among the rest."""
    count = F.count(F.lit(1))
    return (
        held_out.withColumn("songs", count.over(Window.partitionBy()))
        .withColumn("alike", count.over(Window.partitionBy("mood")))
        .where(F.col("songs") > 1)
        .select(
            F.lit("chance").alias("model"),
            F.lit(None).cast("double").alias("weight"),
            F.col("song_id").alias("seed_song_id"),
            ((F.col("alike") - 1) / (F.col("songs") - 1)).alias("precision"),
        )
    )


def _with_intervals(queries: DataFrame, settings: RecommendSettings, seed: int) -> DataFrame:
    k, samples = settings.top_n, settings.bootstrap_samples

    def summarize(rows: pd.DataFrame) -> pd.DataFrame:
        values = rows.sort_values("seed_song_id")["precision"].to_numpy()
        random = np.random.default_rng(seed)
        means = [random.choice(values, len(values)).mean() for _ in range(samples)]
        low, high = np.percentile(means, [2.5, 97.5])
        summary: pd.DataFrame = pd.DataFrame(
            {
                "model": rows["model"].iloc[0],
                "metric": "precision_by_mood",
                "value": values.mean(),
                "k": k,
                "semantic_weight": rows["weight"].iloc[0],
                "n_queries": len(values),
                "ci_low": low,
                "ci_high": high,
            },
            index=[0],
        )
        return summary

    return queries.groupBy("model").applyInPandas(summarize, RETRIEVAL_METRICS.schema)
