"""The tables that the units of `reproduce` give: the paper's table 1, a learning curve, and optimizers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from songmood.catalog import MODELS, PAPER, REFERENCE
from songmood.models.evaluate import draw, figures_of_draws, mcnemar, roc_auc_of_draws, with_interval
from songmood.models.reproduction import Unit, Units, least_loss, optimizer_unit, unit_name
from songmood.settings import Settings
from songmood.tables import METRICS

Row = dict[str, Any]
_Figures = dict[str, npt.NDArray[np.float64]]


class Pooled(NamedTuple):
    """The predictions of a model for every tested song, over the folds of one seed."""

    song_ids: list[str]
    moods: list[str]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    folds: npt.NDArray[np.int64]  # in which each song was tested
    train_seconds: float

    @property
    def guesses(self) -> npt.NDArray[np.int64]:
        """The predicted mood of each song."""
        return np.asarray(self.probabilities.argmax(axis=1))


def pool(units: Units, model: str, folds: int, seed: int) -> Pooled | None:
    """The folds of a model put together, in the order of song ids; None if one is missing."""
    found = [unit for fold in range(folds) if (unit := units.get(unit_name(model, fold, seed))) is not None]
    if len(found) < folds:
        return None
    song_ids = [song for unit in found for song in unit["song_id"]]
    order = np.argsort(song_ids, kind="stable")
    return Pooled(
        song_ids=[song_ids[i] for i in order],
        moods=found[0]["moods"],
        truth=np.concatenate([unit["mood"] for unit in found]).astype(np.int64)[order],
        probabilities=np.concatenate([unit["probabilities"] for unit in found])[order],
        folds=np.repeat(np.arange(folds), [len(unit["song_id"]) for unit in found])[order],
        train_seconds=float(np.mean([unit["train_seconds"] for unit in found])),
    )


def table_rows(units: Units, artists: Mapping[str, str], settings: Settings) -> list[Row]:
    """A row for each model: its figures over all tested songs, and its gain over the reference baseline.

    Figures and gains are means over seeds, and the ROC-AUC also over folds: the model of each fold has its
    own scale, so songs of two folds cannot be ranked together (Forman and Scholz 2010). Intervals and the
    standard error of the gain (`gain_error`) come from drawing artists, as their songs are alike: the same
    draws for all models and seeds. The p-value against the model before is that of the first seed that both
    have.
    """
    seeds, folds = settings.reproduce.seeds, settings.reproduce.folds
    tested: dict[str, dict[int, Pooled]] = {
        model: {seed: pooled for seed in seeds if (pooled := pool(units, model, folds, seed)) is not None}
        for model in MODELS
        if model in settings.reproduce.models
    }
    measure = _measure_of(artists, seeds[0], settings.train.bootstrap_samples, folds)
    figures = {
        model: {seed: measure(pooled) for seed, pooled in by_seed.items()}
        for model, by_seed in tested.items()
    }
    rows: list[Row] = []
    before: dict[int, Pooled] = {}
    for model, by_seed in tested.items():
        if by_seed:
            row = _row(model, by_seed, list(figures[model].values()))
            row["mcnemar_p"] = _p_value(before, by_seed)
            rows.append(row | _gain(model, figures[model], figures.get(REFERENCE, {})))
            before = by_seed
    return rows


def _measure_of(
    artists: Mapping[str, str], seed: int, samples: int, folds: int
) -> Callable[[Pooled], _Figures]:
    """A function that gives the figures of all songs (the first row), then those of each draw of artists."""
    place = {artist: i for i, artist in enumerate(sorted(set(artists.values())))}
    draws = draw(len(place), seed, samples)

    def measure(pooled: Pooled) -> _Figures:
        counts = draws[:, [place[artists[song]] for song in pooled.song_ids]]
        counts = np.vstack([np.ones((1, len(pooled.song_ids))), counts])
        figures = figures_of_draws(pooled.moods, pooled.truth, pooled.probabilities, counts)
        areas = []
        for fold in range(folds):
            songs = pooled.folds == fold
            areas.append(roc_auc_of_draws(pooled.truth[songs], pooled.probabilities[songs], counts[:, songs]))
        return {**figures, "roc_auc": np.mean(areas, axis=0)}

    return measure


def _row(model: str, by_seed: Mapping[int, Pooled], figures: Sequence[_Figures]) -> Row:
    row: Row = {"model": model, "seeds": len(by_seed)}
    row["n"] = len({song for pooled in by_seed.values() for song in pooled.song_ids})
    row["train_seconds"] = float(np.mean([pooled.train_seconds for pooled in by_seed.values()]))
    for name in METRICS:
        means = np.mean([figure[name] for figure in figures], axis=0)
        row |= with_interval(name, means[0], means[1:])
    return row


def _p_value(before: Mapping[int, Pooled], by_seed: Mapping[int, Pooled]) -> float | None:
    both = next((seed for seed in by_seed if seed in before), None)
    if both is None:
        return None
    return mcnemar(by_seed[both].truth, by_seed[both].guesses, before[both].guesses)


def _gain(model: str, figures: Mapping[int, _Figures], reference: Mapping[int, _Figures]) -> Row:
    gains = [figures[seed]["accuracy"] - reference[seed]["accuracy"] for seed in figures if seed in reference]
    if not gains or model == REFERENCE:
        return {"gain": None, "gain_error": None}
    mean = np.mean(gains, axis=0)
    return {"gain": float(mean[0]), "gain_error": float(np.nanstd(mean[1:]))}


def learning_rows(units: Units, settings: Settings) -> list[Row]:
    """The learning curve: model, seed, songs, accuracy on the test songs of the first fold.

    `songs` is the mean over seeds, whose splits differ a little in size, so that their points have one place.
    Empty without `reproduce.learning_shares`: one point is not a curve.
    """
    rows = []
    shares = sorted({*settings.reproduce.learning_shares, 1.0}) if settings.reproduce.learning_shares else []
    for model, share in itertools.product(settings.reproduce.learning_models, shares):
        found = {
            seed: unit
            for seed in settings.reproduce.seeds
            if (unit := units.get(unit_name(model, 0, seed, share))) is not None
        }
        for seed, unit in found.items():
            right = np.argmax(unit["probabilities"], axis=1) == np.array(unit["mood"])
            songs = round(float(np.mean([unit["songs"] for unit in found.values()])))
            rows.append({"model": model, "seed": seed, "songs": songs, "accuracy": float(right.mean())})
    return rows


def optimizer_curves(units: Units, settings: Settings) -> Iterator[Unit]:
    """For figure 1: the units with the best learning rate of each optimizer, one for each seed."""
    seeds, epochs = settings.reproduce.seeds, settings.reproduce.epochs
    for optimizer, rates in settings.reproduce.optimizers.items():
        tried = {rate: units.get(optimizer_unit(optimizer, rate, epochs, seeds[0])) for rate in rates}
        losses = {rate: least_loss(unit["curve"]) for rate, unit in tried.items() if unit is not None}
        if losses:
            best = min(losses, key=lambda rate: losses[rate])
            for seed in seeds:
                unit = units.get(optimizer_unit(optimizer, best, epochs, seed))
                if unit is not None:
                    yield unit


def write_table(rows: Sequence[Row], learning: Sequence[Row], curves: Sequence[Unit]) -> str:
    """The results as Markdown: table 1 beside the paper's figures, the learning curve, and the optimizers."""
    tables = [_models(rows)]
    if learning:
        tables.append(_learning(learning))
    if curves:
        tables.append(_optimizers(curves))
    return "\n\n".join("\n".join(lines) for lines in tables) + "\n"


def _models(rows: Sequence[Row]) -> list[str]:
    header = (
        *("model", "accuracy", "95% interval", "precision", "recall", "macro-F1", "ROC-AUC", "log loss"),
        *("calibration error", f"gain over {REFERENCE} (standard error)", "p", "songs", "s", "paper"),
    )
    return _markdown(header, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    gain = "" if row["gain"] is None else f"{100 * row['gain']:+.1f} ({100 * row['gain_error']:.1f})"
    return [
        *(row["model"], _percent(row["accuracy"])),
        f"{_percent(row['accuracy_low'])} to {_percent(row['accuracy_high'])}",
        *(_percent(row[name]) for name in ("precision", "recall", "f1")),
        *("" if row[name] is None else f"{row[name]:.3f}" for name in ("roc_auc", "log_loss")),
        f"{row['calibration_error']:.3f}",
        gain,
        "" if row["mcnemar_p"] is None else f"{row['mcnemar_p']:.3f}",
        *(f"{row['n']:,}", f"{row['train_seconds']:.0f}"),
        " / ".join(_percent(value) for value in PAPER.get(row["model"], ())),
    ]


def _learning(rows: Sequence[Row]) -> list[str]:
    groups = pd.DataFrame(rows).groupby(["model", "songs"])["accuracy"]
    cells = [
        [str(model), f"{songs:,}", *(_percent(value) for value in (group.mean(), group.min(), group.max()))]
        for (model, songs), group in groups
    ]
    return _markdown(("model", "training songs", "accuracy, mean over seeds", "lowest", "highest"), cells)


def _optimizers(curves: Sequence[Unit]) -> list[str]:
    losses = pd.DataFrame([(unit["optimizer"], unit["rate"], least_loss(unit["curve"])) for unit in curves])
    cells = [
        [str(optimizer), f"{rate:g}", *(f"{value:.3f}" for value in (group.mean(), group.min(), group.max()))]
        for (optimizer, rate), group in losses.groupby([0, 1])[2]
    ]
    header = ("optimizer", "learning rate", "least validation loss, mean over seeds", "lowest", "highest")
    return _markdown(header, cells)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(line)} |" for line in (header, *rows)]
    return [lines[0], "| --- |" + " ---: |" * (len(header) - 1), *lines[1:]]
