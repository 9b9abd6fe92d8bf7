"""The candidates of each song by TF-IDF, and how similar they are by words and by a model's vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn  # type: ignore[import-untyped]

from songmood.settings import RecommendSettings
from songmood.steps.recommend.rank import best

_PAIRS_AT_ONCE = 100_000  # bounds a worker's memory: about 1 kB of terms and numbers for each pair
_PAIR_SCHEMA = (
    "model string, seed_song_id string, song_id string, "
    "candidate_score double, lexical_score double, semantic_score double, works array<bigint>"
)

Doubles: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


class Vectors(NamedTuple):
    """A model's name in reasons and metrics, and its songs: song_id, vector (array<float>)."""

    model: str
    rows: DataFrame


def hidden_vectors(songs: DataFrame) -> Vectors:
    """The mood model's hidden layer: in `moods` the final one, in `model_predictions` the measured one."""
    hidden = songs.where(F.col("hidden").isNotNull())
    return Vectors("mood model", hidden.select("song_id", F.col("hidden").alias("vector")))


def embedding_vectors(embeddings: DataFrame) -> Vectors:
    """The plain encoder's embeddings."""
    return Vectors("encoder", embeddings.select("song_id", F.col("embedding").alias("vector")))


def songs_to_compare(song_terms: DataFrame, works: DataFrame) -> DataFrame:
    """The songs to compare: song_id, works, listed, terms, weights. `works` come from `find_works`."""
    return song_terms.join(works, "song_id", "left").select(
        "song_id", "works", F.coalesce("listed", F.lit(True)).alias("listed"), "terms", "weights"
    )


def compare_songs(
    songs: DataFrame, at_most: int, models: Sequence[Vectors], settings: RecommendSettings
) -> DataFrame:
    """Each song's candidates, once for each model: columns of _PAIR_SCHEMA.

    `songs` come from `songs_to_compare`, and are at most `at_most`. Candidates are the `candidates` listed
    songs with the largest sum, over the seed's `query_terms` heaviest terms, of weight * weight (the choice
    among equal ones at the cut is repeatable, but in no order). None is one work with the seed; `works` are
    the candidate's. lexical_score is the whole cosine, over all terms, and semantic_score is null where a
    song has no vector. Blocks of songs are multiplied with blocks as sparse matrices, so that no worker holds
    more than two blocks.
    """
    blocks = F.lit(max(1, math.ceil(at_most / settings.block_songs)))
    # numbers in place of words: two of a million words share a number once in ten million corpora
    numbered = songs.withColumn("terms", F.transform("terms", lambda term: F.xxhash64(term)))
    with_vectors = [
        numbered.join(model.rows, "song_id", "left").withColumn("model", F.lit(model.model))
        for model in models
    ]
    rows = (
        reduce(DataFrame.unionByName, with_vectors)
        .withColumn("own", F.pmod(F.xxhash64("song_id"), blocks).cast("int"))
        .withColumn("comparison", F.explode(_comparisons(F.col("own"), F.col("listed"), blocks)))
        .select("model", "comparison.*", "song_id", "works", "terms", "weights", "vector")
    )

    def compare(songs: pd.DataFrame) -> pd.DataFrame:
        return _compare_blocks(songs, settings.candidates, settings.query_terms)

    pairs = rows.groupBy("model", "seed_block", "song_block").applyInPandas(compare, _PAIR_SCHEMA)
    return best(pairs, "candidate_score", settings.candidates).drop("rank")


def _comparisons(own: Column, listed: Column, blocks: Column) -> Column:
    """The comparisons of a song of block `own`: as a seed with each block and, if listed, as a candidate."""
    every = F.sequence(F.lit(0), blocks - 1)

    def place(seed_block: Column, song_block: Column, is_seed: Column, is_song: Column) -> Column:
        return F.struct(
            seed_block.alias("seed_block"),
            song_block.alias("song_block"),
            is_seed.alias("is_seed"),
            is_song.alias("is_song"),
        )

    yes, no = F.lit(True), F.lit(False)
    as_seed = F.transform(every, lambda block: place(own, block, yes, listed & (block == own)))
    elsewhere = F.filter(every, lambda block: listed & (block != own))
    return F.concat(as_seed, F.transform(elsewhere, lambda block: place(block, own, no, yes)))


def _compare_blocks(songs: pd.DataFrame, candidates: int, query_terms: int) -> pd.DataFrame:
    # the order of rows decides which of equal candidates are kept, and rows arrive in any order
    songs = songs.sort_values("song_id", ignore_index=True)
    seeds, targets = songs[songs["is_seed"]], songs[songs["is_song"]]
    if seeds.empty or targets.empty:
        no_pairs: pd.DataFrame = pd.DataFrame(
            columns=[field.split()[0] for field in _PAIR_SCHEMA.split(", ")]
        )
        return no_pairs
    vocabulary = np.unique(np.concatenate([*seeds["terms"], *targets["terms"]]))
    seed_weights, target_weights = (_matrix(part, vocabulary) for part in (seeds, targets))
    seed_vectors, target_vectors = _vectors(seeds["vector"]), _vectors(targets["vector"])
    same_work = _same_work(seeds, targets)
    most = np.bincount(same_work // len(targets), minlength=1).max()
    found = sp_matmul_topn(
        _heaviest(seed_weights, query_terms),
        target_weights.T.tocsr(),
        top_n=candidates + int(most),  # as many as are left out below
        n_threads=1,  # Spark gives each core a task of its own
    ).tocoo()
    other = ~np.isin(found.row.astype(np.int64) * len(targets) + found.col, same_work)
    row, column, score = found.row[other], found.col[other], found.data[other]
    lexical, semantic = np.empty(len(row)), np.empty(len(row))
    for start in range(0, len(row), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        products = seed_weights[row[part]].multiply(target_weights[column[part]])
        lexical[part] = np.asarray(products.sum(axis=1)).ravel()
        semantic[part] = np.einsum("ij,ij->i", seed_vectors[row[part]], target_vectors[column[part]])
    pairs: pd.DataFrame = pd.DataFrame(
        {
            "model": songs["model"].iloc[0],
            "seed_song_id": seeds["song_id"].to_numpy()[row],
            "song_id": targets["song_id"].to_numpy()[column],
            "candidate_score": score,
            "lexical_score": lexical,
            "semantic_score": pd.array(semantic, dtype="Float64"),  # NaN becomes null
            "works": targets["works"].to_numpy()[column],
        }
    )
    return pairs


def _same_work(seeds: pd.DataFrame, targets: pd.DataFrame) -> Integers:
    """The pairs that are one work: the same song, or songs with a work in common.

    A pair is the seed's row times the number of targets, plus the target's row.
    """
    pairs = []
    for key in ("song_id", "works"):
        left, right = (part[key].reset_index(drop=True).explode().dropna() for part in (seeds, targets))
        both = left.rename_axis("seed").reset_index().merge(right.rename_axis("target").reset_index(), on=key)
        pairs.append(both["seed"].to_numpy(np.int64) * len(targets) + both["target"].to_numpy(np.int64))
    return np.unique(np.concatenate(pairs))


def _matrix(songs: pd.DataFrame, vocabulary: Integers) -> sparse.csr_matrix:
    lengths = songs["terms"].str.len().to_numpy()
    columns = np.searchsorted(vocabulary, np.concatenate(songs["terms"].to_list()))
    weights = np.concatenate(songs["weights"].to_list())
    starts = np.concatenate([[0], np.cumsum(lengths)])
    matrix = sparse.csr_matrix((weights, columns, starts), shape=(len(songs), len(vocabulary)))
    matrix.sort_indices()  # one order of summing, one result
    return matrix


def _heaviest(matrix: sparse.csr_matrix, terms: int) -> sparse.csr_matrix:
    """The matrix with only the heaviest terms of each row."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rank = np.arange(len(order)) - matrix.indptr[rows[order]]
    kept = np.sort(order[rank < terms])
    return sparse.csr_matrix((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)


def _vectors(vectors: pd.Series[Any]) -> Doubles:
    """Rows of length 1; NaN where there is no vector, or one of length 0."""
    width = max((len(vector) for vector in vectors if vector is not None), default=1)
    no_vector = np.full(width, np.nan)
    rows = np.array([no_vector if vector is None else vector for vector in vectors], dtype=float)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Doubles = np.divide(rows, lengths, out=np.full_like(rows, np.nan), where=lengths > 0)
    return units
