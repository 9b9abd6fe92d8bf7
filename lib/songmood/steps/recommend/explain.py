"""What a song and its recommendation share, and the reason in words."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_TERMS_IN_TABLE, _TERMS_IN_REASON = 5, 3


def explain_recommendations(
    ranked: DataFrame, song_terms: DataFrame, moods: DataFrame, clusters: DataFrame
) -> DataFrame:
    """The table `recommendations`: ranked pairs, what they share, and a reason in words.

    shared_terms are the five with the largest product of weights. same_mood and same_cluster are null
    where either song has none. A reason is, for example, 'shares river, road, night; both sad; same
    cluster; cosine 0.83 in the mood model', or 'in the encoder'.
    """
    about = (
        song_terms.select("song_id", F.map_from_arrays("terms", "weights").alias("weights"))
        .join(moods.select("song_id", "mood"), "song_id", "left")
        .join(clusters.select("song_id", "cluster"), "song_id", "left")
    )
    seed, song = (
        about.select(F.col("song_id").alias(key), *(F.col(c).alias(f"{side}_{c}") for c in about.columns[1:]))
        for side, key in (("seed", "seed_song_id"), ("song", "song_id"))
    )
    return (
        ranked.join(seed, "seed_song_id")
        .join(song, "song_id")
        .withColumn("shared_terms", _shared_terms(F.col("seed_weights"), F.col("song_weights")))
        .withColumn("same_mood", F.col("seed_mood") == F.col("song_mood"))
        .withColumn("same_cluster", F.col("seed_cluster") == F.col("song_cluster"))
        .select(
            *("seed_song_id", "rank", "song_id", "score", "lexical_score", "semantic_score"),
            *("shared_terms", "same_mood", "same_cluster"),
            _reason().alias("reason"),
        )
    )


def _reason() -> Column:
    cosine = F.format_string("cosine %.2f in the %s", "semantic_score", "model")
    return F.concat_ws(
        "; ",
        F.concat(F.lit("shares "), F.concat_ws(", ", F.slice("shared_terms", 1, _TERMS_IN_REASON))),
        F.when(F.col("same_mood"), F.concat(F.lit("both "), F.col("seed_mood"))),
        F.when(F.col("same_cluster"), F.lit("same cluster")),
        F.when(F.col("semantic_score").isNotNull(), cosine),
    )


def _shared_terms(seed: Column, song: Column) -> Column:
    """The terms of both maps, the largest product of weights first, equal ones by the alphabet."""
    shared = F.transform(
        F.array_intersect(F.map_keys(seed), F.map_keys(song)),
        lambda term: F.struct((-seed[term] * song[term]).alias("product"), term.alias("term")),
    )
    return F.slice(F.sort_array(shared), 1, _TERMS_IN_TABLE).getField("term")
