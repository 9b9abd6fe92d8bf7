"""recommend: songs like each song, and why; and how often they share its mood (paper section 6).

Two songs are compared by the cosine of their TF-IDF weights (lexical) and by that of their vectors
(semantic). The vector is the hidden layer of the final mood model or, where no model was trained, the
plain encoder's embedding. A list has each work once, and none that is the seed's.

works.py        which songs are one work: versions and covers
compare.py      the candidates of each song by TF-IDF, and both cosines
rank.py         the best candidates of each song
explain.py      what songs share, and the reason in words
precision.py    how often recommended songs share the seed's mood
__init__.py     the step
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import RecommendSettings


class Recommended(NamedTuple):
    """The recommendations, and how good they are. Both compare the same songs."""

    recommendations: DataFrame
    retrieval_metrics: DataFrame
    shared: tuple[DataFrame, ...]
    notes: Notes


@step("recommend", "songs like each song, and why")
def recommend_songs(
    song_terms: DataFrame,
    tokens: DataFrame,
    embeddings: DataFrame,
    moods: DataFrame,
    clusters: DataFrame,
    deduped: DataFrame,
    model_predictions: DataFrame,
    settings: RecommendSettings,
    seed: int,
    rows: Mapping[str, int],
) -> Recommended:
    """The tables `recommendations` and `retrieval_metrics`."""
    from songmood.steps.recommend.compare import (
        compare_songs,
        embedding_vectors,
        hidden_vectors,
        songs_to_compare,
    )
    from songmood.steps.recommend.explain import explain_recommendations
    from songmood.steps.recommend.precision import held_out_songs, measure_precision
    from songmood.steps.recommend.rank import rerank
    from songmood.steps.recommend.works import find_works

    warnings = []
    plain = embedding_vectors(embeddings)
    best, measured = plain, [plain]
    if rows["moods"]:
        best = hidden_vectors(moods)
        # the final model may have seen the moods of held-out songs; the model that was measured has not
        measured.append(hidden_vectors(model_predictions.where("split = 'test'")))
    else:
        warnings.append("no moods in this run: the plain encoder's embeddings rerank, not the mood model's")
    if not rows["song_terms"]:
        warnings.append("no song has words in the index: nothing is recommended")
    if not rows["model_predictions"]:
        warnings.append("no labelled songs in this run: precision by mood is not measured")

    most_listed = settings.candidates // settings.top_n  # so many of each work leave room for top_n works
    songs = songs_to_compare(song_terms, find_works(song_terms, deduped, tokens, max(1, most_listed)))
    pairs = compare_songs(songs, rows["song_terms"], [best], settings)
    ranked = rerank(pairs, settings.semantic_weight, settings.top_n)
    held_out = held_out_songs(model_predictions)
    return Recommended(
        explain_recommendations(ranked, song_terms, moods, clusters),
        measure_precision(songs, held_out, rows["model_predictions"], measured, settings, seed),
        (songs, held_out),
        Notes(tuple(warnings), {"vectors": best.model}),
    )
