"""Curves of training: losses, accuracy by the number of songs, and optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from songmood.report.figures import BLUE, ORANGE, STYLES, as_json
from songmood.report.formats import spaced

_LEGEND = {"orientation": "h", "y": 1, "yanchor": "bottom"}


def loss_curves(losses: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    """A small figure for each model and optimizer, `models` first: loss by step."""
    order = [*models, *sorted(set(losses["model"]) - set(models))]
    runs = dict(list(losses.sort_values("step").groupby(["model", "optimizer"])))
    return [
        {"title": f"{spaced(model)}, {optimizer}", "figure": _loss_curve(runs[model, optimizer])}
        for model, optimizer in sorted(runs, key=lambda run: (order.index(run[0]), run[1]))
    ]


def _loss_curve(rows: pd.DataFrame) -> Markup:
    figure = go.Figure()
    for split, color, dash in (("train", BLUE, "solid"), ("validation", ORANGE, "dash")):
        losses = rows[rows["split"] == split]
        if len(losses):
            figure.add_scatter(
                x=losses["step"].tolist(),
                y=losses["loss"].round(4).tolist(),
                name=split,
                mode="lines+markers" if len(losses) < 30 else "lines",
                line={"color": color, "dash": dash, "width": 2},
            )
    figure.update_layout(
        height=230,
        xaxis={"title": "step"},
        yaxis={"title": "loss", "rangemode": "tozero", "automargin": True},
        legend=_LEGEND,
    )
    return as_json(figure)


def learning_curve(rows: pd.DataFrame) -> Markup | None:
    """Accuracy by the number of training songs: columns model, songs, accuracy; one row for each seed."""
    if rows.empty:
        return None
    figure = go.Figure()
    for i, (model, points) in enumerate(rows.groupby("model", sort=False)):
        _add_band(figure, points, "songs", "accuracy", spaced(model), STYLES[i % len(STYLES)][0])
    figure.update_layout(
        height=320,
        xaxis={"title": "songs", "type": "log", "tickvals": sorted(set(rows["songs"].tolist()))},
        yaxis={"title": "accuracy", "automargin": True},
        legend=_LEGEND,
    )
    return as_json(figure)


def optimizer_figures(points: pd.DataFrame) -> list[dict[str, Any]]:
    """Loss by step for train and for validation: columns optimizer, rate, seed, step, loss, split."""
    if points.empty:
        return []
    figures = []
    for split in ("train", "validation"):
        figure = go.Figure()
        runs = points[points["split"] == split].groupby(["optimizer", "rate"], sort=False)
        for i, ((optimizer, rate), rows) in enumerate(runs):
            shown = _align_epochs(rows) if split == "validation" else rows
            name = f"{spaced(optimizer)}, {rate:g}"
            _add_band(figure, shown, "step", "loss", name, STYLES[i % len(STYLES)][0])
        figure.update_layout(
            height=320,
            xaxis={"title": "step"},
            yaxis={"title": f"{split} loss", "automargin": True},
            legend=_LEGEND,
        )
        figures.append({"title": f"{split} loss", "figure": as_json(figure)})
    return figures


def _align_epochs(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the mean step of each epoch: splits, and so the ends of epochs, differ by seed."""
    epoch = rows.groupby("seed")["step"].rank("dense")
    steps = rows.groupby(epoch)["step"].transform("mean").round().astype(int)
    aligned: pd.DataFrame = rows.assign(step=steps)
    return aligned


def _add_band(figure: go.Figure, rows: pd.DataFrame, x: str, y: str, name: str, color: str) -> None:
    """A line of the mean over rows with equal x, and a band from their minimum to their maximum."""
    values = rows.groupby(x)[y].agg(["mean", "min", "max"]).sort_index()
    places = values.index.tolist()
    figure.add_scatter(
        x=[*places, *places[::-1]],
        y=[*values["max"].round(4).tolist(), *values["min"].round(4).tolist()[::-1]],
        mode="lines",  # plotly's default adds markers to short bands
        fill="toself",
        fillcolor=color,
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=places,
        y=values["mean"].round(4).tolist(),
        name=name,
        mode="lines+markers" if len(places) < 12 else "lines",
        zorder=1,  # above all bands
        line={"color": color, "width": 2},
        hovertemplate=f"{name}: %{{y:.3f}} at %{{x:,}}<extra></extra>",
    )
