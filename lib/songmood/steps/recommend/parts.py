"""How alike songs are in words, lyrics, mood, audio features and cluster, each part on the same scale.

A part's similarity is standardized: 0 is that of two songs drawn at random, and 1 a standard deviation more.
So parts can be added with weights, and a part that one of two songs lacks takes no side: it adds 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from songmood.audio import AudioEncoding

WORDS, LYRICS, MOOD, AUDIO, CLUSTER = PARTS = ("words", "lyrics", "mood", "audio", "cluster")
VECTORS = {LYRICS: "embedding", MOOD: "hidden"}  # the columns of the parts that models give vectors for

_PAIRS = 20_000  # pairs of songs drawn at random: enough for a standard deviation to 1%

Matrix: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = NDArray[np.int64]


class Typical(NamedTuple):
    """The similarity of two songs drawn at random."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Songs:
    """Songs as rows of numbers.

    A row of `vectors` has length 1, or is 0 where the song lacks the part, as is a row of `words` then.
    `words` are the terms' weights of a song that is found, and `query` those of a seed; they differ for BM25.
    """

    song_ids: NDArray[np.object_]
    query: sparse.csr_matrix
    words: sparse.csr_matrix
    vectors: Mapping[str, Matrix]
    cluster: Numbers  # -1 where there is none

    def __len__(self) -> int:
        return len(self.song_ids)

    def __getitem__(self, rows: NDArray[np.int64] | Flags) -> Songs:
        return Songs(
            self.song_ids[rows],
            self.query[rows],
            self.words[rows],
            {part: vectors[rows] for part, vectors in self.vectors.items()},
            self.cluster[rows],
        )

    def has(self, part: str) -> Flags:
        """Which songs have the part."""
        if part == WORDS:
            return np.asarray(np.diff(self.words.indptr) > 0)
        if part == CLUSTER:
            return self.cluster >= 0
        return np.asarray(self.vectors[part].any(axis=1))


@dataclass(frozen=True)
class Scale:
    """What a sample of songs says about all: where vectors are centered, and what similarity is typical.

    Vectors of a model share a direction, which says nothing about a song and makes all songs alike: they are
    taken from their mean.
    """

    centers: Mapping[str, Matrix]
    audio: AudioEncoding
    typical: Mapping[str, Typical]

    @classmethod
    def fit(cls, sample: pd.DataFrame, vocabulary: pd.Index, bm25: bool, seed: int) -> Scale:
        """Learn from songs as `song_parts` gives them."""
        centers = {part: _mean(sample[column]) for part, column in VECTORS.items()}
        untyped = cls(centers, AudioEncoding.fit(sample), {})
        songs = untyped.arrays(sample, vocabulary, bm25)
        random = np.random.default_rng(seed)
        left, right = random.integers(max(1, len(songs)), size=(2, _PAIRS if len(songs) else 0))
        apart = left != right
        pairs = songs[left[apart]], songs[right[apart]]
        typical = {}
        for part in PARTS:
            values = _similarity_of_rows(*pairs, part)
            known = values[~np.isnan(values)]
            typical[part] = Typical(0.0, np.inf)
            if len(known):  # where all pairs are equally alike, no pair is far from the mean
                typical[part] = Typical(float(known.mean()), float(known.std()) or 1.0)
        return cls(centers, untyped.audio, typical)

    def arrays(self, songs: pd.DataFrame, vocabulary: pd.Index, bm25: bool) -> Songs:
        """Songs of `song_parts` as rows of numbers. `vocabulary` has the terms of the index."""
        words = _matrix(songs["terms"], songs["weights"], vocabulary)
        query = words
        if bm25:
            query, words = (_matrix(songs["terms"], songs[c], vocabulary) for c in ("counts", "bm25"))
        vectors = {part: _centered(songs[column], self.centers[part]) for part, column in VECTORS.items()}
        vectors[AUDIO] = unit(self.audio.transform(songs))
        return Songs(
            songs["song_id"].to_numpy(dtype=object),
            query,
            words,
            vectors,
            songs["cluster"].fillna(-1).to_numpy(np.int64),
        )


def unit(rows: NDArray[np.floating]) -> Matrix:
    """The rows with length 1; rows of 0 stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0)
    return np.asarray(units, np.float32)


def similarity(seeds: Songs, songs: Songs, part: str) -> NDArray[np.float64]:
    """The similarity of each seed to each song in a part, (seeds, songs); NaN where one lacks the part."""
    if part == WORDS:
        values = (seeds.query @ songs.words.T).toarray()
    elif part == CLUSTER:
        values = (seeds.cluster[:, None] == songs.cluster).astype(float)
    else:
        values = (seeds.vectors[part] @ songs.vectors[part].T).astype(float)
    both = seeds.has(part)[:, None] & songs.has(part)
    return np.where(both, values, np.nan)


def standardized(seeds: Songs, songs: Songs, part: str, scale: Scale) -> NDArray[np.float64]:
    """As `similarity`, in standard deviations from that of two songs drawn at random; 0 where it is NaN."""
    mean, deviation = scale.typical[part]
    return np.nan_to_num((similarity(seeds, songs, part) - mean) / deviation)


def _similarity_of_rows(seeds: Songs, songs: Songs, part: str) -> NDArray[np.float64]:
    """As `similarity`, of the first to the first, the second to the second, and so on."""
    if part == WORDS:
        values = np.asarray(seeds.query.multiply(songs.words).sum(axis=1)).ravel()
    elif part == CLUSTER:
        values = (seeds.cluster == songs.cluster).astype(float)
    else:
        values = np.einsum("ij,ij->i", seeds.vectors[part], songs.vectors[part]).astype(float)
    return np.where(seeds.has(part) & songs.has(part), values, np.nan)


def _mean(vectors: pd.Series) -> Matrix:
    known = vectors.dropna()
    return np.mean(np.stack(known.to_list()), axis=0) if len(known) else np.zeros(1, np.float32)


def _centered(vectors: pd.Series, center: Matrix) -> Matrix:
    rows = np.zeros((len(vectors), len(center)))
    known = vectors.notna().to_numpy()
    if known.any():
        rows[known] = np.stack(vectors[known].to_list()) - center
    return unit(rows)


def _matrix(terms: pd.Series, values: pd.Series, vocabulary: pd.Index) -> sparse.csr_matrix:
    """A row for each song, with a value in the column of each of its terms."""
    lengths = terms.str.len().fillna(0).to_numpy(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    has_any = lengths > 0
    columns, numbers = np.zeros(0, np.int64), np.zeros(0)
    if has_any.any():
        columns = vocabulary.get_indexer(pd.Index(np.concatenate(terms[has_any].to_list())))
        numbers = np.concatenate(values[has_any].to_list()).astype(float)
    matrix = sparse.csr_matrix((numbers, columns, starts), shape=(len(terms), len(vocabulary)))
    matrix.sort_indices()  # one order of summing, one result
    return matrix
