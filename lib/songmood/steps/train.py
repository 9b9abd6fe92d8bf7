"""train: train and compare the mood models, and keep the final one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import EncoderSettings, TrainSettings


class Trained(NamedTuple):
    """The figures and predictions of each model, and the final model (None without labelled songs)."""

    model_metrics: DataFrame
    training_curves: DataFrame
    model_predictions: DataFrame
    mood_model: Path | None
    notes: Notes


@step("train", "train and compare the mood models")
def train_models(
    labelled: DataFrame,
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    encoder: Path,
    settings: TrainSettings,
    encoder_settings: EncoderSettings,
    seed: int,
    scratch: Path,
) -> Trained:
    """Train each model of `train.models` on the labelled songs, and measure it."""
    from songmood.models.comparison import ModelSettings, fit_models
    from songmood.models.songs import training_songs

    songs = training_songs(labelled, deduped, lyrics, embeddings, topics, audio_features, settings, seed)
    trained = fit_models(
        songs.rows, encoder, ModelSettings(settings, encoder_settings, seed), scratch / "mood_model"
    )
    return Trained(
        trained.model_metrics,
        trained.training_curves,
        trained.model_predictions,
        trained.folder,
        Notes(tuple(trained.warnings), {**trained.figures, **songs.left_out("train.max_songs")}),
    )
