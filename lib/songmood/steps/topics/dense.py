"""Topics where the encoder's embeddings of songs are dense, as Top2Vec and BERTopic find them.

UMAP to few dimensions, and HDBSCAN's clusters there (Angelov 2020). A topic's words are weighed by class
TF-IDF (Grootendorst 2022). Its place is the mean of its songs' embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from gensim.corpora import Dictionary
from scipy.special import softmax

from songmood.projection import NeighborGraph
from songmood.steps.topics.model import Counts, Floats, Song, Vocabulary

_DIMENSIONS, _NEIGHBORS = 5, 15  # as in both papers' programs
_TEMPERATURE = 0.05  # cosines differ little: one that is larger by 0.05 makes its topic e times as likely


@dataclass(frozen=True)
class Dense:
    """Each topic's words (topics, words) and place (topics, width), of length 1."""

    dictionary: Dictionary
    words: Floats
    places: Floats

    def terms(self) -> Floats:
        """The class TF-IDF of each word in each topic."""
        return self.words

    def weigh(self, words: Sequence[str], embedding: Sequence[float] | None) -> list[float]:
        """By the cosine of the song's embedding and each topic's place."""
        if embedding is None:
            return [1.0 / len(self.places)] * len(self.places)
        shares = softmax(self.places @ np.asarray(embedding, dtype=np.float64) / _TEMPERATURE)
        return [float(share) for share in shares]

    def perplexity(self, held_out: list[Counts], fitted_songs: int) -> float | None:
        """None: this model gives words no probability."""
        return None


class Clusters(NamedTuple):
    """Songs that have an embedding, their embeddings (songs, width), and their clusters, or -1 for none."""

    songs: list[Song]
    embeddings: Floats
    clusters: npt.NDArray[np.int64]


def cluster(songs: list[Song], min_songs: int, seed: int) -> Clusters | None:
    """The clusters of the embeddings, for any vocabulary; None if there are none."""
    from sklearn.cluster import HDBSCAN

    embedded = [song for song in songs if song.embedding is not None]
    if len(embedded) <= max(_NEIGHBORS, _DIMENSIONS + 1, min_songs):
        return None
    embeddings = np.array([song.embedding for song in embedded], dtype=np.float64)
    reduced = NeighborGraph(embeddings, _NEIGHBORS, "cosine").project(_DIMENSIONS, 0.0, seed)
    clusters = HDBSCAN(min_cluster_size=min_songs, copy=True).fit_predict(reduced)
    return Clusters(embedded, embeddings, clusters) if (clusters >= 0).any() else None


def fit(found: Clusters, vocabulary: Vocabulary) -> Dense:
    """A topic for each cluster, described by the words of the vocabulary; the largest first."""
    songs, embeddings, clusters = found
    topics = sorted(set(clusters.tolist()) - {-1})
    counts = np.zeros((len(topics), len(vocabulary.dictionary)))
    for song, cluster in zip(songs, clusters, strict=True):
        if cluster >= 0:
            for word, times in vocabulary.dictionary.doc2bow(song.tokens):
                counts[cluster, word] += times
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    places = np.vstack([embeddings[clusters == topic].mean(axis=0) for topic in topics])
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rarity = np.log(1 + counts.sum() / len(topics) / np.maximum(counts.sum(axis=0), 1))
    return Dense(vocabulary.dictionary, (share * rarity)[order], places[order])
