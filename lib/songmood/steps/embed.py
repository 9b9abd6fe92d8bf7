"""embed: an embedding of each lyric, by the plain encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.encoder.files import encoder_id
from songmood.encoder.kept import embeddings_key, fetch_embeddings
from songmood.engine.spark import ship
from songmood.engine.step import Notes, step
from songmood.settings import EncoderSettings
from songmood.tables import EMBEDDINGS


class Embedded(NamedTuple):
    """The embedding of each lyric."""

    embeddings: DataFrame
    notes: Notes = Notes()


@step("embed", "embeddings of lyrics by the plain encoder")
def embed_songs(
    spark: SparkSession,
    lyrics: DataFrame,
    encoder: Path,
    settings: EncoderSettings,
    rows: Mapping[str, int],
    keep: Callable[[str], str],
) -> Embedded:
    """The table `embeddings`; only texts whose embeddings are not kept from earlier runs are encoded."""
    if not rows["lyrics"]:
        warnings = ("no lyrics, so no embeddings: the corpus folder lyrics/ supplies lyrics",)
        return Embedded(spark.createDataFrame([], EMBEDDINGS.schema), Notes(warnings))
    model_id = encoder_id(encoder)
    kept = keep(embeddings_key(model_id, settings))
    embeddings, notes = fetch_embeddings(lyrics, ship(spark, encoder), settings, kept)
    return Embedded(
        embeddings.withColumn("model_id", F.concat(F.lit(model_id), "model_suffix")).drop("model_suffix"),
        notes,
    )
