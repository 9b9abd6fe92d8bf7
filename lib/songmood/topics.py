"""Topics of lyrics: gensim's LDA, fitted on a bounded sample on the driver, inferred on executors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel, LdaModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood import config
from songmood.tables import TOPIC_SELECTION, TOPIC_TERMS, TOPICS

HELD_OUT = 10  # one song in so many is kept from fitting, for the perplexity
COHERENCE_TERMS = 20  # top terms of a topic that c_v looks at: gensim's default


class Candidate(NamedTuple):
    """A row of the table `topic_selection`."""

    model: str
    topics: int
    alpha: str
    eta: str
    perplexity: float | None
    coherence: float | None
    chosen: bool


@dataclass(frozen=True)
class FittedTopics:
    """The chosen model and the search that led to it.

    `lda` is gensim's LdaModel with its topics in their final order and its dictionary as `id2word`;
    it is None, and `problem` says why in one line, where there was nothing to fit.
    """

    lda: Any
    selection: tuple[Candidate, ...]
    seed: int
    problem: str | None = None


class TopicTables(NamedTuple):
    """The three tables of the step."""

    topics: DataFrame
    topic_terms: DataFrame
    topic_selection: DataFrame


def fit_topics(tokens: DataFrame, conf: config.Topics, seed: int) -> FittedTopics:
    """Fit LDA for each number of topics in `conf.candidates` and choose the most coherent.

    Of `conf.starts` random starts for each, the one that explains the songs fitted best stands.
    Takes the table `tokens`; at most `conf.fit_songs` songs come to the driver. A tenth of them is
    held out for the perplexity: gensim's per-word log bound (`LdaModel.log_perplexity`), as the
    paper's -6.72. Coherence is c_v (Röder et al. 2015) on the songs fitted. Topics are numbered from
    0, the one with the most words of the sample first.
    """
    songs = _sample(tokens, conf.fit_songs, seed)
    if not songs:
        return FittedTopics(
            None, (), seed, "no song has words, so no topics: the corpus folder lyrics/ supplies lyrics"
        )
    cut = len(songs) // HELD_OUT
    held_out = [words for _, words in songs[:cut]]
    texts = [words for _, words in sorted(songs[cut:])]  # the order counts: gensim learns as it reads
    dictionary = Dictionary(texts)
    dictionary.filter_extremes(conf.min_documents, conf.max_document_share, conf.max_terms)
    if not len(dictionary):
        return FittedTopics(
            None,
            (),
            seed,
            f"no word is in at least {conf.min_documents} (topics.min_documents) and at most "
            f"{conf.max_document_share:.0%} (topics.max_document_share) of {len(texts)} songs: no topics",
        )
    counts = _known(dictionary, texts)
    models = [_fit(counts, dictionary, topics, conf, seed) for topics in sorted(set(conf.candidates))]
    coherences = _coherences(models, texts, dictionary)
    best = max(range(len(models)), key=lambda i: (coherences[i] is not None, coherences[i] or 0.0, -i))
    unseen = _known(dictionary, held_out)
    selection = tuple(
        Candidate(
            model="lda",
            topics=lda.num_topics,
            alpha=str(conf.alpha),
            eta=str(conf.eta),
            perplexity=_perplexity(lda, unseen, len(counts)),
            coherence=coherences[i],
            chosen=i == best,
        )
        for i, lda in enumerate(models)
    )
    return FittedTopics(models[best], selection, seed)


def infer_topics(tokens: DataFrame, fitted: FittedTopics, terms_shown: int) -> TopicTables:
    """The topics of every song, the top terms of every topic, and the search.

    A song's weights depend on its words alone, not on the songs beside it. A song without a word
    that the model knows has equal weights: nothing is known of its topics. All tables are empty
    where nothing could be fitted.
    """
    spark = tokens.sparkSession
    selection = spark.createDataFrame(list(fitted.selection), TOPIC_SELECTION.schema)
    terms = spark.createDataFrame(_top_terms(fitted, terms_shown), TOPIC_TERMS.schema)
    if fitted.lda is None:
        return TopicTables(spark.createDataFrame([], TOPICS.schema), terms, selection)

    def infer(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            weights = [topic_weights(fitted, words) for words in batch["tokens"]]
            yield pd.DataFrame({"song_id": batch["song_id"], "topic_weights": weights})

    topics = tokens.select("song_id", "tokens").mapInPandas(infer, TOPICS.schema)
    return TopicTables(topics, terms, selection)


def topic_weights(fitted: FittedTopics, words: Iterable[str] | None) -> list[float]:
    """The topic distribution of one song, by gensim's inference; sums to 1."""
    lda = fitted.lda
    counts = lda.id2word.doc2bow([] if words is None else words)
    if not counts:
        return [1.0 / lda.num_topics] * lda.num_topics
    # gensim starts from random weights: the same ones for each song
    lda.random_state = np.random.RandomState(fitted.seed)
    gamma = lda.inference([counts])[0][0].astype(np.float64)
    return [float(weight) for weight in gamma / gamma.sum()]


def _sample(tokens: DataFrame, songs: int, seed: int) -> list[tuple[str, list[str]]]:
    """At most so many songs with words, in an order that only song_id and seed decide."""
    chosen = (
        tokens.where(F.size("tokens") > 0)
        .orderBy(F.xxhash64("song_id", F.lit(seed)), "song_id")
        .limit(songs)
        .select("song_id", "tokens")
    )
    return [(row.song_id, row.tokens) for row in chosen.collect()]


def _known(dictionary: Dictionary, texts: Iterable[Sequence[str]]) -> list[list[tuple[int, int]]]:
    """Word counts of the texts that have words of the dictionary."""
    return [counts for words in texts if (counts := dictionary.doc2bow(words))]


def _fit(
    counts: list[list[tuple[int, int]]], dictionary: Dictionary, topics: int, conf: config.Topics, seed: int
) -> LdaModel:
    starts = [
        LdaModel(
            counts,
            num_topics=topics,
            id2word=dictionary,
            passes=conf.passes,
            alpha=conf.alpha,
            eta=conf.eta,
            random_state=seed + start,
            eval_every=None,
        )
        for start in range(conf.starts)
    ]
    lda = max(starts, key=lambda start: start.log_perplexity(counts))
    order = np.argsort(-lda.state.sstats.sum(axis=1), kind="stable")
    lda.state.sstats = lda.state.sstats[order]
    lda.alpha = lda.alpha[order]
    lda.sync_state()
    return lda


def _coherences(
    models: Sequence[LdaModel], texts: list[list[str]], dictionary: Dictionary
) -> list[float | None]:
    """The c_v coherence of each model; the songs are counted once for all of them."""
    ranked = [np.argsort(-lda.get_topics(), axis=1, kind="stable") for lda in models]
    tops = [[ids[:COHERENCE_TERMS] for ids in topics] for topics in ranked]
    scorer = CoherenceModel(
        topics=[[dictionary[i] for i in ids] for top in tops for ids in top],
        texts=texts,
        dictionary=dictionary,
        coherence="c_v",
        topn=COHERENCE_TERMS,
        processes=1,  # more would fork the driver
    )
    by_topic = iter(scorer.get_coherence_per_topic())
    means = [float(np.mean([next(by_topic) for _ in top])) for top in tops]
    return [None if math.isnan(mean) else mean for mean in means]


def _perplexity(lda: LdaModel, held_out: list[list[tuple[int, int]]], fitted_songs: int) -> float | None:
    """Per-word log bound; None where no held-out song has a known word.

    The topics' own part of the bound is shared by all the songs they were fitted on, as gensim has
    it while it learns (total_docs), so that the figure does not hang on how many were held out.
    """
    if not held_out:
        return None
    return float(lda.log_perplexity(held_out, total_docs=fitted_songs))


def _top_terms(fitted: FittedTopics, terms_shown: int) -> list[tuple[int, int, str, float]]:
    """Rows of `topic_terms`: weight is the term's probability in the topic."""
    if fitted.lda is None:
        return []
    return [
        (topic, rank, fitted.lda.id2word[i], float(weights[i]))
        for topic, weights in enumerate(fitted.lda.get_topics())
        for rank, i in enumerate(np.argsort(-weights, kind="stable")[:terms_shown], 1)
    ]
