"""The sections on moods and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.catalog import BASELINES, MODEL_NAMES, PAPER
from songmood.report.figures import STYLES
from songmood.report.records import StepRecords, count_reasons

_BINS = 10  # of the predicted probability


def mood_bars(steps: StepRecords, table: str) -> list[dict[str, Any]]:
    """A bar for each mood of a table: name, songs, share of all."""
    counts = sorted(count_reasons(steps, table))
    total = sum(songs for _, songs in counts)
    return [
        {"name": mood, "songs": songs, "share": songs / total, "color": STYLES[i % len(STYLES)][0]}
        for i, (mood, songs) in enumerate(counts)
    ]


def model_rows(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """The models' metrics on the test songs, baselines first."""
    return [
        {**row, "baseline": row["model"] in BASELINES, "paper": PAPER.get(row["model"], (None,))[0]}
        for row in _in_order(metrics[metrics["split"] == "test"], MODEL_NAMES)
    ]


def summarize_predictions(predictions: DataFrame) -> DataFrame:
    """model, mood, predicted, bin (of the confidence), songs, and the sum of confidences; of test songs.

    The confidence is the probability of the predicted mood.
    """
    confidence = F.array_max(F.map_values("probabilities")).cast("double")
    return (
        predictions.where("split = 'test'")
        .withColumn("confidence", confidence)
        .withColumn("bin", F.least(F.floor(F.col("confidence") * _BINS), F.lit(_BINS - 1)))
        .groupBy("model", "mood", "predicted", "bin")
        .agg(F.count(F.lit(1)).alias("songs"), F.sum("confidence").alias("confidence"))
    )


def confusion_matrices(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """For each model its moods and, for each of them, the numbers of its songs by predicted mood."""
    matrices = []
    for row in _in_order(predictions[["model"]].drop_duplicates(), MODEL_NAMES):
        rows_of_model = predictions[predictions["model"] == row["model"]]
        songs = rows_of_model.groupby(["mood", "predicted"])["songs"].sum().to_dict()
        moods = sorted({mood for pair in songs for mood in pair})
        rows = [(mood, [songs.get((mood, predicted), 0) for predicted in moods]) for mood in moods]
        matrices.append({"model": row["model"], "moods": moods, "rows": rows})
    return matrices


def reliability_bins(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """For each bin of a model's confidence: songs, and the means of confidence and correctness."""
    rows = predictions[predictions["model"] == model]
    rows = rows.assign(correct=rows["songs"].where(rows["mood"] == rows["predicted"], 0))
    bins: pd.DataFrame = rows.groupby("bin")[["songs", "confidence", "correct"]].sum().sort_index()
    return bins.assign(confidence=bins["confidence"] / bins["songs"], correct=bins["correct"] / bins["songs"])


def coverage_points(predictions: pd.DataFrame, model: str) -> pd.DataFrame:
    """For each threshold of a model's confidence: the share of songs that reach it, and their accuracy."""
    bins = reliability_bins(predictions, model)
    reached = bins["songs"][::-1].cumsum()
    correct = (bins["correct"] * bins["songs"])[::-1].cumsum()
    points = pd.DataFrame({"coverage": reached / bins["songs"].sum(), "accuracy": correct / reached})
    return points.assign(threshold=points.index / _BINS)


def label_choices(
    counts: pd.DataFrame, chosen: Mapping[str, Any], tried: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """The songs that each top_k (rows) and epsilon (columns) would label, and the share of each mood.

    `tried` lists the values of both, also those that would label no song; `chosen` has those of this run.
    """
    if counts.empty:
        return {"epsilons": [], "rows": []}
    top_ks, epsilons = (
        sorted({*tried.get(name, ()), *counts[name].tolist(), chosen[name]}) for name in ("top_k", "epsilon")
    )
    rows = []
    for top_k in top_ks:
        cells = []
        for epsilon in epsilons:
            moods = counts[(counts["top_k"] == top_k) & (counts["epsilon"] == epsilon)].sort_values("mood")
            total = int(moods["songs"].sum())
            songs = zip(moods["mood"], moods["songs"], strict=True)
            shares = [f"{n / total:.0%} {mood}" for mood, n in songs]
            is_chosen = top_k == chosen["top_k"] and epsilon == chosen["epsilon"]
            cells.append({"songs": total, "shares": ", ".join(shares), "chosen": is_chosen})
        rows.append((int(top_k), cells))
    return {"epsilons": [float(epsilon) for epsilon in epsilons], "rows": rows}


def _in_order(rows: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in the order of these models, and then of the names of other models."""
    places = {model: place for place, model in enumerate(models)}
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return sorted(records, key=lambda row: (places.get(row["model"], len(places)), row["model"]))
