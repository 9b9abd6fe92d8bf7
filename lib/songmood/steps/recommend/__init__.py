"""recommend: songs like each song, and why; and how often they share its mood (paper 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import RecommendSettings


class Recommended(NamedTuple):
    """The recommendations, and how good they are."""

    recommendations: DataFrame
    retrieval_metrics: DataFrame
    notes: Notes


@step("recommend", "songs like each song, and why")
def recommend_songs(
    song_terms: DataFrame,
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
    from songmood.steps.recommend import candidates

    warnings = []
    plain = candidates.embedding_vectors(embeddings)
    best, measured = plain, [plain]
    if rows["moods"]:
        best = candidates.hidden_vectors(moods)
        # that model may have seen the held-out songs' moods; the one that was measured has not
        measured.append(candidates.hidden_vectors(model_predictions.where("split = 'test'")))
    else:
        warnings.append("no moods in this run: the plain encoder's embeddings rerank, not the mood model's")
    if not rows["song_terms"]:
        warnings.append("no song has words in the index: nothing is recommended")
    if not rows["model_predictions"]:
        warnings.append("no labelled songs in this run: precision by mood is not measured")

    songs = candidates.name_songs(song_terms, deduped)
    pairs = candidates.compare_songs(songs, [best], settings)
    ranked = candidates.rerank(pairs, settings.semantic_weight, settings.top_n)
    held_out = candidates.held_out_songs(model_predictions)
    return Recommended(
        candidates.explain(ranked, songs, moods, clusters),
        candidates.measure_precision(songs, held_out, measured, settings, seed),
        Notes(tuple(warnings), {"vectors": best.model}),
    )
