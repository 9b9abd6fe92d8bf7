"""The section on recommendations."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from songmood.report.figures import STYLES, as_json
from songmood.report.formats import song_name, spaced

_ORDER = (
    *("chance", "popularity", "tfidf", "bm25", "lyrics", "mood probability", "equal weights", "songmood"),
)
_RELEVANT = {
    "mood": "Songs of the seed's mood",
    "mood_and_tags": "Songs of the seed's mood with similar tags",
    "artist_or_album": "Other songs of the artist or the album",
}
_OF_LISTS = ("coverage", "hubness", "variety", "repeats")


def seeds(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Each seed song, which is the row with rank 0, with the songs recommended for it."""
    ordered = rows.sort_values(["seed_song_id", "rank"])
    return [
        {"name": _name(songs.iloc[0]), "songs": [_song(row) for _, row in songs.iloc[1:].iterrows()]}
        for _, songs in ordered.groupby("seed_song_id")
    ]


def _song(row: pd.Series) -> dict[str, Any]:
    return {
        "name": _name(row),
        "score": row["score"],
        "reason": row["reason"],
    }


def _name(row: pd.Series) -> str:
    return song_name(row["title"], row["artist"])


# -- how good they are ---------------------------------------------------------------------------------------


def retrieval(metrics: pd.DataFrame) -> dict[str, Any]:
    """What the table retrieval_metrics says, as the section shows it.

    relevance: for each kind of relevant songs the rankings with their precision, recall and nDCG, and the
    gains in precision; lists: coverage, hubness, variety and repeats of each ranking; weights: of each part;
    exact: the row on what the search misses, or None.
    """
    by = dict(list(metrics.groupby("relevance")))
    kinds = [kind for kind in _RELEVANT if kind in by]
    of_none = by.get("none", metrics.iloc[:0])
    is_weight = of_none["metric"].str.startswith("weight_of_")
    exact = by.get("exact")
    return {
        "relevance": [_relevance(_RELEVANT[kind], by[kind]) for kind in kinds],
        "lists": _rankings(of_none[of_none["metric"].isin(_OF_LISTS)]),
        "weights": [
            (name.removeprefix("weight_of_"), value)
            for name, value in zip(of_none["metric"][is_weight], of_none["value"][is_weight], strict=True)
            if value
        ],
        "exact": None if exact is None else exact.iloc[0].to_dict(),
    }


def _relevance(title: str, rows: pd.DataFrame) -> dict[str, Any]:
    is_gain = rows["metric"].str.contains("_gain_over_")
    gains = rows[is_gain].assign(over=rows["metric"][is_gain].str.partition("_gain_over_")[2].map(spaced))
    return {
        "title": title,
        "rankings": _rankings(rows[~is_gain]),
        "gains": gains.to_dict("records"),
        "seeds": int(rows["n_queries"].max()),
    }


def _rankings(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """For each model its metrics, each as a row of the table."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows.to_dict("records"):
        found.setdefault(row["model"], {"model": row["model"]})[row["metric"]] = row
    places = {model: place for place, model in enumerate(_ORDER)}
    return [
        found[model] for model in sorted(found, key=lambda model: (places.get(model, len(places)), model))
    ]


def mix_curves(curves: pd.DataFrame) -> Markup | None:
    """The loss by the weight of each part, the other weights as chosen; None without a search."""
    if curves.empty:
        return None
    figure = go.Figure()
    for place, (part, points) in enumerate(curves.sort_values("weight").groupby("part")):
        color, symbol = STYLES[place % len(STYLES)]
        figure.add_scatter(
            x=points["weight"].round(4).tolist(),
            y=points["loss"].round(5).tolist(),
            name=str(part),
            mode="lines+markers",
            line={"color": color, "width": 2},
            marker={"symbol": symbol, "size": [10 if chosen else 1 for chosen in points["chosen"]]},
        )
    figure.update_layout(
        height=320,
        xaxis={"title": "weight"},
        yaxis={"title": "cross-entropy (nats)", "automargin": True},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom"},
    )
    return as_json(figure)
