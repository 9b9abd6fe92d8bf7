"""score: the mood of every song, by the final model, on executors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.catalog import NEURAL
from songmood.encoder.files import encoder_id
from songmood.encoder.kept import embeddings_key, fetch_embeddings
from songmood.engine.spark import ship
from songmood.engine.step import Notes, step
from songmood.models.files import describe, learned_from
from songmood.settings import EncoderSettings, ScoreSettings
from songmood.tables import MOODS


class Scored(NamedTuple):
    """The mood of each song."""

    moods: DataFrame
    notes: Notes = Notes()


@step("score", "the mood of every song")
def score_songs(
    spark: SparkSession,
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    mood_model: Path | None,
    settings: ScoreSettings,
    encoder_settings: EncoderSettings,
    keep: Callable[[str], str],
) -> Scored:
    """The table `moods`; empty, with a warning, if no model was trained.

    If the model reads lyrics with an encoder of its own, only texts whose embeddings by it are not kept from
    earlier runs are encoded.
    """
    if mood_model is None:
        empty = spark.createDataFrame([], MOODS.schema)
        return Scored(empty, Notes(("no model was trained, so songs get no mood",)))
    from songmood.models.scoring import ShippedModel, score_by_model

    description, notes = describe(mood_model), Notes()
    model = ShippedModel(
        ship(spark, mood_model),
        encoder_id(mood_model),  # of the whole folder, with the head
        description["moods"],
        description["widths"],
        learned_from(mood_model),
        encoder_settings,
    )
    if NEURAL[description["model"]].tuned:
        reads = encoder_settings.of_model(mood_model, description["encoder"])
        kept = keep(embeddings_key(model.model_id, reads))
        embeddings, notes = fetch_embeddings(lyrics, model.folder_name, reads, kept)
        model = model._replace(column="vector")
    moods = score_by_model(
        deduped, lyrics, embeddings, topics, audio_features, model, settings.min_probability
    )
    return Scored(moods, notes)
