"""Songs like each song: candidates by TF-IDF, reranked by a model's embeddings (paper section 6).

Two songs are compared by the cosine of their TF-IDF weights (lexical) and by that of their vectors
(semantic). The vector is the hidden layer of the final mood model or, where no model was trained, the
plain encoder's embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn  # type: ignore[import-untyped]

from songmood.names.normalize import normalized_artist, normalized_title
from songmood.settings import RecommendSettings
from songmood.tables import RETRIEVAL_METRICS

_TERMS_KEPT, _TERMS_TOLD = 5, 3  # of the shared terms: in the table, in the reason
_PAIRS_AT_ONCE = 100_000  # bounds a worker's memory: about 1 kB of terms and numbers a pair
_PAIR_SCHEMA = (
    "model string, seed_song_id string, song_id string, "
    "candidate_score double, lexical_score double, semantic_score double"
)

Doubles: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


class Vectors(NamedTuple):
    """A model's name, as reasons and metrics tell it, and its songs: song_id, vector (array<float>)."""

    model: str
    rows: DataFrame


def hidden_vectors(songs: DataFrame) -> Vectors:
    """The final mood model's hidden layer: of `moods`, or of `model_predictions` as it was when measured."""
    hidden = songs.where(F.col("hidden").isNotNull())
    return Vectors("mood model", hidden.select("song_id", F.col("hidden").alias("vector")))


def embedding_vectors(embeddings: DataFrame) -> Vectors:
    """The plain encoder's embeddings."""
    return Vectors("encoder", embeddings.select("song_id", F.col("embedding").alias("vector")))


def name_songs(song_terms: DataFrame, deduped: DataFrame) -> DataFrame:
    """The songs to compare: song_id, name, terms, weights.

    `name` is the normalized title and artist, by which songs are one song to a listener.
    """
    title, artist = normalized_title(F.col("title")), normalized_artist(F.col("artist"))
    name = F.concat_ws("\n", title, artist)
    names = deduped.select("song_id", F.when(name != "\n", name).alias("name"))
    return song_terms.join(names, "song_id", "left").select(
        "song_id", F.coalesce("name", "song_id").alias("name"), "terms", "weights"
    )


def compare_songs(songs: DataFrame, models: Sequence[Vectors], settings: RecommendSettings) -> DataFrame:
    """Each song's candidates, once for each model: columns of _PAIR_SCHEMA.

    `songs` is of `name_songs`. Candidates are the `candidates` songs with the largest sum, over the
    seed's `query_terms` heaviest terms, of weight * weight (which of equal ones at the cut: repeatable,
    in no order); lexical_score is the whole cosine, over all terms. Neither the seed itself nor a song
    of the same name is a candidate. semantic_score is null where a song has no vector. Blocks of songs
    are multiplied with blocks as sparse matrices, so no worker holds more than two blocks.
    """
    blocks = songs.agg(F.ceil(F.count(F.lit(1)) / settings.block_songs).cast("int").alias("blocks"))
    # numbers in place of words: two of a million words share a number once in ten million corpora
    numbered = songs.withColumn("terms", F.transform("terms", lambda term: F.xxhash64(term)))
    with_vectors = [
        numbered.join(model.rows, "song_id", "left").withColumn("model", F.lit(model.model))
        for model in models
    ]
    rows = (
        reduce(DataFrame.unionByName, with_vectors)
        .crossJoin(F.broadcast(blocks))
        .withColumn("own", F.pmod(F.xxhash64("song_id"), "blocks").cast("int"))
        .withColumn("comparison", F.explode(_comparisons(F.col("own"), F.col("blocks"))))
        .select("model", "comparison.*", "song_id", "name", "terms", "weights", "vector")
    )

    def compare(songs: pd.DataFrame) -> pd.DataFrame:
        return _compare_blocks(songs, settings.candidates, settings.query_terms)

    pairs = rows.groupBy("model", "seed_block", "song_block").applyInPandas(compare, _PAIR_SCHEMA)
    return _best(pairs, "candidate_score", settings.candidates).drop("rank")


def rerank(pairs: DataFrame, semantic_weight: float, top_n: int) -> DataFrame:
    """The best `top_n` candidates of each seed, with score and rank from 1; equal scores by song_id.

    score = (1 - semantic_weight) * lexical_score + semantic_weight * semantic_score; a semantic_score
    that is null counts as 0.
    """
    return _best(pairs.withColumn("score", _score(F.lit(semantic_weight))), "score", top_n)


def explain(ranked: DataFrame, songs: DataFrame, moods: DataFrame, clusters: DataFrame) -> DataFrame:
    """The table recommendations: what is shared, and a reason in words.

    shared_terms are the five with the largest product of weights. same_mood and same_cluster are null
    where either song has none. A reason reads: 'shares river, road, night; both sad; same cluster;
    0.83 alike to the mood model', or 'to the encoder'.
    """
    about = (
        songs.select("song_id", F.map_from_arrays("terms", "weights").alias("weights"))
        .join(moods.select("song_id", "mood"), "song_id", "left")
        .join(clusters.select("song_id", "cluster"), "song_id", "left")
    )
    seed, song = (
        about.select(F.col("song_id").alias(key), *(F.col(c).alias(f"{side}_{c}") for c in about.columns[1:]))
        for side, key in (("seed", "seed_song_id"), ("song", "song_id"))
    )
    same_mood = F.col("seed_mood") == F.col("song_mood")
    same_cluster = F.col("seed_cluster") == F.col("song_cluster")
    alike = F.format_string("%.2f alike to the %s", "semantic_score", "model")
    reason = F.concat_ws(
        "; ",
        F.concat(F.lit("shares "), F.concat_ws(", ", F.slice("shared_terms", 1, _TERMS_TOLD))),
        F.when(same_mood, F.concat(F.lit("both "), F.col("seed_mood"))),
        F.when(same_cluster, F.lit("same cluster")),
        F.when(F.col("semantic_score").isNotNull(), alike),
    )
    return (
        ranked.join(seed, "seed_song_id")
        .join(song, "song_id")
        .withColumn("shared_terms", _shared_terms(F.col("seed_weights"), F.col("song_weights")))
        .select(
            *("seed_song_id", "rank", "song_id", "score", "lexical_score", "semantic_score", "shared_terms"),
            same_mood.alias("same_mood"),
            same_cluster.alias("same_cluster"),
            reason.alias("reason"),
        )
    )


def held_out_songs(model_predictions: DataFrame) -> DataFrame:
    """song_id and mood of the songs that training tested on: the labels no model has seen."""
    return model_predictions.where("split = 'test'").select("song_id", "mood").distinct()


def measure_precision(
    songs: DataFrame,
    held_out: DataFrame,
    models: Sequence[Vectors],
    settings: RecommendSettings,
    seed: int,
) -> DataFrame:
    """The table retrieval_metrics: precision by mood of words alone, and with each model's vectors.

    A recommended song is relevant when its label is the seed's. `held_out` (song_id, mood) are labelled
    songs whose labels the mood model has never seen; seeds and recommended songs are both among these
    alone, for a song the model was trained on carries its label in its hidden layer. A seed's
    precision is the share of relevant songs among its best `top_n` (k), or among as many as it has;
    the value is the mean over seeds that have any, with the bootstrap 95% interval over seeds.
    'chance' is a list drawn at random: the share of the seed's label among the other songs.
    """
    songs = songs.join(held_out.select("song_id"), "song_id", "left_semi")
    weight = settings.semantic_weight
    way = F.struct(F.concat(F.lit("tfidf + "), "model").alias("model"), F.lit(weight).alias("weight"))
    words_alone = F.struct(F.lit("tfidf").alias("model"), F.lit(0.0).alias("weight"))
    is_first = F.col("model") == models[0].model
    pairs = (
        compare_songs(songs, models, settings)
        .withColumn("way", F.explode(F.when(is_first, F.array(way, words_alone)).otherwise(F.array(way))))
        .withColumns({"model": F.col("way.model"), "weight": F.col("way.weight")})
        .withColumn("score", _score(F.col("weight")))
    )
    seed_moods = held_out.select(F.col("song_id").alias("seed_song_id"), F.col("mood").alias("seed_mood"))
    precision = F.avg((F.col("mood") == F.col("seed_mood")).cast("double")).alias("precision")
    queries = (
        _best(pairs, "score", settings.top_n)
        .join(seed_moods, "seed_song_id")
        .join(held_out.select("song_id", "mood"), "song_id")
        .groupBy("model", "weight", "seed_song_id")
        .agg(precision)
    )
    return _with_intervals(queries.unionByName(_by_chance(held_out)), settings, seed)


# -- within ------------------------------------------------------------------------------------


def _score(semantic_weight: Column) -> Column:
    semantic = F.coalesce("semantic_score", F.lit(0.0))
    return (1 - semantic_weight) * F.col("lexical_score") + semantic_weight * semantic


def _best(pairs: DataFrame, score: str, at_most: int) -> DataFrame:
    best_first = Window.partitionBy("model", "seed_song_id").orderBy(F.desc(score), "song_id")
    return pairs.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= at_most)


def _comparisons(own: Column, blocks: Column) -> Column:
    """Where a song of block `own` goes: as a seed to each block, and from each block as what is found."""
    every = F.sequence(F.lit(0), blocks - 1)

    def place(seed_block: Column, song_block: Column, is_seed: Column, is_song: Column) -> Column:
        return F.struct(
            seed_block.alias("seed_block"),
            song_block.alias("song_block"),
            is_seed.alias("is_seed"),
            is_song.alias("is_song"),
        )

    yes, no = F.lit(True), F.lit(False)
    as_seed = F.transform(every, lambda other: place(own, other, yes, other == own))
    elsewhere = F.filter(every, lambda other: other != own)
    return F.concat(as_seed, F.transform(elsewhere, lambda other: place(other, own, no, yes)))


def _shared_terms(seed: Column, song: Column) -> Column:
    """The terms of both maps, the largest product of weights first, equal ones by the alphabet."""
    shared = F.transform(
        F.array_intersect(F.map_keys(seed), F.map_keys(song)),
        lambda term: F.struct((-seed[term] * song[term]).alias("product"), term.alias("term")),
    )
    return F.slice(F.sort_array(shared), 1, _TERMS_KEPT).getField("term")


def _compare_blocks(songs: pd.DataFrame, candidates: int, query_terms: int) -> pd.DataFrame:
    # the order of rows decides which of equal candidates stay: it must not be the order of arrival
    songs = songs.sort_values("song_id", ignore_index=True)
    seeds, others = songs[songs["is_seed"]], songs[songs["is_song"]]
    if seeds.empty or others.empty:
        no_pairs: pd.DataFrame = pd.DataFrame(
            columns=[field.split()[0] for field in _PAIR_SCHEMA.split(", ")]
        )
        return no_pairs
    vocabulary = np.unique(np.concatenate([*seeds["terms"], *others["terms"]]))
    seed_weights, other_weights = (_matrix(songs, vocabulary) for songs in (seeds, others))
    seed_vectors, other_vectors = _vectors(seeds["vector"]), _vectors(others["vector"])
    found = sp_matmul_topn(
        _heaviest(seed_weights, query_terms),
        other_weights.T.tocsr(),
        top_n=candidates + 1,  # the seed finds itself, too
        n_threads=1,  # Spark gives each core a task of its own
    ).tocoo()
    same = seeds["name"].to_numpy()[found.row] == others["name"].to_numpy()[found.col]
    same |= seeds["song_id"].to_numpy()[found.row] == others["song_id"].to_numpy()[found.col]
    row, column, score = found.row[~same], found.col[~same], found.data[~same]
    lexical, semantic = np.empty(len(row)), np.empty(len(row))
    for start in range(0, len(row), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        products = seed_weights[row[part]].multiply(other_weights[column[part]])
        lexical[part] = np.asarray(products.sum(axis=1)).ravel()
        semantic[part] = np.einsum("ij,ij->i", seed_vectors[row[part]], other_vectors[column[part]])
    pairs: pd.DataFrame = pd.DataFrame(
        {
            "model": songs["model"].iloc[0],
            "seed_song_id": seeds["song_id"].to_numpy()[row],
            "song_id": others["song_id"].to_numpy()[column],
            "candidate_score": score,
            "lexical_score": lexical,
            "semantic_score": pd.array(semantic, dtype="Float64"),  # NaN becomes null
        }
    )
    return pairs


def _matrix(songs: pd.DataFrame, vocabulary: Integers) -> sparse.csr_matrix:
    lengths = songs["terms"].str.len().to_numpy()
    columns = np.searchsorted(vocabulary, np.concatenate(songs["terms"].to_list()))
    weights = np.concatenate(songs["weights"].to_list())
    starts = np.concatenate([[0], np.cumsum(lengths)])
    matrix = sparse.csr_matrix((weights, columns, starts), shape=(len(songs), len(vocabulary)))
    matrix.sort_indices()  # one order of summing, one result
    return matrix


def _heaviest(matrix: sparse.csr_matrix, terms: int) -> sparse.csr_matrix:
    """The matrix with each row's heaviest terms alone."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rank = np.arange(len(order)) - matrix.indptr[rows[order]]
    kept = np.sort(order[rank < terms])
    return sparse.csr_matrix((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)


def _vectors(vectors: pd.Series[Any]) -> Doubles:
    """Rows of length 1; NaN where there is no vector, or none that has a direction."""
    width = max((len(vector) for vector in vectors if vector is not None), default=1)
    nothing = np.full(width, np.nan)
    rows = np.array([nothing if vector is None else vector for vector in vectors], dtype=float)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Doubles = np.divide(rows, lengths, out=np.full_like(rows, np.nan), where=lengths > 0)
    return units


def _by_chance(held_out: DataFrame) -> DataFrame:
    """What a list drawn at random would have: for each seed the share of its label among the others."""
    each = held_out.groupBy("mood").agg(F.count(F.lit(1)).alias("alike"))
    total = held_out.agg(F.count(F.lit(1)).alias("songs"))
    return (
        held_out.join(each, "mood")
        .crossJoin(total)
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
