"""The work behind the paper's table 1 and figure 1 on a corpus of one's own: folds, seeds and grids.

The work is done in units, each a JSON file in the warehouse: a model on one fold with one seed, a model on a
share of the songs, an optimizer with one learning rate and seed. A unit that exists is not done again, so an
interrupted run resumes, and a wider grid only adds units. table1.py makes tables from the units.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from songmood.catalog import FINE_TUNED_BERT, MODELS, learns_from_validation
from songmood.engine.errors import UserError
from songmood.engine.fingerprint import code_fingerprint
from songmood.engine.settings import with_effect
from songmood.engine.store import Store
from songmood.models.comparison import Comparison, ModelSettings, split_frame
from songmood.settings import BY_VALUE, Settings

Unit = dict[str, Any]
Say = Callable[[str], None]

# Train settings that change no unit, or that are in a unit's name.
_NO_PART_OF_FOLDER = {"models", "final_model", "fold", "refit", "bootstrap_samples"}


class Units:
    """The units that are done, as files of a folder of the warehouse."""

    def __init__(self, store: Store, folder: str) -> None:
        self.store, self.folder = store, folder

    def get(self, name: str) -> Unit | None:
        """The result of a unit; None if it is not done, or if its file is damaged."""
        return self.store.read_record(f"{self.folder}/{name}.json")

    def add(self, name: str, unit: Unit) -> None:
        """Keep the result of a unit."""
        self.store.write_record(f"{self.folder}/{name}.json", unit)


def folder_of(songs: pd.DataFrame, settings: Settings, encoder: str) -> str:
    """The folder for units of these songs, settings, encoder and code; `encoder` is the encoder's id.

    `train.fold`, the seed and the model are in a unit's name. A unit is measured before the final model is
    refitted, and has no interval yet.
    """
    train = settings.train.model_dump(mode="json", exclude=_NO_PART_OF_FOLDER)
    code = code_fingerprint(Comparison.__module__, BY_VALUE)
    digest = hashlib.sha256(json.dumps([code, train, with_effect(settings.encoder), encoder]).encode())
    columns = [
        name for name in songs if name != "embedding"
    ]  # that depends on the encoder alone, and is long
    digest.update(pd.util.hash_pandas_object(songs[columns].astype(str), index=False).to_numpy().tobytes())
    return f"reproduce/{digest.hexdigest()[:12]}"


def unit_name(model: str, fold: int, seed: int, share: float = 1.0) -> str:
    """The name of a unit of the comparison of models."""
    return f"{model}-fold{fold}-seed{seed}" + (f"-share{share:g}" if share < 1 else "")


def optimizer_unit(optimizer: str, rate: float, epochs: int, seed: int) -> str:
    """The name of a unit of the comparison of optimizers."""
    return f"optimizer-{optimizer}-{rate:g}-epochs{epochs}-seed{seed}"


def least_loss(curve: list[list[Any]]) -> float:
    """The least validation loss of a unit's curve; infinite if a loss is not a number."""
    losses = [loss for _, loss, split in curve if split == "validation"]
    return min(losses) if losses and np.isfinite(losses).all() else float("inf")


def reproduce(songs: pd.DataFrame, encoder_folder: Path, settings: Settings, units: Units, say: Say) -> None:
    """Do every unit that `settings.reproduce` requests and that is not done; `say` reports each one.

    `songs` are those of songmood.models.songs.fetch_training_songs. `say` also reports once which models
    cannot be trained on them, and which moods are too rare for one of the folds and seeds: these are left
    out of all. Raises UserError, before any work, if the songs cannot be split for one of the folds and
    seeds, or if folds would test songs twice.
    """
    say = _once(say)
    _check(songs, settings)
    work = _Work(_keep_moods(songs, settings, say), encoder_folder, units, say)
    requested = settings.reproduce
    for seed, fold in itertools.product(requested.seeds, range(requested.folds)):
        _compare(work, _with(settings, seed, fold=fold))
    for share, seed in itertools.product(requested.learning_shares, requested.seeds):
        _compare(work, _with(settings, seed, fold=0), share)
    first, *others = requested.seeds
    for optimizer, rates in requested.optimizers.items():
        losses = {}
        for rate in rates:
            unit = _tune(work, _with(settings, first, fold=0, optimizer=optimizer), rate)
            losses[rate] = least_loss(unit["curve"])
        best = min(losses, key=lambda rate: losses[rate])
        for seed in others:
            _tune(work, _with(settings, seed, fold=0, optimizer=optimizer), best)


class _Work(NamedTuple):
    songs: pd.DataFrame
    encoder_folder: Path
    units: Units
    say: Say


def _once(say: Say) -> Say:
    shown: set[str] = set()

    def say_once(line: str) -> None:
        if line not in shown:
            shown.add(line)
            say(line)

    return say_once


def _check(songs: pd.DataFrame, settings: Settings) -> None:
    if songs.empty:
        raise UserError("no labelled songs with lyrics or audio features: there is nothing to compare")
    folds = settings.reproduce.folds
    if settings.train.tested(folds) > 1:
        raise UserError(
            f"{folds} folds of {settings.train.test_share:g} of the songs would test some twice: "
            "lower reproduce.folds or train.test_share"
        )


def _keep_moods(songs: pd.DataFrame, settings: Settings, say: Say) -> pd.DataFrame:
    """The songs of the moods that are frequent enough for every split."""
    for seed, fold in itertools.product(settings.reproduce.seeds, range(settings.reproduce.folds)):
        _, moods, left_out = split_frame(songs, _model_settings(_with(settings, seed, fold=fold)))
        if left_out:
            for warning in left_out:
                say(warning)
            return _keep_moods(songs[songs["mood"].isin(moods)].reset_index(drop=True), settings, say)
    return songs


def _with(settings: Settings, seed: int, **train: Any) -> Settings:
    return settings.model_copy(update={"seed": seed, "train": settings.train.model_copy(update=train)})


def _model_settings(settings: Settings) -> ModelSettings:
    return ModelSettings(settings.train, settings.encoder, settings.seed)


def _compare(work: _Work, settings: Settings, share: float = 1.0) -> None:
    """The units of one fold, seed and share of the songs that are not for test.

    Shares below 1 are for the learning curve, which has models of its own.
    """
    requested = settings.reproduce.models if share == 1 else settings.reproduce.learning_models
    fold, seed = settings.train.fold, settings.seed
    names = {model: unit_name(model, fold, seed, share) for model in MODELS if model in requested}
    missing = tuple(model for model, name in names.items() if work.units.get(name) is None)
    if not missing:
        return
    comparison, frame = _comparison(work, _with(settings, seed, models=missing))
    frame = _sample(frame, share, seed)
    learned_from = {
        True: int((frame["split"] != "test").sum()),
        False: int((frame["split"] == "train").sum()),
    }
    for model in comparison.compare(frame):
        unit = _unit(comparison, model, learned_from[learns_from_validation(model)])
        work.units.add(names[model], unit)
        work.say(f"{names[model]}: accuracy {_tested(comparison.metrics, model)[0]['accuracy']:.3f}")
    for warning in comparison.warnings:
        work.say(warning)


def _comparison(work: _Work, settings: Settings) -> tuple[Comparison, pd.DataFrame]:
    """A comparison of the models of `settings.train`, and the songs, split."""
    model_settings = _model_settings(settings)
    comparison = Comparison(model_settings, work.encoder_folder)
    frame, comparison.moods, _ = split_frame(work.songs, model_settings)
    return comparison, frame


def _sample(frame: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The songs with a share of those that are not for test, and at least one for each split and mood."""
    if share == 1:
        return frame
    learned = frame[frame["split"] != "test"]
    groups = (group for _, group in learned.groupby(["split", "mood"]))
    kept = pd.concat(group.sample(max(1, round(share * len(group))), random_state=seed) for group in groups)
    return frame.drop(learned.index.difference(kept.index))


def _unit(comparison: Comparison, model: str, songs: int) -> Unit:
    rows = _tested(comparison.predictions, model)
    moods = comparison.moods
    return {
        "songs": songs,
        "train_seconds": _tested(comparison.metrics, model)[0]["train_seconds"],
        "moods": moods,
        "song_id": [row["song_id"] for row in rows],
        "mood": [moods.index(row["mood"]) for row in rows],
        "probabilities": [[row["probabilities"][mood] for mood in moods] for row in rows],
    }


def _tested(rows: list[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["model"] == model and row["split"] == "test"]


def _tune(work: _Work, settings: Settings, rate: float) -> Unit:
    """A unit of the comparison of optimizers: the training curve of fine-tuning."""
    optimizer, epochs = settings.train.optimizer, settings.reproduce.epochs
    name = optimizer_unit(optimizer, rate, epochs, settings.seed)
    done = work.units.get(name)
    if done is not None:
        return done
    comparison, frame = _comparison(
        work,
        _with(
            settings,
            settings.seed,
            encoder_learning_rate=rate,
            epochs=epochs,
            models=(FINE_TUNED_BERT.name,),
            cross_fit=0,
        ),
    )
    for model in comparison.trainable(frame):
        comparison.learn(model, frame)  # not measured, as a high rate may end in NaN
    curve = [[point["step"], point["loss"], point["split"]] for point in comparison.curves]
    unit = {"optimizer": optimizer, "rate": rate, "seed": settings.seed, "curve": curve}
    work.units.add(name, unit)
    work.say(f"{name}: validation loss {least_loss(curve):.3f}")
    return unit
