"""Figures of the page, as plotly draws them."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from songmood.report import words

# Okabe and Ito's colors, told apart by the color-blind and on light and dark grounds; each with a sign.
STYLES = (
    *(("#e69f00", "circle"), ("#0072b2", "diamond"), ("#009e73", "square")),
    *(("#cc79a7", "triangle-up"), ("#56b4e9", "x"), ("#d55e00", "cross")),
)
_OTHERS = ("#8a8f98", "circle-open")
SIMILARITY_BINS = 20


def similarities(counts: pd.DataFrame, threshold: float) -> Markup | None:
    """How many pairs are how similar, on a log scale: most are nearly certain, one way or the other."""
    if counts.empty:
        return None
    pairs = counts.groupby("bin")["pairs"].sum().sort_index()
    edges = [(i / SIMILARITY_BINS, (i + 1) / SIMILARITY_BINS) for i in pairs.index.tolist()]
    figure = go.Figure()
    figure.add_bar(
        x=[round((low + high) / 2, 4) for low, high in edges],
        y=pairs.tolist(),
        width=1 / SIMILARITY_BINS,
        marker={"color": STYLES[1][0], "line": {"width": 0}},
        customdata=[f"{low:.2f} to {high:.2f}" for low, high in edges],
        hovertemplate="similarity %{customdata}: %{y:,} pairs<extra></extra>",
    )
    figure.add_vline(x=threshold, line={"color": STYLES[5][0], "dash": "dash", "width": 2})
    figure.add_annotation(
        x=threshold, y=1, yref="paper", yanchor="top", xanchor="right", showarrow=False,
        text=f"threshold {threshold:g} ", font={"color": STYLES[5][0]},
    )  # fmt: skip
    figure.update_layout(
        height=260,
        showlegend=False,
        bargap=0,
        xaxis={"title": "similarity", "range": [0, 1], "dtick": 0.1},
        # from below 1, so that a single pair shows; to above the highest, for the threshold's name
        yaxis={
            "title": "pairs (log)",
            "type": "log",
            "range": [-0.3, math.log10(pairs.max()) + 0.5],
            "dtick": 1,
            "tickformat": ",",
            "automargin": True,
        },
    )
    return _json(figure)


def maps(points: pd.DataFrame) -> dict[str, Any]:
    """The map twice, colored by mood and by the largest clusters, with one caption; {} without points."""
    if points.empty:
        return {}
    labels = [
        html.escape(
            f"{words.song_name(p.title, p.artist)} · {words.known(p.mood, 'no mood')} · cluster {p.cluster}"
        )
        for p in points.itertuples()
    ]
    points = points.assign(label=labels)
    moods = sorted(points["mood"].dropna().unique())[: len(STYLES)]
    sizes = points["cluster"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    clusters = list(sizes.index[: len(STYLES)])
    other_clusters = len(sizes) - len(clusters)
    by_mood = _scatter(points, "mood", {mood: str(mood) for mood in moods}, "no mood")
    by_cluster = _scatter(points, "cluster", {c: f"cluster {c}" for c in clusters}, "others")
    return {
        "caption": f"Each point is a song ({words.number(len(points))} shown); near ones read and sound "
        "alike to the model. Color and sign: the mood the final model gives, and the same songs' cluster, "
        "the largest named" + (f", the other {other_clusters} in gray." if other_clusters else "."),
        "charts": [
            {"title": "by mood", "figure": by_mood},
            {"title": "by cluster", "figure": by_cluster},
        ],
    }


def _scatter(points: pd.DataFrame, column: str, names: Mapping[Any, str], others: str) -> Markup:
    figure = go.Figure()
    groups = [(points[points[column] == value], name) for value, name in names.items()]
    rest = points[~points[column].isin(list(names))]
    # gray first, so that it lies below
    styled = [(rest, others, _OTHERS)] * bool(len(rest))
    styled += [(rows, name, STYLES[i]) for i, (rows, name) in enumerate(groups)]
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
    return _json(figure)


def curves(losses: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    """A small figure for each model and optimizer, those models first: loss against steps."""
    figures = []
    order = [*models, *sorted(set(losses["model"]) - set(models))]
    parts = dict(list(losses.sort_values("step").groupby(["model", "optimizer"])))
    for model, optimizer in sorted(parts, key=lambda part: (order.index(part[0]), part[1])):
        rows = parts[model, optimizer]
        figure = go.Figure()
        for split, (color, _), dash in (("train", STYLES[1], "solid"), ("validation", STYLES[0], "dash")):
            part = rows[rows["split"] == split]
            if len(part):
                figure.add_scatter(
                    x=part["step"].tolist(),
                    y=part["loss"].round(4).tolist(),
                    name=split,
                    mode="lines+markers" if len(part) < 30 else "lines",
                    line={"color": color, "dash": dash, "width": 2},
                )
        figure.update_layout(
            height=230,
            xaxis={"title": "step"},
            yaxis={"title": "loss", "rangemode": "tozero", "automargin": True},
            legend={"orientation": "h", "y": 1, "yanchor": "bottom"},
        )
        title = f"{str(model).replace('_', ' ')}, {optimizer}"
        figures.append({"title": title, "figure": _json(figure)})
    return figures


def learning_curve(rows: pd.DataFrame) -> Markup | None:
    """Accuracy against songs learned from: columns model, songs, accuracy, a row a seed."""
    if rows.empty:
        return None
    figure = go.Figure()
    for i, (model, of) in enumerate(rows.groupby("model", sort=False)):
        _add_band(figure, of, "songs", "accuracy", str(model).replace("_", " "), STYLES[i % len(STYLES)][0])
    figure.update_layout(
        height=320,
        xaxis={"title": "songs", "type": "log", "tickvals": sorted(set(rows["songs"].tolist()))},
        yaxis={"title": "accuracy", "automargin": True},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom"},
    )
    return _json(figure)


def optimizer_curves(points: pd.DataFrame) -> list[dict[str, Any]]:
    """For train and validation, loss against steps: optimizer, rate, seed, step, loss, split.

    Validation is at the end of each epoch, a step or two apart from seed to seed, as splits differ; an
    epoch stands at the mean.
    """
    figures = []
    for split in ("train", "validation"):
        figure = go.Figure()
        for i, ((optimizer, rate), of) in enumerate(
            points[points["split"] == split].groupby(["optimizer", "rate"], sort=False)
        ):
            if split == "validation":
                epoch = of.groupby("seed")["step"].rank("dense")
                of = of.assign(step=of.groupby(epoch)["step"].transform("mean").round().astype(int))
            name = f"{str(optimizer).replace('_', ' ')}, {rate:g}"
            _add_band(figure, of, "step", "loss", name, STYLES[i % len(STYLES)][0])
        figure.update_layout(
            height=320,
            xaxis={"title": "step"},
            yaxis={"title": f"{split} loss", "automargin": True},
            legend={"orientation": "h", "y": 1, "yanchor": "bottom"},
        )
        figures.append({"title": f"{split} loss", "figure": _json(figure)})
    return figures if len(points) else []


def _add_band(figure: go.Figure, rows: pd.DataFrame, x: str, y: str, name: str, color: str) -> None:
    """The mean over rows of one x, as a line, and from the least to the greatest, as a band."""
    known = rows.groupby(x)[y].agg(["mean", "min", "max"]).sort_index()
    places = known.index.tolist()
    figure.add_scatter(
        x=[*places, *places[::-1]],
        y=[*known["max"].round(4).tolist(), *known["min"].round(4).tolist()[::-1]],
        mode="lines",  # else the band of few points shows them
        fill="toself",
        fillcolor=color,
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=places,
        y=known["mean"].round(4).tolist(),
        name=name,
        mode="lines+markers" if len(places) < 12 else "lines",
        zorder=1,  # above all bands
        line={"color": color, "width": 2},
        hovertemplate=f"{name}: %{{y:.3f}} at %{{x:,}}<extra></extra>",
    )


def reliability(bins: pd.DataFrame, model: str) -> Markup | None:
    """How often the final model is right, against how sure it says it is, with the number of songs."""
    of = bins[bins["model"] == model].sort_values("bin")
    if of.empty:
        return None
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": _OTHERS[0], "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=of["said"].round(4).tolist(),
        y=of["right"].round(4).tolist(),
        customdata=of["songs"].tolist(),
        mode="lines+markers",
        line={"color": STYLES[1][0], "width": 2},
        marker={"size": 9},
        hovertemplate="says %{x:.2f}, is right %{y:.2f} of %{customdata} songs<extra></extra>",
    )
    figure.update_layout(
        height=260,
        showlegend=False,
        xaxis={"title": "probability it gives", "range": [0, 1.02]},
        yaxis={"title": "share it is right", "range": [0, 1.02], "automargin": True},
    )
    return _json(figure)


def selection(tried: pd.DataFrame) -> list[dict[str, Any]]:
    """Silhouette and distortion by number of clusters, the chosen one marked."""
    tried = tried.dropna(subset=["silhouette"]).sort_values("k")
    if tried.empty:
        return []
    figures = []
    for column in ("silhouette", "distortion"):
        chosen = tried["chosen"].astype(bool)
        figure = go.Figure()
        figure.add_scatter(
            x=tried["k"].tolist(),
            y=tried[column].tolist(),
            mode="lines+markers",
            line={"color": STYLES[1][0], "width": 2},
            marker={
                "size": [12 if c else 7 for c in chosen],
                "color": [STYLES[0][0] if c else STYLES[1][0] for c in chosen],
                "symbol": ["diamond" if c else "circle" for c in chosen],
            },
            hovertemplate=f"k %{{x}}: {column} %{{y:.3f}}<extra></extra>",
        )
        figure.update_layout(
            height=230,
            showlegend=False,
            xaxis={"title": "clusters (k)", "tickvals": tried["k"].tolist(), "type": "log"},
            yaxis={"title": column, "automargin": True},
        )
        figures.append({"title": column, "figure": _json(figure)})
    return figures


def _json(figure: go.Figure) -> Markup:
    """The figure for a script element: JSON without the signs that could end it."""
    figure.update_layout(template="none", margin={"l": 48, "r": 12, "t": 8, "b": 40})
    text = json.dumps(json.loads(figure.to_json()), separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
