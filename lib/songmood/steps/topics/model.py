"""What every topic model is and does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from gensim.corpora import Dictionary

Floats = npt.NDArray[np.float64]
Counts = list[tuple[int, int]]  # a song's words: their ids, and how often each occurs


class Song(NamedTuple):
    """A song of the sample: its words, and the encoder's reading where topics are asked of it."""

    song_id: str
    tokens: list[str]
    embedding: list[float] | None


class TopicModel(Protocol):
    """A fitted model of topics, which are numbered from 0, the one with the most words first."""

    @property
    def dictionary(self) -> Dictionary:
        """The words it knows, by id."""

    def terms(self) -> Floats:
        """The weight of each word of the dictionary in each topic; (topics, words)."""

    def weigh(self, words: Sequence[str], embedding: Sequence[float] | None) -> list[float]:
        """A song's share of each topic; sums to 1. Equal shares where nothing is known of it."""

    def perplexity(self, held_out: list[Counts], fitted_songs: int) -> float | None:
        """The mean log likelihood of a word of songs held out, or a bound of it; None where there is none."""
