"""What the step measures, and on which songs: the weights on validation songs, the ranking on test songs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.engine.spark import sampled
from songmood.settings import LabelSettings, RecommendSettings, spelled
from songmood.steps.recommend import measure
from songmood.steps.recommend.measure import Metric, Sample
from songmood.steps.recommend.mix import Point
from songmood.steps.recommend.parts import LYRICS, Scale, similarity
from songmood.steps.recommend.songs import fetch_songs

_BESIDE = ("tfidf", "mood probability", "equal weights")  # what the gain in precision is measured over


class Judged(NamedTuple):
    """The weights of the parts, which sum to 1; how they were found; and how good the ranking is."""

    weights: dict[str, float]
    curves: list[Point]
    metrics: list[Metric]
    warnings: tuple[str, ...]


def judge(
    songs: DataFrame,
    tags: DataFrame,
    model_predictions: DataFrame,
    vocabulary: pd.Index,
    scale: Scale,
    settings: RecommendSettings,
    label_settings: LabelSettings,
    seed: int,
) -> Judged:
    """Find the weights, and measure what they are worth.

    The mood model has learned from most songs' labels, and their hidden layers show it. So weights and
    figures come from the songs held out when the model was measured, with the hidden layers of that model.
    """
    known = {
        split: _held_out(songs, model_predictions.where(F.col("split") == split), settings, seed)
        for split in ("validation", "test")
    }
    other_tags = _without_moods(tags, label_settings)
    samples = {}
    for split, facts in known.items():
        if len(facts):
            regrouped = _cluster_again(facts, vocabulary, settings, seed)
            own = Scale.fit(regrouped, vocabulary, settings.words == "bm25", seed)
            samples[split] = Sample.of(regrouped, vocabulary, settings.words, own)
    relevant = {
        split: dict(_fetch_relevant(sample.facts, other_tags, settings)) for split, sample in samples.items()
    }

    weights = {str(part): weight for part, weight in settings.weights.items() if weight}
    curves: list[Point] = []
    warnings = []
    if settings.fit_weights:
        mix = None
        if "validation" in samples:
            mix = measure.fit_mix(
                samples["validation"], list(relevant["validation"].values()), weights, settings.start_seeds
            )
        if mix is None or not any(mix.weights.values()):
            warnings.append(
                "too few labelled songs to find the weights: recommend.weights are used as they are"
            )
        else:
            weights, curves = mix.weights, mix.curves
    weights = {part: weights.get(part, 0.0) / sum(weights.values()) for part in settings.weights}

    metrics = [
        Metric("songmood", "none", f"weight_of_{part}", w, 0, 0, None, None) for part, w in weights.items()
    ]
    if "test" in samples:
        sample = samples["test"]
        scores = measure.rankings(sample, weights, seed)
        candidates = measure.halves(sample.facts["artist_or_id"])
        for relevance, flags in relevant["test"].items():
            metrics += measure.measure(
                scores,
                relevance,
                flags,
                candidates,
                sample.facts["artist_or_id"],
                _BESIDE,
                settings.bootstrap_samples,
                seed,
            )
    else:
        warnings.append("no labelled songs in this run: precision by mood is not measured")
    metrics += _fetch_by_artist(songs, vocabulary, scale, weights, settings, seed)
    return Judged(weights, curves, metrics, tuple(warnings))


def _held_out(
    songs: DataFrame, predictions: DataFrame, settings: RecommendSettings, seed: int
) -> pd.DataFrame:
    """Held-out songs with their label, and what the measured model says of them."""
    measured = predictions.where(F.col("hidden").isNotNull()).select(
        "song_id", F.col("mood").alias("label"), "probabilities", "hidden"
    )
    found = songs.drop("hidden", "probabilities").join(measured, "song_id")
    return _named(fetch_songs(sampled(found, "song_id", settings.measured_songs, seed).rows))


def _cluster_again(
    facts: pd.DataFrame, vocabulary: pd.Index, settings: RecommendSettings, seed: int
) -> pd.DataFrame:
    """The songs with clusters made of what the measured model says of them.

    The clusters of the run are made of the final model's hidden layer, which may have learned these labels.
    """
    from sklearn.cluster import KMeans

    bm25, count = settings.words == "bm25", facts["cluster"].nunique()
    songs = Scale.fit(facts, vocabulary, bm25, seed).arrays(facts, vocabulary, bm25)
    rows = np.hstack(list(songs.vectors.values()))
    count = min(count, len(np.unique(rows, axis=0)))
    if count < 2:
        return facts.assign(cluster=0)
    return facts.assign(cluster=KMeans(count, n_init=3, random_state=seed).fit_predict(rows))


def _named(facts: pd.DataFrame) -> pd.DataFrame:
    return facts.assign(artist_or_id=facts["artist"].fillna(facts["song_id"]))


def _without_moods(tags: DataFrame, settings: LabelSettings) -> DataFrame:
    """The tags that say nothing about moods."""
    moods = {spelled(word) for mood, words in settings.moods.items() for word in (mood, *words)}
    moods |= {spelled(word) for word in settings.emotion_words}
    return tags.where(~F.col("tag").isin(sorted(moods))).select("song_id", "tag", "weight")


def _fetch_relevant(
    facts: pd.DataFrame, tags: DataFrame, settings: RecommendSettings
) -> Iterator[tuple[str, measure.Flags]]:
    spark = tags.sparkSession
    wanted = spark.createDataFrame(facts[["song_id"]]).hint("broadcast")
    of_songs = tags.join(wanted, "song_id").toPandas()
    mood = measure.same_mood(facts)
    yield "mood", mood
    yield "mood_and_tags", mood & measure.tags_alike(of_songs, facts["song_id"], settings.min_tag_similarity)


def _fetch_by_artist(
    songs: DataFrame,
    vocabulary: pd.Index,
    scale: Scale,
    weights: dict[str, float],
    settings: RecommendSettings,
    seed: int,
) -> Iterator[Metric]:
    """How well the ranking finds songs of the seed's artist or album, which it does not look at.

    The songs are those of some artists, drawn by hash, because two songs drawn at random share none.
    """
    named = songs.where(F.col("artist").isNotNull() & F.col("listed"))
    count = named.count()
    if not count:
        return
    place = F.xxhash64("artist", F.lit(seed)) / 2.0**64 + 0.5
    most = settings.measured_songs
    facts = _named(fetch_songs(named.where(place <= most / count).orderBy(place, "song_id").limit(most)))
    if len(facts) < 2:
        return
    sample = Sample.of(facts, vocabulary, settings.words, scale)
    scores = measure.rankings(sample, weights, seed)
    one_work = measure.same_work(facts)
    yield from measure.measure(
        scores,
        "artist_or_album",
        measure.same_artist_or_album(facts),
        ~one_work,
        facts["artist_or_id"],
        ("tfidf",),
        settings.bootstrap_samples,
        seed,
    )
    others = ~np.eye(len(facts), dtype=bool)
    lyrics = similarity(sample.songs, sample.songs, LYRICS)
    yield from measure.describe_lists(scores, others, one_work, lyrics)
