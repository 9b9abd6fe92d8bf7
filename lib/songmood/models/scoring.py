"""The mood of every song, by the final model, on executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd
from pyspark import SparkFiles
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.encoder.encoder import one_thread_in_workers
from songmood.encoder.udf import spread
from songmood.models.evaluate import HAPPY
from songmood.models.neural import NeuralModel
from songmood.models.songs import song_parts

_PREDICTED = "song_id string, text_hash string, probabilities array<float>, hidden array<float>"


def score_by_model(
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    folder_name: str,
    moods: Sequence[str],
    model_id: str,
    batch_tokens: int,
    column: str = "embedding",
) -> DataFrame:
    """The table `moods`: a row for every song with lyrics or audio features.

    The model's folder was shipped to executors under `folder_name`; `moods` are its moods, in its order. The
    model takes `embeddings` from a column of the name `column`: see NeuralModel.
    p_happy is null if happy is not one of them, text_hash if the song has no lyrics. The seventh digit of a
    song's probabilities may depend on the songs in its batch.
    """
    songs = song_parts(deduped.select("song_id"), lyrics, embeddings, topics, audio_features)
    hashed = songs.withColumnRenamed("embedding", column).withColumn("text_hash", F.sha2("lyrics", 256))
    # mapInPandas returns both arrays from one pass of the model; a UDF would run once for each of them
    predicted = spread(hashed).mapInPandas(_predictor(folder_name, batch_tokens), _PREDICTED)
    names = F.array(*(F.lit(mood) for mood in moods))
    best = F.expr("int(array_position(probabilities, array_max(probabilities)))")
    p_happy = F.col("probabilities")[list(moods).index(HAPPY)] if HAPPY in moods else F.lit(None)
    return predicted.select(
        "song_id",
        F.element_at(names, best).alias("mood"),
        F.map_from_arrays(names, F.col("probabilities")).alias("probabilities"),
        p_happy.cast("float").alias("p_happy"),
        "hidden",
        "text_hash",
        F.lit(model_id).alias("model_id"),
    )


def _predictor(
    folder_name: str, batch_tokens: int
) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def predict(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        one_thread_in_workers()
        for songs in batches:
            model = _load(SparkFiles.get(folder_name), batch_tokens)
            probabilities, hidden = model.predict(songs)
            columns = {"probabilities": list(probabilities), "hidden": list(hidden)}
            yield songs[["song_id", "text_hash"]].assign(**columns)

    return predict


@lru_cache(maxsize=2)  # worker processes are reused, but each task calls mapInPandas anew
def _load(folder: str, batch_tokens: int) -> NeuralModel:
    return NeuralModel.load(Path(folder), batch_tokens)
