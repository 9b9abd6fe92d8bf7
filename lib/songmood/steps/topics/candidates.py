"""The models of the search. Those that take long are fitted on executors, one task for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from pyspark.sql import SparkSession

from songmood.settings import TopicsSettings
from songmood.steps.topics import dense, gsdmm, lda
from songmood.steps.topics.model import Candidate, Song, TopicModel, Vocabulary

Fitted = tuple[Candidate, TopicModel]

_MODELS = ("lda", "gsdmm", "dense")


class _Trial(NamedTuple):
    """A model to fit: its row of topic_selection so far, the number of its vocabulary, and the function."""

    candidate: Candidate
    vocabulary: int
    fit: Callable[[Vocabulary], TopicModel | None]


def check_models(settings: TopicsSettings) -> None:
    """Raise ValueError for a model that does not exist."""
    unknown = [model for model in settings.models if model not in _MODELS]
    if unknown:
        raise ValueError(f"unknown topic model: {unknown[0]}")


def fit_candidates(
    spark: SparkSession,
    songs: list[Song],
    vocabularies: Sequence[Vocabulary],
    settings: TopicsSettings,
    seed: int,
) -> list[Fitted]:
    """Every model of the search, on every vocabulary that has words; without those that find no topics."""
    used = [vocabulary for vocabulary in vocabularies if len(vocabulary.dictionary)]
    trials = [trial for number, words in enumerate(used) for trial in _trials(number, words, settings, seed)]
    models = fit_on_executors(spark, trials, used)
    clusters = dense.cluster(songs, settings.min_topic_songs, seed) if "dense" in settings.models else None
    found = []
    for number, vocabulary in enumerate(used):
        of_vocabulary = [
            (trial.candidate, model)
            for trial, model in zip(trials, models, strict=True)
            if trial.vocabulary == number
        ]
        if clusters is not None:
            of_vocabulary.append((_candidate("dense", vocabulary), dense.fit(clusters, vocabulary)))
        found += [
            (candidate._replace(topics=len(model.terms())), model)
            for candidate, model in of_vocabulary
            if model is not None
        ]
    return found


def fit_on_executors(
    spark: SparkSession, trials: Sequence[_Trial], vocabularies: Sequence[Vocabulary]
) -> list[TopicModel | None]:
    """The model of each trial, in the order of the trials."""
    if not trials:
        return []
    context = spark.sparkContext
    sent = context.broadcast(list(vocabularies))
    try:
        tasks = context.parallelize([(trial.vocabulary, trial.fit) for trial in trials], len(trials))
        return tasks.map(lambda task: task[1](sent.value[task[0]])).collect()
    finally:
        sent.unpersist()


def _trials(number: int, vocabulary: Vocabulary, settings: TopicsSettings, seed: int) -> Iterator[_Trial]:
    """The models that are fitted on executors, on the vocabulary of that number."""
    if "lda" in settings.models:
        grid = itertools.product(sorted(settings.candidates), settings.alphas, settings.etas, settings.passes)
        for topics, alpha, eta, passes in grid:
            yield _Trial(
                _candidate("lda", vocabulary, str(alpha), str(eta), passes),
                number,
                partial(
                    lda.fit,
                    topics=topics,
                    alpha=alpha,
                    eta=eta,
                    passes=passes,
                    starts=settings.starts,
                    seed=seed,
                ),
            )
    if "gsdmm" in settings.models:
        yield _Trial(
            _candidate("gsdmm", vocabulary, str(gsdmm.ALPHA), str(gsdmm.BETA), settings.gsdmm_passes),
            number,
            partial(
                gsdmm.fit,
                topics=settings.gsdmm_topics,
                passes=settings.gsdmm_passes,
                min_songs=settings.min_topic_songs,
                seed=seed,
            ),
        )


def _candidate(
    model: str, vocabulary: Vocabulary, alpha: str = "", eta: str = "", passes: int = 0
) -> Candidate:
    """A candidate whose figures are not yet measured."""
    return Candidate(model, 0, alpha, eta, passes, vocabulary.max_document_share, None, None, False)
