"""The paper's table 1 and figure 1 on a corpus of one's own: folds, seeds, grids, and what they show.

The work is in units, each a JSON file in the warehouse: a model on one fold with one seed, an optimizer
with one learning rate and seed, a model on a share of the songs. A unit that is there is not done
again, so a stopped run goes on, and a wider grid only adds to what is known.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from songmood.engine.errors import UserError
from songmood.engine.fingerprint import code_fingerprint
from songmood.engine.settings import with_effect
from songmood.engine.store import Store
from songmood.models import PAPER
from songmood.models.comparison import Comparison, ModelSettings, mood_names
from songmood.models.evaluate import draw, figures_of_draws, mcnemar, roc_auc_of_draws, with_interval
from songmood.models.neural import FINE_TUNED_BERT, learns_from_validation
from songmood.models.splits import split_songs
from songmood.settings import BY_VALUE, MODELS, Settings
from songmood.tables import METRICS

_Figures = dict[str, npt.NDArray[np.float64]]

BESIDE = "tfidf_logistic"  # the baseline that every model's gain is measured from


class Units:
    """The units of work that are done, as files of a folder of the warehouse."""

    def __init__(self, store: Store, folder: str) -> None:
        self.store, self.folder = store, folder

    def get(self, name: str) -> dict[str, Any] | None:
        """What a unit found; None if it is not done."""
        path = f"{self.folder}/{name}.json"
        known: dict[str, Any] | None = self.store.read_json(path) if self.store.exists(path) else None
        return known

    def add(self, name: str, found: dict[str, Any]) -> None:
        """Keep what a unit found."""
        self.store.write_json(f"{self.folder}/{name}.json", found)


def folder_of(songs: pd.DataFrame, settings: Settings, encoder: str) -> str:
    """Where units of these songs, settings and encoder are: they depend on nothing else but the code.

    `encoder` is the encoder's id. `train.fold`, `seed`, which models
    are trained and what is reproduced are in a unit's name; a unit is measured before the final model is
    made again, and has no interval yet.
    """
    aside = {"models", "final_model", "fold", "refit", "bootstrap_samples"}
    train = settings.train.model_dump(mode="json", exclude=aside)
    encoder_settings = with_effect(settings.encoder)
    digest = hashlib.sha256(
        json.dumps([code_fingerprint(Comparison, BY_VALUE), train, encoder_settings, encoder]).encode()
    )
    columns = [name for name in songs if name != "embedding"]  # that is the encoder's, and long
    digest.update(pd.util.hash_pandas_object(songs[columns].astype(str), index=False).to_numpy().tobytes())
    return f"reproduce/{digest.hexdigest()[:12]}"


def reproduce(
    songs: pd.DataFrame,
    encoder_folder: Path,
    settings: Settings,
    units: Units,
    say: Callable[[str], None],
) -> None:
    """Do every unit that `reproduce` asks for and that is not done; `say` tells each as it ends.

    `songs` are those of songmood.steps.train.training_songs, in the order of their ids. `say` also tells which
    models cannot be trained on them, once. Raises UserError, before any work, if the songs cannot be
    split for one of the folds and seeds, or folds would test songs twice.
    """
    say = _once(say)
    if songs.empty:
        raise UserError("no labelled songs with lyrics or audio features: there is nothing to compare")
    if settings.train.tested(settings.reproduce.folds) > 1:
        raise UserError(
            f"{settings.reproduce.folds} folds of {settings.train.test_share:g} of the songs would test some "
            "twice: lower reproduce.folds or train.test_share"
        )
    for seed, fold in itertools.product(settings.reproduce.seeds, range(settings.reproduce.folds)):
        _prepare(songs, _with(settings, seed, fold=fold))
    for seed in settings.reproduce.seeds:
        for fold in range(settings.reproduce.folds):
            _compare(songs, encoder_folder, _with(settings, seed, fold=fold), units, say)
    for share in settings.reproduce.learning_shares:
        for seed in settings.reproduce.seeds:
            _compare(songs, encoder_folder, _with(settings, seed, fold=0), units, say, share)
    for optimizer, rates in settings.reproduce.optimizers.items():
        first = settings.reproduce.seeds[0]
        losses = {}
        for rate in rates:
            of = _with(settings, first, fold=0, optimizer=optimizer)
            found = _tune(songs, encoder_folder, of, rate, units, say)
            losses[rate] = _last_loss(found["curve"])
        for seed in settings.reproduce.seeds[1:]:
            best = min(losses, key=lambda rate: losses[rate])
            of = _with(settings, seed, fold=0, optimizer=optimizer)
            _tune(songs, encoder_folder, of, best, units, say)


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    told: set[str] = set()

    def say_once(line: str) -> None:
        if line not in told:
            told.add(line)
            say(line)

    return say_once


def _with(settings: Settings, seed: int, **train: Any) -> Settings:
    return settings.model_copy(update={"seed": seed, "train": settings.train.model_copy(update=train)})


def _prepare(songs: pd.DataFrame, settings: Settings) -> tuple[pd.DataFrame, list[str]]:
    moods = mood_names(songs["mood"])
    codes = songs["mood"].map(moods.index)
    split = split_songs(codes, songs["artist"], moods, settings.train, settings.seed)
    return songs.assign(mood=codes, split=split), moods


def _compare(
    songs: pd.DataFrame,
    encoder_folder: Path,
    settings: Settings,
    units: Units,
    say: Callable[[str], None],
    share: float = 1.0,
) -> None:
    """Units of one fold, seed and share of the songs not tested; a learning curve is of few models."""
    wanted = settings.reproduce.models if share == 1 else settings.reproduce.learning_models
    fold, seed = settings.train.fold, settings.seed
    names: dict[str, str] = {m: unit_name(m, fold, seed, share) for m in MODELS if m in wanted}
    missing = tuple(model for model, name in names.items() if units.get(name) is None)
    if not missing:
        return
    frame, moods = _prepare(songs, settings)
    known = frame[frame["split"] != "test"]
    kept = known
    if share < 1:  # of every mood at least a song
        groups = (of for _, of in known.groupby(["split", "mood"]))
        kept = pd.concat(of.sample(max(1, round(share * len(of))), random_state=seed) for of in groups)
    frame = frame.drop(known.index.difference(kept.index))
    trained = settings.train.model_copy(update={"models": missing})
    done = Comparison(ModelSettings(trained, settings.encoder, settings.seed))
    done.moods = moods
    for model in done.compare(frame, encoder_folder):
        rows = [row for row in done.predictions if row["model"] == model and row["split"] == "test"]
        figures = [row for row in done.metrics if row["model"] == model and row["split"] == "test"]
        found = {
            "songs": len(kept) if learns_from_validation(model) else int((kept["split"] == "train").sum()),
            "train_seconds": figures[0]["train_seconds"],
            "moods": moods,
            "song_id": [row["song_id"] for row in rows],
            "mood": [moods.index(row["mood"]) for row in rows],
            "probabilities": [[row["probabilities"][mood] for mood in moods] for row in rows],
        }
        units.add(names[model], found)
        say(f"{names[model]}: accuracy {figures[0]['accuracy']:.3f}")
    for warning in done.warnings:
        say(warning)


def _tune(
    songs: pd.DataFrame,
    encoder_folder: Path,
    settings: Settings,
    rate: float,
    units: Units,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """A unit of the optimizers' comparison: fine-tuning's curve."""
    name = optimizer_unit(settings.train.optimizer, rate, settings.reproduce.epochs, settings.seed)
    known = units.get(name)
    if known is not None:
        return known
    tuned = {"encoder_learning_rate": rate, "epochs": settings.reproduce.epochs}
    alone = {"models": (FINE_TUNED_BERT.name,), "cross_fit": 0}
    train = settings.train.model_copy(update={**tuned, **alone})
    frame, moods = _prepare(songs, settings)
    done = Comparison(ModelSettings(train, settings.encoder, settings.seed))
    done.moods = moods
    for model in done.trainable(frame):
        done.learn(model, frame, encoder_folder)  # not measured: a rate too fast may end in NaN
    curve = [[point["step"], point["loss"], point["split"]] for point in done.curves]
    found = {"optimizer": settings.train.optimizer, "rate": rate, "seed": settings.seed, "curve": curve}
    units.add(name, found)
    say(f"{name}: validation loss {_last_loss(curve):.3f}")
    return found


def _last_loss(curve: list[list[Any]]) -> float:
    losses = [loss for _, loss, split in curve if split == "validation"]
    return min(losses) if losses and np.isfinite(losses).all() else float("inf")


def unit_name(model: str, fold: int, seed: int, share: float = 1.0) -> str:
    """The name of a unit of the models' comparison."""
    return f"{model}-fold{fold}-seed{seed}" + (f"-share{share:g}" if share < 1 else "")


def optimizer_unit(optimizer: str, rate: float, epochs: int, seed: int) -> str:
    """The name of a unit of the optimizers' comparison."""
    return f"optimizer-{optimizer}-{rate:g}-epochs{epochs}-seed{seed}"


# -- what the units show -----------------------------------------------------------------------


class Pooled(NamedTuple):
    """What a model said of every song once, over the folds of one seed."""

    song_ids: list[str]
    moods: list[str]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    folds: npt.NDArray[np.int64]  # in which each song was tested
    train_seconds: float


def pool(units: Units, model: str, folds: int, seed: int) -> Pooled | None:
    """The folds of a model put together, in the order of song ids; None where one is missing."""
    found = [units.get(unit_name(model, fold, seed)) for fold in range(folds)]
    if any(unit is None for unit in found):
        return None
    known = [unit for unit in found if unit is not None]
    song_ids = [song for unit in known for song in unit["song_id"]]
    order = np.argsort(song_ids, kind="stable")
    truth = np.concatenate([unit["mood"] for unit in known]).astype(np.int64)
    said = np.concatenate([unit["probabilities"] for unit in known])
    fold = np.repeat(np.arange(folds), [len(unit["song_id"]) for unit in known])
    seconds = float(np.mean([unit["train_seconds"] for unit in known]))
    ids = [song_ids[i] for i in order]
    return Pooled(ids, known[0]["moods"], truth[order], said[order], fold[order], seconds)


def table_rows(units: Units, artists: dict[str, str], settings: Settings) -> list[dict[str, Any]]:
    """A row for each model: figures of all songs that are tested, and its gain over the baseline.

    Figures and gains are means over seeds, and the ROC-AUC also over folds: each fold's model has a scale
    of its own, so songs of two are not to be ranked together (Forman and Scholz 2010). Intervals and the
    gain's standard error (`gain_error`) are by drawing artists, whose songs hang together: the same ones
    for every model and seed. The p-value against the model before is of the first seed that both have.
    """
    seeds, folds = settings.reproduce.seeds, settings.reproduce.folds
    place = {artist: i for i, artist in enumerate(sorted(set(artists.values())))}
    draws = draw(len(place), seeds[0], settings.train.bootstrap_samples)
    tested: dict[str, dict[int, Pooled]] = {
        model: {seed: one for seed in seeds if (one := pool(units, model, folds, seed)) is not None}
        for model in MODELS
        if model in settings.reproduce.models
    }

    def figures(one: Pooled) -> _Figures:
        """Of all songs (the first row), and of those of the artists of each draw."""
        counts = draws[:, [place[artists[song]] for song in one.song_ids]]
        counts = np.vstack([np.ones((1, len(one.song_ids))), counts])
        whole = figures_of_draws(one.moods, one.truth, one.probabilities, counts)
        areas = [
            roc_auc_of_draws(one.truth[of], one.probabilities[of], counts[:, of])
            for of in (one.folds == fold for fold in range(folds))
        ]
        return {**whole, "roc_auc": np.mean(areas, axis=0)}

    found = {model: {seed: figures(one) for seed, one in of.items()} for model, of in tested.items()}
    rows: list[dict[str, Any]] = []
    before: dict[int, Pooled] = {}
    for model, of_seed in ((model, of_seed) for model, of_seed in tested.items() if of_seed):
        row: dict[str, Any] = {"model": model, "seeds": len(of_seed)}
        row["n"] = len({song for one in of_seed.values() for song in one.song_ids})
        row["train_seconds"] = float(np.mean([one.train_seconds for one in of_seed.values()]))
        for name in METRICS:
            means = np.mean([of[name] for of in found[model].values()], axis=0)
            row |= with_interval(name, means[0], means[1:])
        row["mcnemar_p"] = row["gain"] = row["gain_error"] = None
        both = next((seed for seed in of_seed if seed in before), None)
        if both is not None:
            guesses = (of[both].probabilities.argmax(axis=1) for of in (of_seed, before))
            row["mcnemar_p"] = mcnemar(of_seed[both].truth, *guesses)
        beside = found.get(BESIDE, {})
        shared = [seed for seed in of_seed if seed in beside]
        gains = [found[model][seed]["accuracy"] - beside[seed]["accuracy"] for seed in shared]
        if gains and model != BESIDE:
            mean = np.mean(gains, axis=0)
            row |= {"gain": float(mean[0]), "gain_error": float(np.nanstd(mean[1:]))}
        rows.append(row)
        before = of_seed
    return rows


def learning_rows(units: Units, settings: Settings) -> list[dict[str, Any]]:
    """For the learning curve: model, seed, songs, accuracy on the first fold's test songs.

    `songs` is the mean over seeds, which split a little differently, so that they meet in a point. None
    without `reproduce.learning_shares`: all songs alone are no curve.
    """
    rows = []
    shares = sorted({*settings.reproduce.learning_shares, 1.0}) if settings.reproduce.learning_shares else []
    for model, share in itertools.product(settings.reproduce.learning_models, shares):
        found = {seed: units.get(unit_name(model, 0, seed, share)) for seed in settings.reproduce.seeds}
        known = {seed: unit for seed, unit in found.items() if unit is not None}
        for seed, unit in known.items():
            right = np.argmax(unit["probabilities"], axis=1) == np.array(unit["mood"])
            songs = round(float(np.mean([one["songs"] for one in known.values()])))
            rows.append({"model": model, "seed": seed, "songs": songs, "accuracy": float(right.mean())})
    return rows


def optimizer_curves(units: Units, settings: Settings) -> Iterator[dict[str, Any]]:
    """For figure 1: the units of each optimizer's best learning rate, a unit a seed."""
    seeds, epochs = settings.reproduce.seeds, settings.reproduce.epochs
    for optimizer, rates in settings.reproduce.optimizers.items():
        tried = {rate: units.get(optimizer_unit(optimizer, rate, epochs, seeds[0])) for rate in rates}
        known = {rate: _last_loss(unit["curve"]) for rate, unit in tried.items() if unit is not None}
        if known:
            best = min(known, key=lambda rate: known[rate])
            for seed in seeds:
                unit = units.get(optimizer_unit(optimizer, best, epochs, seed))
                if unit is not None:
                    yield unit


def write_table(
    rows: list[dict[str, Any]], learning: list[dict[str, Any]], curves: list[dict[str, Any]]
) -> str:
    """What the units show, as Markdown: table 1 with the paper's row beside ours, and two smaller tables."""

    def share(value: float | None) -> str:
        return "" if value is None else f"{100 * value:.1f}"

    lines = [
        "| model | accuracy | 95% interval | precision | recall | macro-F1 | ROC-AUC | log loss "
        f"| calibration error | gain over {BESIDE} (standard error) | p | songs | s | paper |",
        "| --- |" + " ---: |" * 13,
    ]
    for row in rows:
        paper = " / ".join(share(value) for value in PAPER.get(row["model"], ()))
        gain = "" if row["gain"] is None else f"{100 * row['gain']:+.1f} ({100 * row['gain_error']:.1f})"
        cells = [
            *(row["model"], share(row["accuracy"])),
            f"{share(row['accuracy_low'])} to {share(row['accuracy_high'])}",
            *(share(row[name]) for name in ("precision", "recall", "f1")),
            *("" if row[name] is None else f"{row[name]:.3f}" for name in ("roc_auc", "log_loss")),
            f"{row['calibration_error']:.3f}",
            gain,
            "" if row["mcnemar_p"] is None else f"{row['mcnemar_p']:.3f}",
            *(f"{row['n']:,}", f"{row['train_seconds']:.0f}", paper),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if learning:
        lines += [
            "",
            "| model | songs learned from | accuracy, mean over seeds | from | to |",
            "| --- |" + " ---: |" * 4,
        ]
        for (model, songs), of in pd.DataFrame(learning).groupby(["model", "songs"])["accuracy"]:
            lines.append(
                f"| {model} | {songs:,} | {share(of.mean())} | {share(of.min())} | {share(of.max())} |"
            )
    if curves:
        lines += ["", "| optimizer | learning rate | least validation loss, mean over seeds | from | to |"]
        lines.append("| --- |" + " ---: |" * 4)
        losses = pd.DataFrame([(c["optimizer"], c["rate"], _last_loss(c["curve"])) for c in curves])
        for (optimizer, rate), of in losses.groupby([0, 1])[2]:
            lines.append(f"| {optimizer} | {rate:g} | {of.mean():.3f} | {of.min():.3f} | {of.max():.3f} |")
    return "\n".join(lines) + "\n"
