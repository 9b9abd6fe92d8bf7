"""topics: topics of lyrics, fitted on a bounded sample, inferred for every song on executors.

search.py       the sample, the vocabularies, and the choice of the most coherent model
candidates.py   the models of the search, fitted on executors
coherence.py    how good each of them is
infer.py        the tables
model.py        the interface of a topic model
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
    """The topic weights of each song, the top terms of each topic, and the search for the topic model."""
    from songmood.steps.topics.infer import infer_topics, list_candidates, list_terms
    from songmood.steps.topics.search import fit_topics

    fitted = fit_topics(tokens, embeddings, settings, seed)
    return TopicTables(
        infer_topics(tokens, embeddings, fitted, settings),
        list_terms(tokens.sparkSession, fitted, settings),
        list_candidates(tokens.sparkSession, fitted),
        Notes((fitted.problem,) if fitted.problem else (), fitted.figures),
    )
