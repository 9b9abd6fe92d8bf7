"""The mood of every song, by the final model, on executors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pyspark import SparkFiles
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES
from songmood.encoder.encoder import one_thread_in_workers
from songmood.encoder.udf import spread
from songmood.models.evaluate import HAPPY
from songmood.models.neural import NeuralModel
from songmood.models.songs import song_parts
from songmood.settings import EncoderSettings


class ShippedModel(NamedTuple):
    """A mood model whose folder was shipped to executors under `folder_name`.

    `moods` are in the model's order. It takes the songs' embeddings from a column of the name `column` (see
    NeuralModel). `learned` are the songs whose labels it has learned from.
    """

    folder_name: str
    model_id: str
    moods: Sequence[str]
    parts: Collection[str]
    learned: Sequence[str]
    encoder_settings: EncoderSettings
    column: str = "embedding"


_PREDICTED = "song_id string, text_hash string, basis string, probabilities array<float>, hidden array<float>"
LOW_PROBABILITY, NO_BASIS = "low_probability", "no_basis"  # why a song has no mood


def score_by_model(
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    model: ShippedModel,
    min_probability: float,
) -> DataFrame:
    """The table `moods`: a row for every song with lyrics or audio features.

    p_happy is null if happy is not one of the model's moods, text_hash if the song has no lyrics. The seventh
    digit of a song's probabilities may depend on the songs in its batch.
    """
    songs = song_parts(deduped.select("song_id"), lyrics, embeddings, topics, audio_features)
    songs = songs.withColumnRenamed("embedding", model.column).withColumns(
        {"text_hash": F.sha2("lyrics", 256), "basis": _basis(model.parts)}
    )
    # mapInPandas returns both arrays from one pass of the model; a UDF would run once for each of them
    predict = _predictor(model.folder_name, model.encoder_settings)
    predicted = spread(songs).mapInPandas(predict, _PREDICTED)
    names = F.array(*(F.lit(mood) for mood in model.moods))
    highest = F.array_max("probabilities")
    best = F.expr("int(array_position(probabilities, array_max(probabilities)))")
    is_happy = list(model.moods).index(HAPPY) if HAPPY in model.moods else None
    p_happy = F.lit(None) if is_happy is None else F.col("probabilities")[is_happy]
    no_mood = F.when(F.col("basis").isNull(), NO_BASIS).when(highest < min_probability, LOW_PROBABILITY)
    learned = deduped.sparkSession.createDataFrame([(song,) for song in model.learned], "learned_id string")
    return predicted.join(learned, F.col("song_id") == F.col("learned_id"), "left").select(
        "song_id",
        F.when(no_mood.isNull(), F.element_at(names, best)).alias("mood"),
        F.map_from_arrays(names, F.col("probabilities")).alias("probabilities"),
        no_mood.alias("no_mood"),
        "basis",
        F.col("learned_id").isNotNull().alias("learned"),
        p_happy.cast("float").alias("p_happy"),
        "hidden",
        "text_hash",
        F.lit(model.model_id).alias("model_id"),
    )


def _basis(parts: Collection[str]) -> Column:
    """Which of a song's lyrics and audio features a model reads that has these parts."""
    none = F.lit(False)
    has_lyrics = F.col("lyrics").isNotNull() if set(parts) - {"audio"} else none
    # NaN counts as missing, and is not less than infinity
    is_number = (
        F.coalesce(F.abs(F.col(name).cast("double")) < float("inf"), none) for name in AUDIO_FEATURES
    )
    has_audio = F.greatest(*is_number) if "audio" in parts else none
    return F.when(has_lyrics & has_audio, "both").when(has_lyrics, "lyrics").when(has_audio, "audio")


def _predictor(
    folder_name: str, settings: EncoderSettings
) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def predict(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        one_thread_in_workers()
        for songs in batches:
            model = _load(SparkFiles.get(folder_name), settings)
            probabilities, hidden = model.predict(songs)
            columns = {"probabilities": list(probabilities), "hidden": list(hidden)}
            yield songs[["song_id", "text_hash", "basis"]].assign(**columns)

    return predict


@lru_cache(maxsize=2)  # worker processes are reused, but each task calls mapInPandas anew
def _load(folder: str, settings: EncoderSettings) -> NeuralModel:
    return NeuralModel.load(Path(folder), settings)
