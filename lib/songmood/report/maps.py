"""The map of songs."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from songmood.report import formats
from songmood.report.figures import GRAY, STYLES, as_json


def maps(points: pd.DataFrame, profiles: pd.DataFrame) -> dict[str, Any]:
    """The map twice, colored by mood and by the largest clusters; {} without points."""
    if points.empty:
        return {}
    named = dict(zip(profiles["cluster"], profiles["name"], strict=True))
    labels = [
        html.escape(
            f"{formats.song_name(p.title, p.artist)} · {formats.or_else(p.mood, 'no mood')} "
            f"· {named.get(p.cluster, f'cluster {p.cluster}')}"
        )
        for p in points.itertuples()
    ]
    points = points.assign(label=labels).sort_values("song_id")
    moods = sorted(points["mood"].dropna().unique())[: len(STYLES)]
    sizes = points["cluster"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    clusters = list(sizes.index[: len(STYLES)])
    by_mood = _scatter(points, "mood", {mood: str(mood) for mood in moods}, "no mood")
    by_cluster = _scatter(
        points, "cluster", {c: named.get(c, f"cluster {c}") for c in clusters}, "other clusters"
    )
    return {
        "songs": len(points),
        "gray_clusters": len(sizes) - len(clusters),
        "charts": [
            {"title": "by mood", "figure": by_mood},
            {"title": "by cluster", "figure": by_cluster},
        ],
    }


def _scatter(points: pd.DataFrame, column: str, names: Mapping[Any, str], rest_name: str) -> Markup:
    figure = go.Figure()
    rest = points[~points[column].isin(list(names))]
    # gray first, so that the colors are above it
    styled = [(rest, rest_name, GRAY)] * bool(len(rest))
    styled += [
        (points[points[column] == value], name, STYLES[i]) for i, (value, name) in enumerate(names.items())
    ]
    for rows, name, (color, symbol) in styled:
        figure.add_scatter(
            x=rows["x"].round(3).tolist(),
            y=rows["y"].round(3).tolist(),
            text=rows["label"].tolist(),
            name=html.escape(name),
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 5, "opacity": 0.75},
            hovertemplate="%{text}<extra></extra>",
        )
    axis = {"visible": False, "fixedrange": False}
    figure.update_layout(
        height=440,
        xaxis=axis,
        yaxis={**axis, "scaleanchor": "x"},
        legend={"orientation": "h", "itemsizing": "constant", "y": 0, "yanchor": "top"},
    )
    return as_json(figure)
