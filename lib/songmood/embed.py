"""Read the lyrics with the plain encoder."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood import config as settings
from songmood.encoder import embedding_udf, is_text, spread


def embed_lyrics(lyrics: DataFrame, folder_name: str, model_id: str, config: settings.Encoder) -> DataFrame:
    """The table `embeddings`: a vector of length 1 for every song whose lyrics are not blank.

    The encoder's folder was shipped under `folder_name`. How lyrics are read, and how much of them, is said
    in songmood.encoder.Encoder.
    """
    read = embedding_udf(folder_name, config)
    texts = spread(lyrics.where(is_text(F.col("lyrics"))).select("song_id", "lyrics"))
    return texts.select(
        "song_id",
        read(F.col("lyrics")).alias("embedding"),
        F.sha2("lyrics", 256).alias("text_hash"),
        F.lit(model_id).alias("model_id"),
    )
