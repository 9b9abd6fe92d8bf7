"""Train the mood models on the labelled songs, compare them, and keep the final one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from songmood.audio import AUDIO_FEATURES
from songmood.catalog import FINE_TUNED_BERT, MODELS, NEURAL, Neural
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import encoder_id
from songmood.engine.errors import UserError
from songmood.engine.table import Table
from songmood.models.base import Model
from songmood.models.baselines import make_baseline
from songmood.models.card import model_card
from songmood.models.evaluate import evaluate, mcnemar
from songmood.models.neural import NeuralModel, Prediction
from songmood.models.songs import balance, fetch_training_songs, mood_names
from songmood.models.splits import RareMoodError, deal, split_songs
from songmood.models.tuning import HiddenStates
from songmood.settings import EncoderSettings, TrainSettings
from songmood.tables import MODEL_METRICS, MODEL_PREDICTIONS, TRAINING_CURVES

Row = dict[str, Any]


class ModelSettings(NamedTuple):
    """The settings that models are trained with."""

    train: TrainSettings
    encoder: EncoderSettings
    seed: int


class TrainedModels(NamedTuple):
    """The tables, the folder of the final model if there is one, and warnings and figures for the user."""

    model_metrics: DataFrame
    training_curves: DataFrame
    model_predictions: DataFrame
    folder: Path | None
    warnings: list[str]
    figures: dict[str, Any]


class Learned(NamedTuple):
    """A fitted model, the songs as it saw them (with `vector`, if tuned), and the seconds of fitting."""

    model: Model
    songs: pd.DataFrame
    seconds: float


def fit_models(
    songs: DataFrame, encoder_folder: Path, settings: ModelSettings, folder: Path
) -> TrainedModels:
    """Train each model of `train.models` on the driver, on one split; write the final one to `folder`.

    `songs` are those of `songmood.models.songs.training_songs`. Two runs on one machine give the same
    figures, except train_seconds; on another machine sums are rounded differently, and figures differ a
    little. Moods that are too rare to be split are left out with a warning (see `split_frame`).
    """
    frame = fetch_training_songs(songs)
    comparison = Comparison(settings, encoder_folder)
    figures: dict[str, Any] = {}
    final = None
    if frame.empty:
        comparison.warnings.append("no labelled songs with lyrics or audio features: no model is trained")
    else:
        frame, comparison.moods, left_out = split_frame(frame, settings)
        comparison.warnings.extend(left_out)
        figures = balance(frame, comparison.moods)
        for _ in comparison.compare(frame):
            pass
        final = _final_model(comparison, frame)
    if final is not None:
        final.save(folder)
        card = model_card(final, encoder_id(encoder_folder), comparison.metrics, figures)
        (folder / "README.md").write_text(card, encoding="utf-8")
    return TrainedModels(
        _table(songs.sparkSession, MODEL_METRICS, comparison.metrics),
        _table(songs.sparkSession, TRAINING_CURVES, comparison.curves),
        _table(songs.sparkSession, MODEL_PREDICTIONS, comparison.predictions),
        None if final is None else folder,
        comparison.warnings,
        figures,
    )


def split_frame(songs: pd.DataFrame, settings: ModelSettings) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The songs with `mood` as an index and with `split`, the moods, and a warning for each mood left out.

    A mood that is too rare to be in every split is left out, with its songs, while two other moods remain.
    Raises UserError if fewer remain.
    """
    left_out = []
    while True:
        try:
            moods = mood_names(songs["mood"])
            codes = songs["mood"].map(moods.index)
            split = split_songs(codes, songs["artist"], moods, settings.train, settings.seed)
        except RareMoodError as rare:
            if songs["mood"].nunique() <= 2:
                raise
            left_out.append(f"{rare.mood} is left out of the models' moods: {rare}")
            songs = songs[songs["mood"] != rare.mood].reset_index(drop=True)
        else:
            return songs.assign(mood=codes, split=split), moods, left_out


def _final_model(comparison: Comparison, songs: pd.DataFrame) -> NeuralModel | None:
    """The model to keep; None if it was not trained.

    With `train.refit` it learns once more, from the training and the test songs: it has been measured, and
    more songs make a better model. The validation songs still decide when to stop. Later figures by mood must
    come from the comparison's predictions, as this model has seen the moods of the test songs.
    """
    settings = comparison.settings.train
    model = comparison.models.get(settings.final_model)
    if model is not None and settings.refit:
        more = songs.assign(split=songs["split"].replace("test", "train"))
        model = comparison.like().learn(settings.final_model, more).model
    return model if isinstance(model, NeuralModel) else None


def _table(spark: SparkSession, table: Table, rows: list[Row]) -> DataFrame:
    cells = [tuple(row[name] for name in table.column_names) for row in rows]
    return spark.createDataFrame(cells, table.schema)


class Comparison:
    """The models of one run: fitted one by one on the same split, and measured on it.

    `metrics`, `curves` and `predictions` are rows of the tables model_metrics, training_curves and
    model_predictions.
    """

    def __init__(self, settings: ModelSettings, encoder_folder: Path) -> None:
        self.settings, self.encoder_folder = settings, encoder_folder
        self.moods: list[str] = []
        self.models: dict[str, Model] = {}
        self.metrics: list[Row] = []
        self.curves: list[Row] = []
        self.predictions: list[Row] = []
        self.warnings: list[str] = []
        self._guesses: dict[str, Any] = {}  # of the model before, by split
        self._tuned: Learned | None = None
        self._states = HiddenStates()

    def like(self) -> Comparison:
        """A new comparison of the same settings, moods and encoder."""
        comparison = Comparison(self.settings, self.encoder_folder)
        comparison.moods, comparison._states = self.moods, self._states
        return comparison

    def compare(self, songs: pd.DataFrame) -> Iterator[str]:
        """Fit and measure the models of `train.models`, in the order of the catalog; each as it is done.

        `songs` have mood (an index), split, and the columns of `training_songs`. Models are left out with a
        warning if too few songs have what they see.
        """
        for name in self.trainable(songs):
            learned = self.learn(name, songs)
            self.measure(name, learned)
            yield name

    def trainable(self, songs: pd.DataFrame) -> list[str]:
        """The models of `train.models` that songs suffice for; a warning names those that are left out."""
        names = [name for name in MODELS if name in self.settings.train.models]
        for part, columns in (("lyrics", ["lyrics"]), ("audio", list(AUDIO_FEATURES))):
            # topics come from lyrics
            alone = [name for name in names if set(MODELS[name].parts) - {"topics"} == {part}]
            if alone and not _can_be_learned(songs, columns):
                names = [name for name in names if name not in alone]
                seen = part.replace("audio", "audio features")
                self.warnings.append(
                    f"too few {seen} among the labelled songs: models of {seen} alone are not trained "
                    f"({', '.join(alone)})"
                )
        return names

    def learn(self, name: str, songs: pd.DataFrame) -> Learned:
        """Fit a model. The encoder is tuned once, for all models that use the tuned one."""
        kind = NEURAL.get(name)
        if kind is None:
            baseline = make_baseline(name, self.moods, self.settings.seed)
            return Learned(baseline, songs, self._fit(name, baseline, songs))
        if kind.tuned and _can_be_learned(songs, ["lyrics"]):
            if self._tuned is None:
                self._tuned = self._tune(songs)
            if kind.tunes_encoder:
                return self._tuned
            tuned = self._tuned.model
            assert isinstance(tuned, NeuralModel)
            model = self._neural(kind, tuned.encoder)
            seconds = self._tuned.seconds + self._fit(name, model, self._tuned.songs)
            return Learned(model, self._tuned.songs, seconds)
        model = self._neural(kind, Encoder(self.encoder_folder, self.settings.encoder))
        return Learned(model, songs, self._fit(name, model, songs))

    def measure(self, name: str, learned: Learned) -> None:
        """Measure a fitted model on validation and test songs, and against the model before it.

        On validation songs that is what the model predicted in `fit`, as a fusion's regressions learn from
        them. Raises UserError if the model gives no numbers.
        """
        before = list(self.models)[-1] if self.models else None
        self.models[name] = learned.model
        guesses = {}
        for split in ("validation", "test"):
            songs = learned.songs[learned.songs["split"] == split]
            probabilities, hidden = self._predict(name, learned.model, songs, split)
            guesses[split] = probabilities.argmax(axis=1)
            truth = songs["mood"].to_numpy()
            samples = self.settings.train.bootstrap_samples
            figures = evaluate(self.moods, truth, probabilities, self.settings.seed, samples)
            row = {"model": name, "split": split, "seed": self.settings.seed, **figures}
            row |= {"train_seconds": round(learned.seconds, 2), "compared_with": before}
            row["mcnemar_p"] = mcnemar(truth, guesses[split], self._guesses[split]) if before else None
            self.metrics.append(row)
            self.predictions += self._rows(name, songs, split, probabilities, hidden)
        self._guesses = guesses

    # -- within ------------------------------------------------------------------------------

    def _neural(self, kind: Neural, encoder: Encoder) -> NeuralModel:
        settings = self.settings
        return NeuralModel(kind, self.moods, encoder, settings.train, settings.seed, self._states)

    def _tune(self, songs: pd.DataFrame) -> Learned:
        """Fine-tuned BERT, and the songs with its embedding of their lyrics as `vector`.

        With `train.cross_fit` of k parts, training songs are embedded by encoders that were tuned on the
        other parts, as it will be with new songs.
        """
        started = time.perf_counter()
        tuned = self._tunable()
        self._fit(FINE_TUNED_BERT.name, tuned, songs)
        embedded = (songs["split"] == "validation").to_numpy()  # in `fit`
        vectors = np.empty((len(songs), tuned.encoder.width), np.float32)
        vectors[embedded], vectors[~embedded] = tuned.validation_lyrics, tuned.embed_lyrics(songs[~embedded])
        settings = self.settings.train
        if settings.cross_fit > 1:
            learned = songs["split"] == "train"
            train, validation = songs[learned], songs[songs["split"] == "validation"]
            artists = train["artist"] if settings.split_by == "artist" else None
            for outside, inside in deal(train["mood"], artists, settings.cross_fit, self.settings.seed):
                model = self._tunable()
                model.fit(train.iloc[outside], validation)
                vectors[np.flatnonzero(learned)[inside]] = model.embed_lyrics(train.iloc[inside])
        return Learned(tuned, songs.assign(vector=list(vectors)), time.perf_counter() - started)

    def _tunable(self) -> NeuralModel:
        # by window: dozens of lines for each song, padded to the longest, would take memory that learning
        # needs
        by_window = self.settings.encoder.model_copy(update={"read_by": "window"})
        return self._neural(FINE_TUNED_BERT, Encoder(self.encoder_folder, by_window))

    def _fit(self, name: str, model: Model, songs: pd.DataFrame) -> float:
        started = time.perf_counter()
        train, validation = (songs[songs["split"] == split] for split in ("train", "validation"))
        optimizer = model.optimizer if isinstance(model, NeuralModel) else ""
        row = {"model": name, "optimizer": optimizer, "seed": self.settings.seed}
        self.curves += [{**row, **point._asdict()} for point in model.fit(train, validation)]
        return time.perf_counter() - started

    def _predict(
        self, name: str, model: Model, songs: pd.DataFrame, split: str
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
        """Probabilities and the hidden layer; baselines have none."""
        if isinstance(model, NeuralModel):
            kept = model.on_validation if split == "validation" else None
            prediction = kept or model.predict(songs)
        else:
            prediction = Prediction(model.predict_proba(songs), np.zeros((len(songs), 0), np.float32))
        probabilities = prediction.probabilities.astype(np.float64)
        if not np.isfinite(probabilities).all():
            raise UserError(
                f"{name} gives no numbers for {split} songs, as it learned too fast: lower "
                "train.head_learning_rate or train.encoder_learning_rate"
            )
        return probabilities, prediction.hidden

    def _rows(
        self,
        name: str,
        songs: pd.DataFrame,
        split: str,
        probabilities: npt.NDArray[np.float64],
        hidden: npt.NDArray[Any],
    ) -> list[Row]:
        """Rows of the table model_predictions; only those of the final model have the hidden layer."""
        final = name == self.settings.train.final_model
        columns = zip(songs["song_id"], songs["mood"], probabilities, hidden, strict=True)
        return [
            {
                "model": name,
                "song_id": song_id,
                "split": split,
                "mood": self.moods[mood],
                "predicted": self.moods[int(shares.argmax())],
                "probabilities": dict(zip(self.moods, map(float, shares), strict=True)),
                "hidden": layer.tolist() if final else None,
            }
            for song_id, mood, shares, layer in columns
        ]


def _can_be_learned(songs: pd.DataFrame, columns: list[str]) -> bool:
    """Whether at least one training song and one validation song have a value in one of these columns."""
    there = songs[columns].notna().any(axis=1).groupby(songs["split"]).any()
    return bool(there.reindex(["train", "validation"], fill_value=False).all())
