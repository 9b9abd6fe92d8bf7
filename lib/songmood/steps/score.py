"""score: the mood of every song, by the final model, on executors."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from songmood.encoder.files import encoder_id
from songmood.engine.spark import ship
from songmood.engine.step import Notes, step
from songmood.settings import EncoderSettings
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
    settings: EncoderSettings,
) -> Scored:
    """The table `moods`; empty, with a warning, if no model was trained."""
    if mood_model is None:
        empty = spark.createDataFrame([], MOODS.schema)
        return Scored(empty, Notes(("no model was trained, so songs get no mood",)))
    from songmood.models.files import describe
    from songmood.models.scoring import score_by_model

    return Scored(
        score_by_model(
            deduped,
            lyrics,
            embeddings,
            topics,
            audio_features,
            ship(spark, mood_model),
            describe(mood_model)["moods"],
            encoder_id(mood_model),  # the id of the whole folder, with the head
            settings.batch_size,
        )
    )
