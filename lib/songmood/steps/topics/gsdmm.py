"""GSDMM: one topic a song, for short texts, by collapsed Gibbs sampling (Yin & Wang 2014; paper 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from gensim.corpora import Dictionary
from scipy.special import gammaln, logsumexp

from songmood.steps.topics.model import Counts, Floats

ALPHA, BETA = 0.1, 0.1  # their section 4: how easily a song takes an empty topic, how much a new word costs


@dataclass(frozen=True)
class Gsdmm:
    """How many songs each topic has, and how often each word; (topics,) and (topics, words)."""

    dictionary: Dictionary
    songs: Floats
    words: Floats

    @cached_property
    def sizes(self) -> Floats:
        """How many words each topic has."""
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


def fit(
    counts: list[Counts], dictionary: Dictionary, topics: int, passes: int, min_songs: int, seed: int
) -> Gsdmm | None:
    """Deal songs to at most so many topics; those of fewer than `min_songs` songs are left out at the end.

    None if no topic has as many. The largest topic comes first.
    """
    random = np.random.default_rng(seed)
    of = random.integers(topics, size=len(counts))
    songs, words = np.zeros(topics), np.zeros((topics, len(dictionary)))
    # how many words each topic has, kept beside `words`: adding them up for each song takes long
    sizes = np.zeros(topics)
    known = [_arrays(song) for song in counts]
    for topic, (ids, times) in zip(of, known, strict=True):
        songs[topic] += 1
        words[topic, ids] += times
        sizes[topic] += times.sum()
    for _ in range(passes):
        for song, (ids, times) in enumerate(known):
            songs[of[song]] -= 1
            words[of[song], ids] -= times
            sizes[of[song]] -= times.sum()
            logs = _log_odds((ids, times), songs, words, sizes)
            chances = np.cumsum(np.exp(logs - logs.max()))
            of[song] = int(np.searchsorted(chances, random.random() * chances[-1]))
            songs[of[song]] += 1
            words[of[song], ids] += times
            sizes[of[song]] += times.sum()
    by_size = np.argsort(-words.sum(axis=1), kind="stable")
    order = [int(topic) for topic in by_size if songs[topic] >= min_songs]
    return Gsdmm(dictionary, songs[order], words[order]) if order else None


def _log_odds(
    song: tuple[npt.NDArray[np.int64], Floats], songs: Floats, words: Floats, sizes: Floats
) -> Floats:
    """Logarithm of their equation 4, but for a constant: how well a song fits each topic."""
    ids, times = song
    known = words[:, ids] + BETA
    size = sizes + words.shape[1] * BETA
    gain = (gammaln(known + times) - gammaln(known)).sum(axis=1)
    return np.asarray(np.log(songs + ALPHA) + gain - (gammaln(size + times.sum()) - gammaln(size)))


def _arrays(counts: Counts) -> tuple[npt.NDArray[np.int64], Floats]:
    ids, times = zip(*counts, strict=True)
    return np.array(ids), np.array(times, dtype=np.float64)
