"""embed: an embedding of each lyric, by the plain encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.encoder.files import encoder_id
from songmood.encoder.udf import embedding_udf, is_text, spread
from songmood.engine.spark import ship
from songmood.engine.step import Notes, step
from songmood.settings import EncoderSettings


class Embedded(NamedTuple):
    """The embedding of each lyric."""

    embeddings: DataFrame
    notes: Notes = Notes()


@step("embed", "embeddings of lyrics by the plain encoder")
def embed_songs(
    spark: SparkSession, lyrics: DataFrame, encoder: Path, settings: EncoderSettings, rows: Mapping[str, int]
) -> Embedded:
    """The table `embeddings`."""
    warnings: tuple[str, ...] = ()
    if not rows["lyrics"]:
        warnings = ("no lyrics, so no embeddings: the corpus folder lyrics/ supplies lyrics",)
    return Embedded(
        embed_lyrics(lyrics, ship(spark, encoder), encoder_id(encoder), settings), Notes(warnings)
    )


def embed_lyrics(lyrics: DataFrame, folder_name: str, model_id: str, settings: EncoderSettings) -> DataFrame:
    """The table `embeddings`: a vector of length 1 for every song whose lyrics are not blank.

    The encoder's folder was shipped to executors under `folder_name`. songmood.encoder.encoder.Encoder
    says how a text is encoded, and how much of it.
    """
    embed = embedding_udf(folder_name, settings)
    texts = spread(lyrics.where(is_text(F.col("lyrics"))).select("song_id", "lyrics"))
    return texts.select(
        "song_id",
        embed(F.col("lyrics")).alias("embedding"),
        F.sha2("lyrics", 256).alias("text_hash"),
        F.lit(model_id).alias("model_id"),
    )
