"""How good topic models are: c_v coherence (Röder et al. 2015), and the perplexity of held-out songs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from gensim.models import CoherenceModel

from songmood.steps.topics.model import Candidate, Song, TopicModel, count_words

COHERENCE_TERMS = 20  # the top terms of a topic that c_v looks at: gensim's default

Fitted = tuple[Candidate, TopicModel]


def score_candidates(found: Sequence[Fitted], songs: list[Song], held_out: list[Song]) -> list[Fitted]:
    """The candidates with their coherence on `songs` and their perplexity on `held_out`.

    Words are counted once for all models of a vocabulary, whose candidates stand next to each other.
    """
    by_share = itertools.groupby(found, key=lambda fitted: fitted[0].max_document_share)
    return [scored for _, group in by_share for scored in _score(list(group), songs, held_out)]


def _score(found: list[Fitted], songs: list[Song], held_out: list[Song]) -> Iterator[Fitted]:
    """Score models that have the same vocabulary."""
    dictionary = found[0][1].dictionary
    ranked = [np.argsort(-model.terms(), axis=1, kind="stable") for _, model in found]
    tops = [[ids[:COHERENCE_TERMS] for ids in topics] for topics in ranked]
    scorer = CoherenceModel(
        topics=[[dictionary[i] for i in ids] for top in tops for ids in top],
        texts=[song.tokens for song in songs],
        dictionary=dictionary,
        coherence="c_v",
        topn=COHERENCE_TERMS,
        processes=1,  # more would fork the driver
    )
    by_topic = iter(scorer.get_coherence_per_topic() if any(tops) else [])
    unseen = count_words(dictionary, [song.tokens for song in held_out])
    fitted_songs = len(count_words(dictionary, [song.tokens for song in songs]))
    for (candidate, model), top in zip(found, tops, strict=True):
        coherence = float(np.mean([next(by_topic) for _ in top]))
        scores = candidate._replace(
            coherence=None if math.isnan(coherence) else coherence,
            perplexity=model.perplexity(unseen, fitted_songs) if unseen else None,
        )
        yield scores, model
