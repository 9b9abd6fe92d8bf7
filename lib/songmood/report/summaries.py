"""Reads from Spark everything that the page shows of the tables, in two queries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import reduce
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from songmood.engine.spark import sampled
from songmood.report import duplicates, models, sources
from songmood.settings import ReportSettings, Settings

# Tables that are small by nature.
_SMALL = (
    *("match_weights", "label_choices", "cluster_selection", "cluster_profiles"),
    *("topic_terms", "topic_selection"),
    *("model_metrics", "retrieval_metrics", "mix_curves"),
)
_MOST_LOSSES = 20_000  # of training_curves, which grows with the number of training songs
# The tables that the page needs. For the other ones, the counts in the manifest are enough.
READS = (
    *("filtered", "deduped", "duplicates", "duplicate_pairs"),
    *("tags", "audio_features", "lyrics", "enrichment_failures"),
    *("moods", "clusters", "model_predictions", "recommendations"),
    "training_curves",
    *_SMALL,
)


def summarize(tables: Mapping[str, DataFrame], settings: Settings) -> dict[str, DataFrame]:
    """Summaries of the tables named in READS, each small enough for the driver.

    combinations, groups: see duplicates.py; sources: see sources.py;
    predictions: see models.summarize_predictions;
    map: song_id, x, y, cluster, mood, artist, title, of at most `report.map_songs` songs, drawn by hash;
    seeds: the recommendations of `report.seed_songs` songs, drawn by hash, with names, and each of these
    songs itself with rank 0; typical: the typical songs of each cluster, with names; and the tables that are
    small by nature.
    """
    names = tables["deduped"].select("song_id", "artist", "title")
    return {
        **duplicates.summarize_pairs(tables, settings.dedupe.threshold, settings.seed),
        "sources": sources.summarize_sources(tables),
        "predictions": models.summarize_predictions(tables["model_predictions"]),
        "map": _draw_points(tables, settings.report, settings.seed).join(names, "song_id", "left"),
        "seeds": _draw_seeds(tables["recommendations"], settings.report, settings.seed).join(
            names, "song_id", "left"
        ),
        "typical": tables["cluster_profiles"]
        .select("cluster", F.posexplode("typical_songs").alias("place", "song_id"))
        .join(names, "song_id", "left"),
        "training_curves": tables["training_curves"].limit(_MOST_LOSSES),
        **{name: tables[name] for name in _SMALL},
    }


def _draw_points(tables: Mapping[str, DataFrame], shown: ReportSettings, seed: int) -> DataFrame:
    points = tables["clusters"].select("song_id", "x", "y", "cluster")
    drawn = sampled(points, "song_id", shown.map_songs, seed)
    return drawn.rows.join(tables["moods"].select("song_id", "mood"), "song_id", "left")


def _draw_seeds(recommendations: DataFrame, shown: ReportSettings, seed: int) -> DataFrame:
    """The recommendations of some songs, and these songs themselves with rank 0."""
    columns = ("seed_song_id", "rank", "song_id", "score", "reason")
    recommended = recommendations.where(F.col("rank") <= shown.recommendations).select(*columns)
    candidates = recommended.where(F.col("rank") == 1).select("seed_song_id")
    seeds = sampled(candidates, "seed_song_id", shown.seed_songs, seed).rows
    themselves = seeds.select("seed_song_id", F.lit(0).alias("rank"), F.col("seed_song_id").alias("song_id"))
    found = recommended.join(F.broadcast(seeds), "seed_song_id", "left_semi")
    return found.unionByName(themselves, allowMissingColumns=True)


def fetch_summaries(tables: Mapping[str, DataFrame], settings: Settings) -> dict[str, pd.DataFrame]:
    """The summaries, on the driver, with the records and spellings of the duplicates that they show."""
    frames = fetch_together(summarize(tables, settings))
    return frames | fetch_together(duplicates.look_up_duplicates(tables, frames, settings.dedupe.threshold))


def fetch_together(summaries: Mapping[str, DataFrame]) -> dict[str, pd.DataFrame]:
    """Summaries on the driver, in one query, because the fixed costs of each query are high."""
    packed = [
        summary.select(F.lit(name).alias("summary"), F.to_json(F.struct(*summary.columns)).alias("row"))
        for name, summary in summaries.items()
    ]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in summaries}
    for name, row in reduce(DataFrame.union, packed).collect():
        rows[name].append(json.loads(row))
    return {name: _as_frame(rows[name], summary.schema) for name, summary in summaries.items()}


def _as_frame(rows: list[dict[str, Any]], schema: T.StructType) -> pd.DataFrame:
    cells = [[row.get(name) for name in schema.names] for row in rows]  # JSON omits nulls
    decimals = {f.name: "float64" for f in schema if isinstance(f.dataType, (T.DoubleType, T.FloatType))}
    return pd.DataFrame(cells, columns=schema.names).astype(decimals)
