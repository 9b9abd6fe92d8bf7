"""The songs that models learn from and score, with all that models see of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES
from songmood.engine.errors import UserError
from songmood.engine.spark import Sample, sampled
from songmood.models.splits import PARTS, SPLITS, RareMoodError
from songmood.names.normalize import normalized_artist
from songmood.settings import TrainSettings

SONG_COLUMNS = ("lyrics", "embedding", "topic_weights", *AUDIO_FEATURES)


def song_parts(
    songs: DataFrame, lyrics: DataFrame, embeddings: DataFrame, topics: DataFrame, audio_features: DataFrame
) -> DataFrame:
    """Songs with what models see of them: the columns of `songs` and `SONG_COLUMNS`, null where missing.

    Songs with neither lyrics nor audio features are left out. Lyrics without any letter or digit count as
    missing, with their embedding and topics.
    """
    texts = lyrics.where(F.col("lyrics").rlike(r"[\p{L}\p{N}]")).select("song_id", "lyrics")
    with_texts = texts.join(embeddings.select("song_id", "embedding"), "song_id", "left").join(
        topics.select("song_id", "topic_weights"), "song_id", "left"
    )
    features = audio_features.select("song_id", *AUDIO_FEATURES)
    has_audio = F.coalesce(*(F.col(name).cast("double") for name in AUDIO_FEATURES)).isNotNull()
    return (
        songs.join(with_texts, "song_id", "left")
        .join(features, "song_id", "left")
        .where(F.col("lyrics").isNotNull() | has_audio)
    )


def training_songs(
    labelled: DataFrame,
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    settings: TrainSettings,
    seed: int,
) -> Sample:
    """The labelled songs that have lyrics or audio features, at most `train.max_songs` of them.

    Columns: song_id, mood, artist and `SONG_COLUMNS`. The artist is the normalized name; the name as written
    if nothing is left of it; the song's own id if it has no artist, so that it shares none with another
    song. Which songs are sampled depends on ids and seed alone.
    """
    written = F.trim("artist")
    artist = F.coalesce(*(F.when(name != "", name) for name in (normalized_artist(F.col("artist")), written)))
    songs = labelled.select("song_id", "mood").join(deduped.select("song_id", "artist"), "song_id")
    found = song_parts(songs, lyrics, embeddings, topics, audio_features)
    drawn = sampled(found, "song_id", settings.max_songs, seed)
    return drawn._replace(rows=drawn.rows.withColumn("artist", F.coalesce(artist, "song_id")))


def fetch_training_songs(songs: DataFrame) -> pd.DataFrame:
    """The songs of `training_songs` on the driver, in the order of their ids.

    A band takes the name of its leader if the leader is also an artist by that name alone: 'tom petty and the
    heartbreakers' becomes 'tom petty', so that splits keep the two together.
    """
    torch.set_num_threads(os.cpu_count() or 1)  # Spark gives its driver one thread, but is idle meanwhile
    frame = songs.toPandas().sort_values("song_id", ignore_index=True)
    leader = frame["artist"].str.split(" and ", n=1).str[0]
    return frame.assign(artist=leader.where(leader.isin(set(frame["artist"])), frame["artist"]))


def mood_names(moods: pd.Series[str]) -> list[str]:
    """The moods, sorted.

    Raises UserError if there is one mood only, and RareMoodError if a mood has too few songs to split.
    """
    counts = moods.value_counts().sort_index()
    advice = "loosen label.min_tags, label.top_k or label.epsilon, look at label.moods, or bring more tags"
    if len(counts) == 1:
        raise UserError(f"all {len(moods)} labelled songs are {counts.index[0]}, one mood only: {advice}")
    if counts.min() < PARTS:
        mood, songs = counts.idxmin(), "song is" if counts.min() == 1 else "songs are"
        needed = f"training needs {PARTS} of each mood"
        raise RareMoodError(str(mood), f"only {counts.min()} labelled {songs} {mood}, and {needed}: {advice}")
    return [str(mood) for mood in counts.index]


def balance(frame: pd.DataFrame, moods: Sequence[str]) -> dict[str, Any]:
    """The number of songs by split and mood, with lyrics and with audio features, and of artists."""
    splits = {split: frame.loc[frame["split"] == split, "mood"] for split in SPLITS}
    return {
        "songs": {
            split: {mood: int((codes == code).sum()) for code, mood in enumerate(moods)}
            for split, codes in splits.items()
        },
        "with_lyrics": int(frame["lyrics"].notna().sum()),
        "with_audio": int(frame[list(AUDIO_FEATURES)].notna().any(axis=1).sum()),
        "artists": int(frame["artist"].nunique()),
    }
