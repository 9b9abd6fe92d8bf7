"""The encoder on executors. Importing this module is quick: only workers import torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark import SparkFiles
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from songmood.settings import EncoderSettings

# Rows given to the model function at once. It sorts them by length before it makes batches of them.
_ROWS = 1024


def embedding_udf(folder_name: str, settings: EncoderSettings) -> Callable[[Column], Column]:
    """A function of a text column: the text's embedding as array<float>, of length 1.

    The folder was shipped under `folder_name`. Each worker process loads it once, tries it, and raises
    UserError if it is not an encoder that works. A null or blank text has no embedding: null. The
    seventh digit of an embedding may depend on the texts that share its batch.
    """

    from pyspark.ml.functions import predict_batch_udf  # takes most of a second, and few commands embed

    def load() -> Callable[[Any], Any]:
        from songmood.encoder.encoder import load_encoder, one_thread_in_workers

        one_thread_in_workers()
        encoder = load_encoder(Path(SparkFiles.get(folder_name)), settings)

        return lambda texts: encoder.embed([str(text) for text in texts])

    udf = predict_batch_udf(load, return_type=T.ArrayType(T.FloatType()), batch_size=_ROWS)
    # a Python UDF sees every row, whatever F.when says, and predict_batch_udf takes no nulls
    return lambda text: F.when(is_text(text), udf(F.coalesce(text, F.lit(""))))


def spread(frame: DataFrame, key: str = "song_id", least_parts: int = 1) -> DataFrame:
    """The rows spread over all cores by their key, before a model sees them.

    Spark would put a small table into one partition, for one core alone. Four parts for each core, and at
    least `least_parts`, even out long and short lyrics, and keep the loss of an executor small. In a part,
    rows are in the order of the key: the last digits of an embedding depend on the texts that share its
    batch, rows come from other executors in any order, and UMAP would make another map of the same songs.
    """
    parts = max(4 * frame.sparkSession.sparkContext.defaultParallelism, least_parts)
    # by a hash of its own: rows that a join has just shuffled by the key would stay where they are, and
    # adaptive execution then puts them into one partition
    return frame.repartition(parts, F.xxhash64(key)).sortWithinPartitions(key)


def is_text(text: Column) -> Column:
    """True where a text has a character that is not white space."""
    return F.coalesce(text.rlike(r"\S"), F.lit(False))
