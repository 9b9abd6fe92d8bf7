"""The page of `reproduce`: table 1, the learning curve, the optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from songmood.catalog import PAPER, REFERENCE
from songmood.report.curves import learning_curve, optimizer_figures
from songmood.report.templates import fill


def render_table1(
    rows: Sequence[Mapping[str, Any]],
    learning: Sequence[Mapping[str, Any]],
    curves: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> str:
    """The page, from the results of `reproduce` and the run's manifest."""
    points = pd.DataFrame(
        [
            (unit["optimizer"], unit["rate"], unit["seed"], *point)
            for unit in curves
            for point in unit["curve"]
        ],
        columns=["optimizer", "rate", "seed", "step", "loss", "split"],
    )
    reproduce, train = manifest["settings"]["reproduce"], manifest["settings"]["train"]
    accuracies = pd.DataFrame(learning, columns=["model", "seed", "songs", "accuracy"])
    return fill(
        "table1.html.j2",
        run=manifest,
        folds=reproduce["folds"],
        seeds=reproduce["seeds"],
        all_tested=round(reproduce["folds"] * train["test_share"], 1) == 1,
        split_by=train["split_by"],
        reference=REFERENCE,
        rows=[{**row, "paper": PAPER.get(row["model"], (None,) * 3)} for row in rows],
        learning=learning_curve(accuracies),
        optimizers=optimizer_figures(points),
    )
