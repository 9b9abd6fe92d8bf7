"""The tables of the step: the topics of every song, the top terms of every topic, and the search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.settings import TopicsSettings
from songmood.steps.topics.model import FittedTopics
from songmood.tables import TOPIC_SELECTION, TOPIC_TERMS, TOPICS


def infer_topics(
    tokens: DataFrame, embeddings: DataFrame, fitted: FittedTopics, settings: TopicsSettings
) -> DataFrame:
    """The table `topics`: the topic weights of every song; empty where nothing could be fitted.

    A song's weights depend on the song alone, not on the songs beside it.
    """
    model = fitted.model
    if model is None:
        return tokens.sparkSession.createDataFrame([], TOPICS.schema)

    def infer(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            weights = [
                model.weigh(words, embedding)
                for words, embedding in zip(batch["tokens"], batch["embedding"], strict=True)
            ]
            yield pd.DataFrame({"song_id": batch["song_id"], "topic_weights": weights})

    songs = with_embeddings(tokens, embeddings if "dense" in settings.models else None)
    return songs.mapInPandas(infer, TOPICS.schema)


def list_terms(spark: SparkSession, fitted: FittedTopics, settings: TopicsSettings) -> DataFrame:
    """The table `topic_terms`: the heaviest terms of every topic."""
    terms: list[tuple[int, int, str, float]] = []
    if fitted.model is not None:
        dictionary = fitted.model.dictionary
        for topic, weights in enumerate(fitted.model.terms()):
            heaviest = np.argsort(-weights, kind="stable")[: settings.terms_shown]
            terms += [
                (topic, rank, dictionary[int(i)], float(weights[i])) for rank, i in enumerate(heaviest, 1)
            ]
    return spark.createDataFrame(terms, TOPIC_TERMS.schema)


def list_candidates(spark: SparkSession, fitted: FittedTopics) -> DataFrame:
    """The table `topic_selection`: every model of the search."""
    return spark.createDataFrame(list(fitted.selection), TOPIC_SELECTION.schema)


def with_embeddings(tokens: DataFrame, embeddings: DataFrame | None) -> DataFrame:
    """song_id, tokens and embedding; the embedding is null where there are no `embeddings`."""
    words = tokens.select("song_id", "tokens")
    if embeddings is None:
        return words.withColumn("embedding", F.lit(None).cast("array<float>"))
    return words.join(embeddings.select("song_id", "embedding"), "song_id", "left")
