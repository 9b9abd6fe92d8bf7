"""The search for a topic model, the choice, and the tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.settings import TopicsSettings
from songmood.steps.topics.model import Counts, Song, TopicModel
from songmood.tables import TOPIC_SELECTION, TOPIC_TERMS, TOPICS

if TYPE_CHECKING:
    from songmood.steps.topics.dense import Clusters

HELD_OUT = 10  # one song in so many is kept from fitting, for the perplexity
COHERENCE_TERMS = 20  # top terms of a topic that c_v looks at: gensim's default


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

    `model` is None, and `problem` says why in one line, where there was nothing to fit.
    """

    model: TopicModel | None
    selection: tuple[Candidate, ...]
    problem: str | None = None


class Inferred(NamedTuple):
    """The three tables of the step."""

    topics: DataFrame
    topic_terms: DataFrame
    topic_selection: DataFrame


def fit_topics(tokens: DataFrame, embeddings: DataFrame, settings: TopicsSettings, seed: int) -> FittedTopics:
    """Fit every model of the search that `conf` asks for, and choose the most coherent (see `_worth`).

    Takes the tables `tokens` and `embeddings`; at most `conf.fit_songs` songs come to the driver. A
    tenth of them is held out for the perplexity: gensim's per-word log bound
    (`LdaModel.log_perplexity`), as the paper's -6.72. Coherence is c_v (Röder et al. 2015) on the songs
    fitted.
    """
    from songmood.steps.topics import dense

    songs = _sample(tokens, embeddings if "dense" in settings.models else None, settings.fit_songs, seed)
    if not songs:
        problem = "no song has words, so no topics: the corpus folder lyrics/ supplies lyrics"
        return FittedTopics(None, (), problem)
    cut = len(songs) // HELD_OUT
    held_out, fitted = songs[:cut], sorted(songs[cut:])  # the order counts: gensim learns as it reads
    dense_songs = (
        dense.cluster(fitted, settings.min_topic_songs, seed) if "dense" in settings.models else None
    )
    found: list[tuple[Candidate, TopicModel]] = []
    tried: list[Dictionary] = []
    for share in settings.max_document_shares:
        dictionary = Dictionary(song.tokens for song in fitted)
        dictionary.filter_extremes(settings.min_documents, share, settings.max_terms)
        tried.append(dictionary)
        if len(dictionary):
            of_share = list(_search(fitted, dense_songs, dictionary, share, settings, seed))
            found += _score(of_share, fitted, held_out, dictionary)
    if not found:
        if any(len(dictionary) for dictionary in tried):
            least = f"{settings.min_topic_songs} songs or more (topics.min_topic_songs)"
            return FittedTopics(None, (), f"no group of {least} is a topic of its own: no topics")
        shares = " or ".join(f"{share:.0%}" for share in settings.max_document_shares)
        problem = (
            f"no word is in at least {settings.min_documents} (topics.min_documents) and at most "
            f"{shares} (topics.max_document_shares) of {len(fitted)} songs: no topics"
        )
        return FittedTopics(None, (), problem)
    best = max(range(len(found)), key=lambda i: (*_worth(*found[i]), -i))
    selection = tuple(candidate._replace(chosen=i == best) for i, (candidate, _) in enumerate(found))
    return FittedTopics(found[best][1], selection)


def infer_topics(
    tokens: DataFrame, embeddings: DataFrame, fitted: FittedTopics, settings: TopicsSettings
) -> Inferred:
    """The topics of every song, the top terms of every topic, and the search.

    A song's weights depend on the song alone, not on the songs beside it. All tables are empty where
    nothing could be fitted.
    """
    spark, model = tokens.sparkSession, fitted.model
    selection = spark.createDataFrame(list(fitted.selection), TOPIC_SELECTION.schema)
    terms = spark.createDataFrame(_top_terms(model, settings.terms_shown), TOPIC_TERMS.schema)
    if model is None:
        return Inferred(spark.createDataFrame([], TOPICS.schema), terms, selection)

    def infer(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            weights = [
                model.weigh(words, embedding)
                for words, embedding in zip(batch["tokens"], batch["embedding"], strict=True)
            ]
            yield pd.DataFrame({"song_id": batch["song_id"], "topic_weights": weights})

    songs = _with_embeddings(tokens, embeddings if "dense" in settings.models else None)
    return Inferred(songs.mapInPandas(infer, TOPICS.schema), terms, selection)


def _with_embeddings(tokens: DataFrame, embeddings: DataFrame | None) -> DataFrame:
    words = tokens.select("song_id", "tokens")
    if embeddings is None:
        return words.withColumn("embedding", F.lit(None).cast("array<float>"))
    return words.join(embeddings.select("song_id", "embedding"), "song_id", "left")


def _sample(tokens: DataFrame, embeddings: DataFrame | None, songs: int, seed: int) -> list[Song]:
    """At most so many songs with words, in an order that only song_id and seed decide."""
    chosen = (
        tokens.where(F.size("tokens") > 0).orderBy(F.xxhash64("song_id", F.lit(seed)), "song_id").limit(songs)
    )
    rows = _with_embeddings(chosen, embeddings).collect()
    found = [Song(row.song_id, row.tokens, row.embedding) for row in rows]
    order = {row.song_id: place for place, row in enumerate(chosen.select("song_id").collect())}
    return sorted(found, key=lambda song: order[song.song_id])


def _search(
    songs: list[Song],
    dense_songs: Clusters | None,
    dictionary: Dictionary,
    share: float,
    settings: TopicsSettings,
    seed: int,
) -> Iterator[tuple[Candidate, TopicModel]]:
    """Every model that is asked for, on one vocabulary."""
    from songmood.steps.topics import dense, gsdmm, lda

    counts = known_words(dictionary, [song.tokens for song in songs])
    blank = Candidate("", 0, "", "", 0, share, None, None, False)
    if "lda" in settings.models:
        grid = itertools.product(sorted(settings.candidates), settings.alphas, settings.etas, settings.passes)
        for topics, alpha, eta, passes in grid:
            tried = blank._replace(model="lda", topics=topics, alpha=str(alpha), eta=str(eta), passes=passes)
            yield tried, lda.fit(counts, dictionary, topics, alpha, eta, passes, settings.starts, seed)
    if "gsdmm" in settings.models:
        passes, least = settings.gsdmm_passes, settings.min_topic_songs
        short = gsdmm.fit(counts, dictionary, settings.gsdmm_topics, passes, least, seed)
        if short is not None:
            found = blank._replace(model="gsdmm", topics=len(short.songs), passes=passes)
            yield found._replace(alpha=str(gsdmm.ALPHA), eta=str(gsdmm.BETA)), short
    if dense_songs is not None:
        places = dense.fit(dense_songs, dictionary)
        yield blank._replace(model="dense", topics=len(places.places)), places


def _score(
    found: list[tuple[Candidate, TopicModel]],
    songs: list[Song],
    held_out: list[Song],
    dictionary: Dictionary,
) -> list[tuple[Candidate, TopicModel]]:
    """The candidates with their coherence and perplexity; the songs are counted once for all of them."""
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
    unseen = known_words(dictionary, [song.tokens for song in held_out])
    fitted = len(known_words(dictionary, [song.tokens for song in songs]))
    scored = []
    for (candidate, model), top in zip(found, tops, strict=True):
        coherence = float(np.mean([next(by_topic) for _ in top]))
        perplexity = model.perplexity(unseen, fitted) if unseen else None
        scored.append(
            (
                candidate._replace(
                    coherence=None if math.isnan(coherence) else coherence, perplexity=perplexity
                ),
                model,
            )
        )
    return scored


def known_words(dictionary: Dictionary, texts: Iterable[Sequence[str]]) -> list[Counts]:
    """Word counts of the texts that have words of the dictionary."""
    return [counts for words in texts if (counts := dictionary.doc2bow(words))]


def _top_terms(model: TopicModel | None, terms_shown: int) -> list[tuple[int, int, str, float]]:
    """Rows of `topic_terms`."""
    if model is None:
        return []
    return [
        (topic, rank, model.dictionary[int(i)], float(weights[i]))
        for topic, weights in enumerate(model.terms())
        for rank, i in enumerate(np.argsort(-weights, kind="stable")[:terms_shown], 1)
    ]


def _worth(candidate: Candidate, model: TopicModel) -> tuple[bool, bool, float]:
    """By what a candidate is chosen: coherence, but first that its vocabulary has top terms for every topic.

    With fewer words topics share them, and the fewer they are, the more coherent they look.
    """
    enough = len(model.dictionary) >= COHERENCE_TERMS * candidate.topics
    known = candidate.coherence is not None
    return known, enough, candidate.coherence or 0.0
