from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from conftest import as_rows
from songmood.audio import AUDIO_FEATURES
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import encoder_id
from songmood.models.neural import KINDS, NeuralModel
from songmood.steps.score import score_songs
from songmood.tables import AUDIO, DEDUPED, EMBEDDINGS, LYRICS, MOODS, TOPICS
from tiny_encoder import WIDTH, write_tiny_encoder

MOOD_NAMES = ["happy", "sad"]
GLAD, GLOOMY = np.eye(WIDTH)[:2].tolist()


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fusion that has learned that sun and valence are happy."""
    root = Path(__file__).resolve().parent.parent
    settings = settings.load_settings(
        root / "conf" / "base.yaml",
        [],
        ["train.head_epochs=20", "train.head_learning_rate=0.01"],
    )
    encoder = Encoder(write_tiny_encoder(tmp_path_factory.mktemp("tiny_score")), settings.encoder)
    n = 40
    songs = pd.DataFrame({"mood": [0, 1] * n, "lyrics": ["sun dance smile", "rain tears cold"] * n})
    songs["embedding"] = [GLAD, GLOOMY] * n
    songs["topic_weights"] = [[0.9, 0.1], [0.1, 0.9]] * n
    songs = songs.assign(**{name: np.linspace(0, 1, 2 * n) for name in AUDIO_FEATURES})
    songs["valence"] = [0.8, 0.2] * n
    model = NeuralModel(KINDS["fusion"], MOOD_NAMES, encoder, settings.train, 1)
    model.fit(songs, songs)
    folder = tmp_path_factory.mktemp("mood_score")
    model.save(folder)
    spark.sparkContext.addFile(str(folder), recursive=True)
    return folder


LYRICS_OF = {"both": "sun dance smile", "text": "rain tears cold", "blank": " ", "null": None}
EMBEDDING_OF = {"both": GLAD, "text": GLOOMY}
VALENCE_OF = {"both": 0.8, "audio": 0.2, "blank": 0.8, "nan": float("nan")}
TOPICS_OF = {"both": [0.9, 0.1]}
SONGS = ["both", "text", "audio", "blank", "null", "nan", "nothing"]


def score(spark: SparkSession, folder: Path, songs: list[str], partitions: int = 1) -> DataFrame:
    def table(rows: list[tuple[object, ...]], schema: object) -> DataFrame:
        return spark.createDataFrame(rows, schema).repartition(partitions)  # type: ignore[call-overload]

    deduped = [(s, *[None] * (len(DEDUPED.columns) - 2), 1) for s in songs]
    lyrics = [(s, LYRICS_OF[s], "files", None, None, None, None) for s in songs if s in LYRICS_OF]
    audio = [
        (s, *(VALENCE_OF[s] if name == "valence" else None for name in AUDIO_FEATURES), "files")
        for s in songs
        if s in VALENCE_OF
    ]
    embedded = [(s, EMBEDDING_OF[s], "", "tiny") for s in songs if s in EMBEDDING_OF]
    return score_songs(
        table(deduped, DEDUPED.schema),
        table(lyrics, LYRICS.schema),
        table(embedded, EMBEDDINGS.schema),
        table([(s, TOPICS_OF[s]) for s in songs if s in TOPICS_OF], TOPICS.schema),
        table(audio, AUDIO.schema),
        folder.name,
        MOOD_NAMES,
        encoder_id(folder),
        batch_size=2,
    )


def test_a_row_for_every_song_with_lyrics_or_audio(spark: SparkSession, folder: Path) -> None:
    frame = score(spark, folder, SONGS)
    rows = {row["song_id"]: row for row in as_rows(frame.to(MOODS.schema))}
    assert frame.columns == MOODS.column_names
    assert sorted(rows) == ["audio", "blank", "both", "nan", "text"]
    moods = {song: row["mood"] for song, row in rows.items()}
    assert moods.pop("nan") in MOOD_NAMES  # nothing known of it: no matter which, but one
    assert moods == {"both": "happy", "text": "sad", "audio": "sad", "blank": "happy"}
    for row in rows.values():
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["p_happy"] == row["probabilities"]["happy"]
        assert row["mood"] == max(row["probabilities"], key=row["probabilities"].get)
        assert row["model_id"] == encoder_id(folder)
        assert np.isfinite(row["hidden"]).all()
    assert rows["text"]["text_hash"] == hashlib.sha256(b"rain tears cold").hexdigest()
    assert rows["audio"]["text_hash"] is None


def test_it_is_the_model_itself(spark: SparkSession, folder: Path) -> None:
    (row,) = score(spark, folder, ["both"]).collect()
    song = pd.DataFrame({"lyrics": ["sun dance smile"], "embedding": [GLAD], "topic_weights": [[0.9, 0.1]]})
    song = song.assign(**{**dict.fromkeys(AUDIO_FEATURES), "valence": 0.8})
    expected = NeuralModel.load(folder, 2).predict(song)
    assert row.hidden == pytest.approx(expected.hidden[0].tolist(), abs=1e-5)
    assert row.p_happy == pytest.approx(expected.probabilities[0, 0], abs=1e-5)


def test_order_and_partitions_change_nothing(spark: SparkSession, folder: Path) -> None:
    plain = as_rows(score(spark, folder, SONGS))
    again = as_rows(score(spark, folder, SONGS[::-1], partitions=3))
    assert [row["song_id"] for row in plain] == [row["song_id"] for row in again]
    for one, other in zip(plain, again, strict=True):
        assert one["p_happy"] == pytest.approx(other["p_happy"], abs=1e-6)
        assert one["hidden"] == pytest.approx(other["hidden"], abs=1e-5)


def test_moods_without_happy_have_no_p_happy(spark: SparkSession, folder: Path) -> None:
    empty = [spark.createDataFrame([], table.schema) for table in (LYRICS, EMBEDDINGS, TOPICS)]
    deduped = spark.createDataFrame([("a", *[None] * (len(DEDUPED.columns) - 2), 1)], DEDUPED.schema)
    audio = spark.createDataFrame([("a", *[None] * 11, 0.9, "files")], AUDIO.schema)
    (row,) = score_songs(deduped, *empty, audio, folder.name, ["calm", "tense"], "m", 2).collect()
    assert row.p_happy is None
    assert row.mood == "calm"
    assert set(row.probabilities) == {"calm", "tense"}


def test_no_songs(spark: SparkSession, folder: Path) -> None:
    frame = score(spark, folder, [])
    assert frame.collect() == []
    assert frame.columns == MOODS.column_names
