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
from songmood.models.files import describe
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
    keep: Callable[[str], str],
) -> Scored:
    """The table `moods`; empty, with a warning, if no model was trained.

    If the model reads lyrics with an encoder of its own, only texts whose embeddings by it are not kept from
    earlier runs are encoded.
    """
    if mood_model is None:
        empty = spark.createDataFrame([], MOODS.schema)
        return Scored(empty, Notes(("no model was trained, so songs get no mood",)))
    from songmood.models.scoring import score_by_model

    description = describe(mood_model)
    folder_name, model_id = ship(spark, mood_model), encoder_id(mood_model)  # of the folder, with the head
    notes, column = Notes(), "embedding"
    if NEURAL[description["model"]].tuned:
        own = {"model": str(mood_model), "batch_tokens": settings.batch_tokens}
        reads = EncoderSettings.model_validate({**description["encoder"], **own})
        kept = keep(embeddings_key(model_id, reads))
        embeddings, notes = fetch_embeddings(lyrics, folder_name, reads, kept)
        column = "vector"
    scored = score_by_model(
        deduped,
        lyrics,
        embeddings,
        topics,
        audio_features,
        folder_name,
        description["moods"],
        model_id,
        settings.batch_tokens,
        column,
    )
    return Scored(scored, notes)
