"""The keywords of each song: its heaviest terms by TF-IDF, and those nearest to its lyrics' reading.

The second kind is KeyBERT's (Grootendorst 2020): the terms whose embeddings are nearest to that of the whole
text, made diverse by maximal marginal relevance. The terms are the words and phrases of the index, so that
each is encoded once for all songs, and finds other songs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark import SparkFiles
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.settings import IndexSettings

_SCHEMA = (
    "song_id string, terms array<string>, counts array<int>, weights array<double>, bm25 array<double>, "
    "similarities array<double>, tfidf_ranks array<int>, encoder_ranks array<int>"
)
_TERMS_A_ROW = 2000  # of a table of terms on its way to the driver

Numbers = NDArray[np.float64]


def fetch_term_vectors(terms: DataFrame, folder: Path) -> None:
    """Write the term and embedding of each row to a folder for `rank_terms`; the driver holds few."""
    folder.mkdir()
    tasks = terms.mapInPandas(_pack, "terms array<string>, vectors binary").toLocalIterator()
    names: list[str] = []
    with open(folder / "vectors", "wb") as vectors:
        for row in tasks:
            names += row.terms
            vectors.write(row.vectors)
    pd.DataFrame({"term": pd.Series(names, dtype=object)}).to_feather(folder / "terms.feather")


def _pack(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        for start in range(0, len(rows), _TERMS_A_ROW):
            part = rows.iloc[start : start + _TERMS_A_ROW]
            vectors = np.stack(part["embedding"].to_list()).astype("f4").tobytes()
            yield pd.DataFrame({"terms": [part["term"].to_list()], "vectors": [vectors]})


def rank_terms(
    songs: DataFrame, embeddings: DataFrame, folder_name: str, settings: IndexSettings
) -> DataFrame:
    """Add to the songs of `index_by_song` what makes their terms keywords, in the order of the terms.

    similarities: the cosine of each term's embedding and the song's; tfidf_ranks and encoder_ranks: the
    term's rank, from 1, among the `keywords_per_song` of either kind, or null. A song without an embedding
    has no similarities and no encoder_ranks. The folder of `fetch_term_vectors` was shipped under
    `folder_name`.
    """
    read = embeddings.select("song_id", "embedding")

    def rank(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for rows in batches:
            yield _rank(rows, *_term_vectors(SparkFiles.get(folder_name)), settings)

    return songs.join(read, "song_id", "left").mapInPandas(rank, _SCHEMA)


@lru_cache(maxsize=1)
def _term_vectors(folder: str) -> tuple[pd.Index, NDArray[np.float32]]:
    terms = pd.Index(pd.read_feather(Path(folder, "terms.feather"))["term"])
    path = Path(folder, "vectors")
    if not len(terms):
        return terms, np.zeros((0, 1), np.float32)
    return terms, np.memmap(path, np.float32, "r").reshape(len(terms), -1)


def _rank(
    rows: pd.DataFrame, terms: pd.Index, vectors: NDArray[np.float32], settings: IndexSettings
) -> pd.DataFrame:
    ranked: list[tuple[Any, Any, Any]] = []
    for names, weights, reading in zip(rows["terms"], rows["weights"], rows["embedding"], strict=True):
        count = len(names)
        heaviest = np.lexsort((np.arange(count), -np.asarray(weights)))[: settings.keywords_per_song]
        if reading is None:
            ranked.append(([None] * count, _ranks(heaviest, count), [None] * count))
            continue
        places = terms.get_indexer(pd.Index(names))
        own = np.zeros((count, len(reading)))  # 0 for a term that the encoder has no vector for
        own[places >= 0] = vectors[places[places >= 0]]
        similarities = np.clip(own @ np.asarray(reading, float), -1, 1)
        nearest = diverse(similarities, own, settings.keywords_per_song, settings.keyword_variety)
        ranked.append((similarities, _ranks(heaviest, count), _ranks(nearest, count)))
    columns = ("similarities", "tfidf_ranks", "encoder_ranks")
    return rows.drop(columns="embedding").join(pd.DataFrame(ranked, rows.index, columns, dtype=object))


def diverse(similarities: Numbers, vectors: Numbers, most: int, variety: float) -> list[int]:
    """The places of terms near a text and unlike one another, the best first.

    The first one is the nearest. Each next one has the largest (1 - variety) * similarity - variety * (cosine
    to the chosen one that is most like it), as in KeyBERT. Equal ones go by their place.
    """
    chosen: list[int] = []
    closest = np.zeros(len(similarities))
    left = np.ones(len(similarities), bool)
    while len(chosen) < most and left.any():
        value = (1 - variety) * similarities - variety * closest if chosen else similarities
        best = int(np.argmax(np.where(left, value.round(6), -np.inf)))
        cosines = vectors @ vectors[best]
        closest = np.maximum(closest, cosines) if chosen else cosines
        chosen.append(best)
        left[best] = False
    return chosen


def _ranks(places: Iterable[int], length: int) -> list[int | None]:
    ranks: list[int | None] = [None] * length
    for rank, place in enumerate(places, 1):
        ranks[place] = rank
    return ranks


def list_keywords(ranked: DataFrame) -> DataFrame:
    """The table `keywords`, from the songs of `rank_terms`."""
    names = ("terms", "weights", "similarities", "tfidf_ranks", "encoder_ranks")
    each = F.explode(F.arrays_zip(*names)).alias("term")
    return (
        ranked.select("song_id", each)
        .select(
            "song_id",
            F.col("term.terms").alias("term"),
            F.col("term.weights").alias("tfidf"),
            F.col("term.similarities").alias("bert_similarity"),
            F.col("term.tfidf_ranks").alias("tfidf_rank"),
            F.col("term.encoder_ranks").alias("encoder_rank"),
        )
        .where("tfidf_rank IS NOT NULL OR encoder_rank IS NOT NULL")
    )


def with_keywords(ranked: DataFrame) -> DataFrame:
    """The table `song_terms`, from the songs of `rank_terms`."""
    is_keyword: Column = F.transform("encoder_ranks", lambda rank: rank.isNotNull())
    return ranked.select("song_id", "terms", "counts", "weights", "bm25", is_keyword.alias("keyword"))
