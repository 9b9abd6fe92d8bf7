"""Tiny songs whose words and valence go with their mood, for tests of the mood models."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame

from songmood.audio import AUDIO_FEATURES
from songmood.encoder.encoder import Encoder
from songmood.models.comparison import ModelSettings
from songmood.models.songs import training_songs
from songmood.settings import EncoderSettings, Settings
from songmood.tables import AUDIO, DEDUPED, EMBEDDINGS, LABELLED, LYRICS, TOPICS
from tiny_encoder import HAPPY, NEUTRAL, SAD

QUICK = (
    "train.epochs=2",
    "train.head_epochs=20",
    "train.head_learning_rate=0.01",
    "train.hidden_size=8",
    "train.trained_layers=1",
    "train.bootstrap_samples=50",
    "train.encoder_learning_rate=0.001",
    "encoder.max_tokens=32",
    "encoder.window_overlap=8",
)
BY_LINE = EncoderSettings(
    model="",
    read_by="line",
    max_line_words=12,
    pooling="mean",
    max_tokens=32,
    window_overlap=8,
    max_windows=2,
    engine="torch",
    min_agreement=0.999,
    batch_tokens=64,
)
MOODS = ["happy", "sad"]
NO_AUDIO: dict[str, Any] = dict.fromkeys(AUDIO_FEATURES)
Tables = dict[str, DataFrame]


def song_tables(
    table: Callable[..., DataFrame],
    encoder_folder: Path,
    moods: dict[str, int],
    lyrics: bool = True,
    audio: bool = True,
) -> Tables:
    """The tables that `train` reads: songs of each mood, in order, whose words and valence go with the mood.

    Of ten songs, the fourth has no lyrics and the fifth no audio features.
    """
    chance = random.Random(1)
    words = dict(zip(moods, (HAPPY, SAD, NEUTRAL), strict=False))
    names = [mood for mood, count in moods.items() for _ in range(count)]
    songs = {f"s{i:03d}": mood for i, mood in enumerate(names)}
    texts, features = {}, {}
    for i, (song, mood) in enumerate(songs.items()):
        if lyrics and i % 10 != 3:
            texts[song] = " ".join(
                chance.choices(words[mood], k=3) + chance.choices(NEUTRAL, k=chance.randint(3, 9))
            )
        if audio and i % 10 != 4:
            features[song] = {name: chance.random() for name in AUDIO_FEATURES} | {"key": i % 12, "mode": 1}
            features[song] |= {
                "time_signature": 4,
                "valence": 0.6 if mood == names[0] else 0.4,
                "tempo": None,
            }
    vectors = dict(zip(texts, Encoder(encoder_folder, BY_LINE).embed(list(texts.values())), strict=True))
    weights = {song: [0.7, 0.3] if songs[song] == names[0] else [0.4, 0.6] for song in texts}
    return {
        "labelled": table(
            LABELLED, *({"song_id": s, "mood": m, "tag": m} for s, m in songs.items()), margin=0.5
        ),
        "deduped": table(
            DEDUPED, *({"song_id": s, "artist": f"Artist {i // 2}"} for i, s in enumerate(songs))
        ),
        "lyrics": table(LYRICS, *({"song_id": s, "lyrics": text} for s, text in texts.items())),
        "embeddings": table(
            EMBEDDINGS, *({"song_id": s, "embedding": v.tolist()} for s, v in vectors.items())
        ),
        "topics": table(TOPICS, *({"song_id": s, "topic_weights": w} for s, w in weights.items())),
        "audio_features": table(AUDIO, *({"song_id": s, **values} for s, values in features.items())),
    }


def take(tables: Tables, settings: Settings) -> DataFrame:
    """The training songs of the tables."""
    return training_songs(**tables, settings=settings.train, seed=settings.seed).rows


def model_settings(settings: Settings) -> ModelSettings:
    """The settings that models are trained with."""
    return ModelSettings(settings.train, settings.encoder, settings.seed)


def two_moods(times: int) -> pd.DataFrame:
    """Happy and sad songs in turn, with lyrics and nothing else."""
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears"] * times, "mood": [0, 1] * times})
    return songs.assign(topic_weights=None, **NO_AUDIO)
