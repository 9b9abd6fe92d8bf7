"""topics: topics of lyrics, fitted on a bounded sample on the driver, inferred on executors.

search.py       the search for the model, the choice, and the tables
model.py        what every topic model is and does
lda.py          gensim's LDA (paper 4)
gsdmm.py        one topic for each song, for short texts (paper 7 names it)
dense.py        topics where the encoder's embeddings are dense
__init__.py     the step
"""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import TopicsSettings


class TopicTables(NamedTuple):
    """The topics of songs, their terms, and the search."""

    topics: DataFrame
    topic_terms: DataFrame
    topic_selection: DataFrame
    notes: Notes = Notes()


@step("topics", "topic model")
def model_topics(
    tokens: DataFrame, embeddings: DataFrame, settings: TopicsSettings, seed: int
) -> TopicTables:
    """The topic distribution of each song, and the search for the topic model."""
    from songmood.steps.topics.search import fit_topics, infer_topics

    fitted = fit_topics(tokens, embeddings, settings, seed)
    topics, terms, selection = infer_topics(tokens, embeddings, fitted, settings)
    notes = Notes((fitted.problem,) if fitted.problem else ())
    return TopicTables(topics, terms, selection, notes)
