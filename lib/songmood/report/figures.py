"""Figures of the page, as plotly draws them."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

# Okabe and Ito's colors, which color-blind readers can distinguish, on light and dark backgrounds; each has
# a symbol.
STYLES = (
    *(("#e69f00", "circle"), ("#0072b2", "diamond"), ("#009e73", "square")),
    *(("#cc79a7", "triangle-up"), ("#56b4e9", "x"), ("#d55e00", "cross")),
)
GRAY = ("#8a8f98", "circle-open")
ORANGE, BLUE, RED = STYLES[0][0], STYLES[1][0], STYLES[5][0]
SIMILARITY_BINS = 20


def as_json(figure: go.Figure) -> Markup:
    """The figure for a script element: JSON without the characters that could end the element."""
    figure.update_layout(template="none", margin={"l": 48, "r": 12, "t": 8, "b": 40})
    text = json.dumps(json.loads(figure.to_json()), separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def similarities(counts: pd.DataFrame, threshold: float) -> Markup | None:
    """A histogram of the similarities of pairs, on a log scale: most are near 0 or 1."""
    if counts.empty:
        return None
    pairs = counts.groupby("bin")["pairs"].sum().sort_index()
    edges = [(i / SIMILARITY_BINS, (i + 1) / SIMILARITY_BINS) for i in pairs.index.tolist()]
    figure = go.Figure()
    figure.add_bar(
        x=[round((low + high) / 2, 4) for low, high in edges],
        y=pairs.tolist(),
        width=1 / SIMILARITY_BINS,
        marker={"color": BLUE, "line": {"width": 0}},
        customdata=[f"{low:.2f} to {high:.2f}" for low, high in edges],
        hovertemplate="similarity %{customdata}: %{y:,} pairs<extra></extra>",
    )
    figure.add_vline(x=threshold, line={"color": RED, "dash": "dash", "width": 2})
    figure.add_annotation(
        x=threshold, y=1, yref="paper", yanchor="top", xanchor="right", showarrow=False,
        text=f"threshold {threshold:g} ", font={"color": RED},
    )  # fmt: skip
    figure.update_layout(
        height=260,
        showlegend=False,
        bargap=0,
        xaxis={"title": "similarity", "range": [0, 1], "dtick": 0.1},
        # from below 1, so that a single pair is visible; to above the highest bar, for the threshold's label
        yaxis={
            "title": "pairs (log scale)",
            "type": "log",
            "range": [-0.3, math.log10(pairs.max()) + 0.5],
            "dtick": 1,
            "tickformat": ",",
            "automargin": True,
        },
    )
    return as_json(figure)


def reliability(bins: pd.DataFrame) -> Markup | None:
    """Accuracy against confidence: columns songs, confidence, correct; one row for each bin."""
    if bins.empty:
        return None
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": GRAY[0], "dash": "dot"}, hoverinfo="skip"
    )
    hover = "confidence %{x:.2f}, accuracy %{y:.2f}, %{customdata} songs<extra></extra>"
    _add_accuracy(figure, bins["confidence"], bins["correct"], bins["songs"], hover)
    figure.update_xaxes(title="mean confidence")
    return as_json(figure)


def coverage(points: pd.DataFrame) -> Markup | None:
    """Accuracy against coverage: columns coverage, accuracy, threshold; one row for each threshold."""
    if points.empty:
        return None
    figure = go.Figure()
    hover = "from %{customdata:.1f}: %{x:.0%} of the songs, accuracy %{y:.2f}<extra></extra>"
    _add_accuracy(figure, points["coverage"], points["accuracy"], points["threshold"], hover)
    figure.update_xaxes(title="share of songs that get a mood", tickformat=".0%")
    return as_json(figure)


def _add_accuracy(
    figure: go.Figure, x: pd.Series[float], accuracy: pd.Series[float], shown: pd.Series[Any], hover: str
) -> None:
    """A line of accuracies at shares from 0 to 1; `shown` are the custom data of the template `hover`."""
    figure.add_scatter(
        x=x.round(4).tolist(),
        y=accuracy.round(4).tolist(),
        customdata=shown.tolist(),
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        marker={"size": 9},
        hovertemplate=hover,
    )
    figure.update_layout(
        height=260,
        showlegend=False,
        xaxis={"range": [0, 1.02]},
        yaxis={"title": "accuracy", "range": [0, 1.02], "automargin": True},
    )


def selection(candidates: pd.DataFrame) -> list[dict[str, Any]]:
    """Silhouette, stability and distortion of K-Means by number of clusters; the chosen one is marked."""
    candidates = candidates[candidates["algorithm"] == "kmeans"]
    candidates = candidates.dropna(subset=["silhouette"]).sort_values("k")
    if candidates.empty:
        return []
    chosen = candidates["chosen"].astype(bool)
    markers = {
        "size": [12 if c else 7 for c in chosen],
        "color": [ORANGE if c else BLUE for c in chosen],
        "symbol": ["diamond" if c else "circle" for c in chosen],
    }
    figures = []
    for column in ("silhouette", "stability", "distortion"):
        figure = go.Figure()
        figure.add_scatter(
            x=candidates["k"].tolist(),
            y=candidates[column].tolist(),
            mode="lines+markers",
            line={"color": BLUE, "width": 2},
            marker=markers,
            hovertemplate=f"k %{{x}}: {column} %{{y:.3f}}<extra></extra>",
        )
        figure.update_layout(
            height=230,
            showlegend=False,
            xaxis={"title": "clusters (k)", "tickvals": candidates["k"].tolist(), "type": "log"},
            yaxis={"title": column, "automargin": True},
        )
        figures.append({"title": column, "figure": as_json(figure)})
    return figures
