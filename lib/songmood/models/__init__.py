"""The mood models (paper 4), behind one interface.

A model takes songs as a pandas frame with the columns of `SONG_COLUMNS`; any of them may be null.
`mood`, where it is needed, holds indices into the model's moods, which are sorted by name.

baselines.py    what the others are to beat: majority, naive Bayes, logistic regression on TF-IDF
neural.py       the models over an encoder: simple and fine-tuned BERT, modified tBERT, the fusion
heads.py        the nets that stand over the parts of a song
parts.py        the parts of a song as numbers: topics, audio features
lexicon.py      how glad or sad its words are by a published list
linear.py       what a logistic regression says of its words, its reading and the lexicon
trainer.py      training a net
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES

SONG_COLUMNS = ("lyrics", "embedding", "topic_weights", *AUDIO_FEATURES)

# What the paper's table 1 says of its own songs: accuracy, precision, recall.
PAPER = {
    "simple_bert": (0.727, 0.771, 0.815),
    "fine_tuned_bert": (0.739, 0.776, 0.832),
    "modified_tbert": (0.764, 0.792, 0.856),
}


class Loss(NamedTuple):
    """A point of a training curve: the mean loss up to a step, on train or validation."""

    step: int
    loss: float
    split: str


class Model(Protocol):
    """What every model does; those that score songs also save, load and show their hidden layer."""

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Learn from `train`; `validation` says when to stop and how sure to be. Gives the training curve."""

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; (songs, moods)."""


def song_parts(
    songs: DataFrame, lyrics: DataFrame, embeddings: DataFrame, topics: DataFrame, audio_features: DataFrame
) -> DataFrame:
    """Songs with what models see of them: the columns of `songs` and `SONG_COLUMNS`, null where missing.

    Songs with neither lyrics nor audio features are left out. Lyrics without a letter or digit are none, and
    what was read from them is nothing.
    """
    texts = lyrics.where(F.col("lyrics").rlike(r"[\p{L}\p{N}]")).select("song_id", "lyrics")
    read = texts.join(embeddings.select("song_id", "embedding"), "song_id", "left").join(
        topics.select("song_id", "topic_weights"), "song_id", "left"
    )
    features = audio_features.select("song_id", *AUDIO_FEATURES)
    has_audio = F.coalesce(*(F.col(name).cast("double") for name in AUDIO_FEATURES)).isNotNull()
    return (
        songs.join(read, "song_id", "left")
        .join(features, "song_id", "left")
        .where(F.col("lyrics").isNotNull() | has_audio)
    )
