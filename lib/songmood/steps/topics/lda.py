"""Latent Dirichlet allocation, by gensim: a song is a mixture of topics (paper 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gensim.corpora import Dictionary
from gensim.models import LdaModel

from songmood.steps.topics.model import Counts, Floats, Vocabulary


@dataclass(frozen=True)
class Lda:
    """`model` is gensim's LdaModel, its topics in their final order."""

    dictionary: Dictionary
    model: Any
    seed: int

    def terms(self) -> Floats:
        """The probability of each word in each topic."""
        return np.asarray(self.model.get_topics())

    def weigh(self, words: Sequence[str], embedding: Sequence[float] | None) -> list[float]:
        """By gensim's inference, from the words alone."""
        counts = self.dictionary.doc2bow([] if words is None else words)
        if not counts:
            return [1.0 / self.model.num_topics] * self.model.num_topics
        # gensim starts from random weights: the same ones for each song
        self.model.random_state = np.random.RandomState(self.seed)
        gamma = self.model.inference([counts])[0][0].astype(np.float64)
        return [float(weight) for weight in gamma / gamma.sum()]

    def perplexity(self, held_out: list[Counts], fitted_songs: int) -> float | None:
        """gensim's per-word log bound.

        The topics' own part of the bound is shared by all the songs that they were fitted on, as gensim
        has it while it learns (total_docs), so that the figure does not depend on the number of songs
        held out.
        """
        return float(self.model.log_perplexity(held_out, total_docs=fitted_songs))


def fit(
    vocabulary: Vocabulary,
    topics: int,
    alpha: str | float,
    eta: str | float,
    passes: int,
    starts: int,
    seed: int,
) -> Lda:
    """Of `starts` random starts, the one that explains the songs best; its topics, largest first."""
    fits = [
        LdaModel(
            vocabulary.counts,
            num_topics=topics,
            id2word=vocabulary.dictionary,
            passes=passes,
            alpha=alpha,
            eta=eta,
            random_state=seed + start,
            eval_every=None,
        )
        for start in range(starts)
    ]
    lda = max(fits, key=lambda start: start.log_perplexity(vocabulary.counts))
    order = np.argsort(-lda.state.sstats.sum(axis=1), kind="stable")
    lda.state.sstats = lda.state.sstats[order]
    lda.alpha = lda.alpha[order]
    lda.sync_state()
    return Lda(vocabulary.dictionary, lda, seed)
