"""Topics where the encoder's readings of songs are dense, as Top2Vec and BERTopic find them.

UMAP to few dimensions, HDBSCAN's clusters there (Angelov 2020); a topic's words by class TF-IDF
(Grootendorst 2022), its place the mean of its songs' readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from gensim.corpora import Dictionary
from scipy.special import softmax

from songmood.layout import Layout
from songmood.steps.topics.model import Counts, Floats, Song

_DIMENSIONS, _NEIGHBORS = 5, 15  # as both papers' programs have it
_TEMPERATURE = 0.05  # cosines lie close together: a lead of 0.05 makes a topic e times as likely


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
        """By how near the song's reading is to each topic's place."""
        if embedding is None:
            return [1.0 / len(self.places)] * len(self.places)
        shares = softmax(self.places @ np.asarray(embedding, dtype=np.float64) / _TEMPERATURE)
        return [float(share) for share in shares]

    def perplexity(self, held_out: list[Counts], fitted_songs: int) -> float | None:
        """None: this model gives words no probability."""
        return None


class Clusters(NamedTuple):
    """Songs that have a reading, their readings (songs, width), and the cluster of each; -1 is none."""

    songs: list[Song]
    readings: Floats
    clusters: npt.NDArray[np.int64]


def cluster(songs: list[Song], min_songs: int, seed: int) -> Clusters | None:
    """Where the readings of songs are dense, whatever words are known; None if it is nowhere."""
    from sklearn.cluster import HDBSCAN

    read = [song for song in songs if song.embedding is not None]
    if len(read) <= max(_NEIGHBORS, _DIMENSIONS + 1, min_songs):
        return None
    readings = np.array([song.embedding for song in read], dtype=np.float64)
    reduced = Layout(readings, _NEIGHBORS, "cosine").in_dimensions(_DIMENSIONS, 0.0, seed)
    clusters = HDBSCAN(min_cluster_size=min_songs, copy=True).fit_predict(reduced)
    return Clusters(read, readings, clusters) if (clusters >= 0).any() else None


def fit(found: Clusters, dictionary: Dictionary) -> Dense:
    """A topic a cluster, told by the words of the dictionary; the largest first."""
    read, readings, clusters = found
    topics = sorted(set(clusters.tolist()) - {-1})
    counts = np.zeros((len(topics), len(dictionary)))
    for song, cluster in zip(read, clusters, strict=True):
        if cluster >= 0:
            for word, times in dictionary.doc2bow(song.tokens):
                counts[cluster, word] += times
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    places = np.vstack([readings[clusters == topic].mean(axis=0) for topic in topics])
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rarity = np.log(1 + counts.sum() / len(topics) / np.maximum(counts.sum(axis=0), 1))
    return Dense(dictionary, (share * rarity)[order], places[order])
