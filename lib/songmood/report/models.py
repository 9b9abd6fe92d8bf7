"""The page's sections on moods and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.models import PAPER
from songmood.report.figures import STYLES
from songmood.settings import MODELS
from songmood.steps.label import EPSILONS, TOP_KS

BASELINES = ("majority", "naive_bayes", "tfidf_logistic", "chance")
_RETRIEVAL_ORDER = ("chance", "tfidf", "tfidf + encoder", "tfidf + mood model")


def mood_bars(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """A bar for each mood: name, songs, share of all."""
    total = counts["songs"].sum()
    return [
        {"name": mood, "songs": songs, "share": songs / total, "color": STYLES[i % len(STYLES)][0]}
        for i, (mood, songs) in enumerate(zip(counts["mood"], counts["songs"].tolist(), strict=True))
    ]


def model_rows(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the models' table, as measured on the test songs: baselines first."""
    return [
        {**row, "baseline": row["model"] in BASELINES, "paper": PAPER.get(row["model"], (None,))[0]}
        for row in _in_order(metrics[metrics["split"] == "test"], MODELS)
    ]


def summarize_predictions(predictions: DataFrame) -> dict[str, DataFrame]:
    """confusion: model, mood, predicted, songs; reliability: model, bin, songs, means of said and right."""
    tested = predictions.where("split = 'test'")
    songs = F.count(F.lit(1)).alias("songs")
    said = F.array_max(F.map_values("probabilities")).cast("double")
    sure = tested.withColumns(
        {
            "said": said,
            "bin": F.least(F.floor(said * 10), F.lit(9)),
            "right": F.col("mood") == F.col("predicted"),
        }
    )
    return {
        "confusion": tested.groupBy("model", "mood", "predicted").agg(songs),
        "reliability": sure.groupBy("model", "bin").agg(
            songs, F.mean("said").alias("said"), F.mean(F.col("right").cast("double")).alias("right")
        ),
    }


def confusion_tables(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """For each model its moods and, for each of them, how many of its songs were called which."""
    tables = []
    for name in _in_order(counts[["model"]].drop_duplicates(), MODELS):
        of = counts[counts["model"] == name["model"]]
        moods = sorted({*of["mood"], *of["predicted"]})
        songs = {(m, p): n for m, p, n in zip(of["mood"], of["predicted"], of["songs"].tolist(), strict=True)}
        rows = [(mood, [songs.get((mood, other), 0) for other in moods]) for mood in moods]
        tables.append({"model": name["model"], "moods": moods, "rows": rows})
    return tables


def label_choices(counts: pd.DataFrame, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """How many songs each top_k (rows) and epsilon (columns) would label, and the share of each mood."""
    if counts.empty:
        return {"epsilons": [], "rows": []}
    epsilons = sorted({*EPSILONS, chosen["epsilon"]})
    rows = []
    for top_k in sorted({*TOP_KS, chosen["top_k"]}):
        cells = []
        for epsilon in epsilons:
            of = counts[(counts["top_k"] == top_k) & (counts["epsilon"] == epsilon)].sort_values("mood")
            total = int(of["songs"].sum())
            shares = [f"{n / total:.0%} {mood}" for mood, n in zip(of["mood"], of["songs"], strict=True)]
            here = top_k == chosen["top_k"] and epsilon == chosen["epsilon"]
            cells.append({"songs": total, "shares": ", ".join(shares), "chosen": here})
        rows.append((int(top_k), cells))
    return {"epsilons": [float(epsilon) for epsilon in epsilons], "rows": rows}


def retrieval_rows(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the table of rankings: chance first."""
    return _in_order(metrics, _RETRIEVAL_ORDER)


def _in_order(rows: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in the order of those models; others after them, by name."""
    places = {model: place for place, model in enumerate(models)}
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return sorted(records, key=lambda row: (places.get(row["model"], len(places)), row["model"]))
