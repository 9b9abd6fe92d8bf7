"""GSDMM: one topic for each song, for short texts, by collapsed Gibbs sampling (Yin & Wang 2014; paper 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from gensim.corpora import Dictionary
from scipy.special import gammaln, logsumexp

from songmood.steps.topics.model import Counts, Floats, Vocabulary

ALPHA, BETA = 0.1, 0.1  # their section 4: the weight of an empty topic, and of a word that is new to a topic


@dataclass(frozen=True)
class Gsdmm:
    """The songs in each topic, (topics,), and how often it has each word, (topics, words)."""

    dictionary: Dictionary
    songs: Floats
    words: Floats

    @cached_property
    def sizes(self) -> Floats:
        """The number of words in each topic."""
        return np.asarray(self.words.sum(axis=1))

    def terms(self) -> Floats:
        """The probability of each word in each topic."""
        smoothed = self.words + BETA
        return np.asarray(smoothed / smoothed.sum(axis=1, keepdims=True))

    def weigh(self, words: Sequence[str], embedding: Sequence[float] | None) -> list[float]:
        """The probability of each topic, given the words: their equation 4."""
        counts = self.dictionary.doc2bow([] if words is None else words)
        if not counts:
            return [1.0 / len(self.songs)] * len(self.songs)
        logs = _log_odds(_arrays(counts), self.songs, self.words, self.sizes)
        return [float(weight) for weight in np.exp(logs - logsumexp(logs))]

    def perplexity(self, held_out: list[Counts], fitted_songs: int) -> float | None:
        """The mean log likelihood of a word, under the mixture of topics."""
        shares = np.log(self.songs / self.songs.sum())
        terms = np.log(self.terms())
        total = words = 0.0
        for counts in held_out:
            ids, times = _arrays(counts)
            total += float(logsumexp(shares + terms[:, ids] @ times))
            words += float(times.sum())
        return total / words


def fit(vocabulary: Vocabulary, topics: int, passes: int, min_songs: int, seed: int) -> Gsdmm | None:
    """Assign songs to at most `topics` topics, and leave out those of fewer than `min_songs` songs.

    None if every topic is left out. The largest topic comes first.
    """
    random = np.random.default_rng(seed)
    topic_of = random.integers(topics, size=len(vocabulary.counts))
    songs, words = np.zeros(topics), np.zeros((topics, len(vocabulary.dictionary)))
    # the number of words in each topic is kept beside `words`: summing them for each song takes long
    sizes = np.zeros(topics)
    counted = [_arrays(song) for song in vocabulary.counts]
    for topic, (ids, times) in zip(topic_of, counted, strict=True):
        songs[topic] += 1
        words[topic, ids] += times
        sizes[topic] += times.sum()
    for _ in range(passes):
        for song, (ids, times) in enumerate(counted):
            songs[topic_of[song]] -= 1
            words[topic_of[song], ids] -= times
            sizes[topic_of[song]] -= times.sum()
            logs = _log_odds((ids, times), songs, words, sizes)
            chances = np.cumsum(np.exp(logs - logs.max()))
            topic_of[song] = int(np.searchsorted(chances, random.random() * chances[-1]))
            songs[topic_of[song]] += 1
            words[topic_of[song], ids] += times
            sizes[topic_of[song]] += times.sum()
    by_size = np.argsort(-words.sum(axis=1), kind="stable")
    order = [int(topic) for topic in by_size if songs[topic] >= min_songs]
    return Gsdmm(vocabulary.dictionary, songs[order], words[order]) if order else None


def _log_odds(
    song: tuple[npt.NDArray[np.int64], Floats], songs: Floats, words: Floats, sizes: Floats
) -> Floats:
    """The logarithm of their equation 4, up to a constant: how well a song fits each topic."""
    ids, times = song
    smoothed = words[:, ids] + BETA
    size = sizes + words.shape[1] * BETA
    gain = (gammaln(smoothed + times) - gammaln(smoothed)).sum(axis=1)
    return np.asarray(np.log(songs + ALPHA) + gain - (gammaln(size + times.sum()) - gammaln(size)))


def _arrays(counts: Counts) -> tuple[npt.NDArray[np.int64], Floats]:
    ids, times = zip(*counts, strict=True)
    return np.array(ids), np.array(times, dtype=np.float64)
