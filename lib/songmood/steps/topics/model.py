"""The interface of a topic model, and the data that it is fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from gensim.corpora import Dictionary

Floats = npt.NDArray[np.float64]
Counts = list[tuple[int, int]]  # a song's words: their ids, and how often each occurs


class Song(NamedTuple):
    """A song of the sample: its words, and its embedding where a model of the search needs it."""

    song_id: str
    tokens: list[str]
    embedding: list[float] | None


class Vocabulary(NamedTuple):
    """The words that are neither too rare nor too common, and the songs of the sample counted by them.

    `max_document_share` is the share of songs above which a word is too common. Songs without any of the
    words are not in `counts`.
    """

    max_document_share: float
    dictionary: Dictionary
    counts: list[Counts]


class TopicModel(Protocol):
    """A fitted model of topics, which are numbered from 0, the one with the most words first."""

    @property
    def dictionary(self) -> Dictionary:
        """The words of its vocabulary, by id."""

    def terms(self) -> Floats:
        """The weight of each word of the dictionary in each topic; (topics, words)."""

    def weigh(self, words: Sequence[str], embedding: Sequence[float] | None) -> list[float]:
        """A song's share of each topic; sums to 1. Equal shares where the song has nothing to weigh."""

    def perplexity(self, held_out: list[Counts], fitted_songs: int) -> float | None:
        """The mean log likelihood of a word in held-out songs, or a bound of it; None if there is neither."""


class Candidate(NamedTuple):
    """A row of the table `topic_selection`."""

    model: str
    topics: int
    alpha: str
    eta: str
    passes: int
    max_document_share: float
    perplexity: float | None
    coherence: float | None
    chosen: bool


@dataclass(frozen=True)
class FittedTopics:
    """The chosen model and the search that led to it.

    Where there was nothing to fit, `model` is None, and `problem` says why in one line.
    """

    model: TopicModel | None
    selection: tuple[Candidate, ...]
    problem: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)  # for the manifest


def count_words(dictionary: Dictionary, texts: Sequence[Sequence[str]]) -> list[Counts]:
    """Word counts of the texts that have words of the dictionary."""
    return [counts for words in texts if (counts := dictionary.doc2bow(words))]
