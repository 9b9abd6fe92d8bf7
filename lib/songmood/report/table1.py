"""The page of `reproduce`: table 1, the learning curve, the optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from songmood.models import PAPER
from songmood.models.reproduction import BESIDE
from songmood.report import figures, words


def render_table1(
    rows: Sequence[Mapping[str, Any]],
    learning: Sequence[Mapping[str, Any]],
    curves: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> str:
    """The page, from what songmood.models.reproduction shows and the run's manifest."""
    points = pd.DataFrame(
        [
            (unit["optimizer"], unit["rate"], unit["seed"], *point)
            for unit in curves
            for point in unit["curve"]
        ],
        columns=["optimizer", "rate", "seed", "step", "loss", "split"],
    )
    asked = manifest["settings"]["reproduce"]
    return words.fill(
        "table1.html.j2",
        run=manifest,
        folds=asked["folds"],
        seeds=asked["seeds"],
        everyone=round(asked["folds"] * manifest["settings"]["train"]["test_share"], 1) == 1,
        split_by=manifest["settings"]["train"]["split_by"],
        beside=BESIDE,
        rows=[{**row, "paper": PAPER.get(row["model"], (None,) * 3)} for row in rows],
        learning=figures.learning_curve(
            pd.DataFrame(learning, columns=["model", "seed", "songs", "accuracy"])
        ),
        optimizers=figures.optimizer_curves(points),
    )
