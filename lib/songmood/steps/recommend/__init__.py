"""recommend: songs like each song, and why; and how good that is (paper section 6, figures 4 and A.5).

songs.py        one row for each song, with all that it is compared by
works.py        which songs are one work: versions and covers
parts.py        how alike songs are in words, lyrics, mood, audio features and cluster, on one scale
mix.py          the weights of these parts, by golden-section search
measure.py      how good the ranking is, beside simpler ones
judge.py        what the step measures, and on which songs
store.py        all songs as arrays in files that workers map into memory
search.py       the candidates of each song, and their scores
lists.py        the rules of a list: each work once, few songs of an artist, variety
reasons.py      the reason as a sentence
find.py         the table of recommendations, made on executors
__init__.py     the step
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.engine.spark import sampled, ship
from songmood.engine.step import Notes, step
from songmood.settings import DedupeSettings, LabelSettings, RecommendSettings
from songmood.tables import MIX_CURVES, RETRIEVAL_METRICS


class Recommended(NamedTuple):
    """The recommendations, the songs that have none, the search for the weights, and how good it all is."""

    recommendations: DataFrame
    songs_without_recommendations: DataFrame
    mix_curves: DataFrame
    retrieval_metrics: DataFrame
    shared: tuple[DataFrame, ...]
    notes: Notes


@step("recommend", "songs like each song, and why")
def recommend_songs(
    spark: SparkSession,
    deduped: DataFrame,
    tokens: DataFrame,
    lyric_index: DataFrame,
    song_terms: DataFrame,
    embeddings: DataFrame,
    moods: DataFrame,
    audio_features: DataFrame,
    clusters: DataFrame,
    cluster_profiles: DataFrame,
    tags: DataFrame,
    model_predictions: DataFrame,
    settings: RecommendSettings,
    label_settings: LabelSettings,
    dedupe_settings: DedupeSettings,
    seed: int,
    rows: Mapping[str, int],
    scratch: Path,
) -> Recommended:
    """The tables `recommendations`, `songs_without_recommendations`, `mix_curves` and `retrieval_metrics`."""
    from songmood.steps.recommend.find import fetch_recall, find_recommendations
    from songmood.steps.recommend.judge import judge
    from songmood.steps.recommend.parts import Scale
    from songmood.steps.recommend.songs import (
        fetch_names,
        fetch_songs,
        fetch_vocabulary,
        has_parts,
        song_parts,
        without_recommendations,
    )
    from songmood.steps.recommend.store import Blend, fetch_store
    from songmood.steps.recommend.works import find_works

    limits = settings.word_candidates, settings.keyword_candidates, settings.vector_candidates
    most_listed = max(1, max(limits) // settings.top_n)  # of each work: leaves room for top_n works
    works = find_works(deduped, tokens, most_listed)
    nameless = dedupe_settings.nameless_artists
    every = song_parts(deduped, song_terms, embeddings, moods, audio_features, clusters, works, nameless)
    songs = every.where(has_parts()).cache()
    vocabulary = fetch_vocabulary(lyric_index)
    drawn = sampled(songs, "song_id", settings.sample_songs, seed)
    sample = fetch_songs(drawn.rows)
    scale = Scale.fit(sample, vocabulary, settings.words == "bm25", seed)

    judged = judge(songs, tags, model_predictions, vocabulary, scale, settings, label_settings, seed)
    blend = Blend(judged.weights, scale)
    folder = scratch / f"songs-{scratch.name}"  # folders that are sent to executors have names of their own
    names = fetch_names(cluster_profiles)
    fetch_store(songs, drawn.of, sample, vocabulary, names, blend, settings, seed, folder)
    name = ship(spark, folder)
    recommendations = find_recommendations(spark, folder, name, settings)
    metrics = [*judged.metrics, *fetch_recall(spark, folder, name, settings, seed)]
    warnings = list(judged.warnings)
    if not drawn.of:
        warnings.append("no song has lyrics, a mood or audio features: nothing is recommended")
    elif not rows["moods"]:
        warnings.append("no moods in this run: songs are compared without the mood model")
    return Recommended(
        recommendations,
        without_recommendations(every, recommendations),
        spark.createDataFrame(judged.curves, MIX_CURVES.schema),
        spark.createDataFrame(metrics, RETRIEVAL_METRICS.schema),
        (songs, recommendations),
        Notes(
            tuple(warnings),
            {"weights": judged.weights, "songs": drawn.of, **drawn.left_out("recommend.sample_songs")},
        ),
    )
