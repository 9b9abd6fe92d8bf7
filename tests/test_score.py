"""score: the final model's prediction for every song, on executors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from conftest import ROOT, as_rows
from mood_songs import BY_LINE, NO_AUDIO
from songmood.audio import AUDIO_FEATURES
from songmood.catalog import NEURAL
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import encoder_id
from songmood.engine.spark import ship
from songmood.models.files import describe, learned_from
from songmood.models.neural import NeuralModel
from songmood.models.scoring import ShippedModel, score_by_model
from songmood.settings import Settings, load_settings
from songmood.steps.score import score_songs
from songmood.tables import AUDIO, DEDUPED, EMBEDDINGS, LYRICS, MOODS, TOPICS
from tiny_encoder import WIDTH, write_tiny_encoder

MOOD_NAMES = ["happy", "sad"]
HAPPY_VECTOR, SAD_VECTOR = np.eye(WIDTH)[:2].tolist()
Score = Callable[..., DataFrame]

LYRICS_OF = {"both": "sun dance smile", "text": "rain tears cold", "blank": " ", "null": None}
EMBEDDING_OF = {"both": HAPPY_VECTOR, "text": SAD_VECTOR}
VALENCE_OF = {"both": 0.8, "audio": 0.2, "blank": 0.8, "nan": float("nan")}
TOPICS_OF = {"both": [0.9, 0.1]}
SONGS = ["both", "text", "audio", "blank", "null", "nan", "nothing"]


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fusion that has learned that sun and valence are happy."""
    quick = ["train.head_epochs=20", "train.head_learning_rate=0.01"]
    settings = load_settings(ROOT / "conf" / "base.yaml", [], quick)
    encoder = Encoder(write_tiny_encoder(tmp_path_factory.mktemp("tiny_score")), settings.encoder)
    n = 40
    songs = pd.DataFrame(
        {
            "song_id": ["both", "text"] * n,
            "mood": [0, 1] * n,
            "lyrics": ["sun dance smile", "rain tears cold"] * n,
        }
    )
    songs["embedding"] = [HAPPY_VECTOR, SAD_VECTOR] * n
    songs["topic_weights"] = [[0.9, 0.1], [0.1, 0.9]] * n
    songs = songs.assign(**{name: np.linspace(0, 1, 2 * n) for name in AUDIO_FEATURES})
    songs["valence"] = [0.8, 0.2] * n
    model = NeuralModel(NEURAL["fusion"], MOOD_NAMES, encoder, settings.train, 1)
    model.fit(songs, songs)
    folder = tmp_path_factory.mktemp("mood_score")
    model.save(folder)
    ship(spark, folder)
    return folder


def song_tables(
    table: Callable[..., DataFrame], songs: list[str], partitions: int = 1
) -> dict[str, DataFrame]:
    def rows(column: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"song_id": song, column: values[song]} for song in songs if song in values]

    tables = {
        "deduped": table(DEDUPED, *({"song_id": song} for song in songs)),
        "lyrics": table(LYRICS, *rows("lyrics", LYRICS_OF)),
        "embeddings": table(EMBEDDINGS, *rows("embedding", EMBEDDING_OF)),
        "topics": table(TOPICS, *rows("topic_weights", TOPICS_OF)),
        "audio_features": table(AUDIO, *rows("valence", VALENCE_OF)),
    }
    return {name: frame.repartition(partitions) for name, frame in tables.items()}


@pytest.fixture(scope="module")
def score(table: Callable[..., DataFrame], folder: Path) -> Score:
    def run(songs: list[str], partitions: int = 1, min_probability: float = 0, **model: Any) -> DataFrame:
        tables = song_tables(table, songs, partitions)
        shipped = ShippedModel(
            folder_name=folder.name,
            model_id=encoder_id(folder),
            moods=MOOD_NAMES,
            parts=describe(folder)["widths"],
            learned=learned_from(folder),
            encoder_settings=BY_LINE,
        )
        return score_by_model(**tables, model=shipped._replace(**model), min_probability=min_probability)

    return run


def test_a_row_for_every_song_with_lyrics_or_audio(score: Score, folder: Path) -> None:
    frame = score(SONGS)
    rows = {row["song_id"]: row for row in as_rows(frame.to(MOODS.schema))}
    assert frame.columns == MOODS.column_names
    assert sorted(rows) == ["audio", "blank", "both", "nan", "text"]
    moods = {song: row["mood"] for song, row in rows.items()}
    assert moods == {"both": "happy", "text": "sad", "audio": "sad", "blank": "happy", "nan": None}
    assert {song: row["no_mood"] for song, row in rows.items() if row["no_mood"]} == {"nan": "no_basis"}
    basis = {"both": "both", "text": "lyrics", "audio": "audio", "blank": "audio", "nan": None}
    assert {song: row["basis"] for song, row in rows.items()} == basis
    assert {song for song, row in rows.items() if row["learned"]} == {"both", "text"}
    for row in rows.values():
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["p_happy"] == row["probabilities"]["happy"]
        assert row["mood"] in (max(row["probabilities"], key=row["probabilities"].get), None)
        assert row["model_id"] == encoder_id(folder)
        assert np.isfinite(row["hidden"]).all()
    assert rows["text"]["text_hash"] == hashlib.sha256(b"rain tears cold").hexdigest()
    assert rows["audio"]["text_hash"] is None


def test_a_song_below_the_least_probability_gets_no_mood_and_a_reason(score: Score) -> None:
    rows = {row["song_id"]: row for row in as_rows(score(SONGS))}
    highest = {song: max(row["probabilities"].values()) for song, row in rows.items() if row["mood"]}
    least = sorted(highest.values())[1] + 1e-4
    some = {row["song_id"]: row for row in as_rows(score(SONGS, min_probability=least))}
    assert some.keys() == rows.keys()
    for song, probability in highest.items():
        expected = (rows[song]["mood"], None) if probability >= least else (None, "low_probability")
        assert (some[song]["mood"], some[song]["no_mood"]) == expected
        assert some[song]["p_happy"] == pytest.approx(rows[song]["p_happy"], abs=1e-6)


def test_a_mood_rests_on_what_the_model_reads(score: Score) -> None:
    rows = {row["song_id"]: row for row in as_rows(score(SONGS, parts=["lyrics", "topics"]))}
    basis = {"both": "lyrics", "text": "lyrics", "audio": None, "blank": None, "nan": None}
    assert {song: row["basis"] for song, row in rows.items()} == basis
    assert rows["audio"]["no_mood"] == "no_basis"


def test_scores_equal_those_of_the_model(score: Score, folder: Path) -> None:
    (row,) = score(["both"]).collect()
    song = pd.DataFrame(
        {"lyrics": ["sun dance smile"], "embedding": [HAPPY_VECTOR], "topic_weights": [[0.9, 0.1]]}
    )
    song = song.assign(**{**NO_AUDIO, "valence": 0.8})
    expected = NeuralModel.load(folder, BY_LINE).predict(song)
    assert row.hidden == pytest.approx(expected.hidden[0].tolist(), abs=1e-5)
    assert row.p_happy == pytest.approx(expected.probabilities[0, 0], abs=1e-5)


def test_order_and_partitions_change_nothing(score: Score) -> None:
    first = as_rows(score(SONGS))
    second = as_rows(score(SONGS[::-1], partitions=3))
    assert [row["song_id"] for row in first] == [row["song_id"] for row in second]
    for left, right in zip(first, second, strict=True):
        assert left["p_happy"] == pytest.approx(right["p_happy"], abs=1e-6)
        assert left["hidden"] == pytest.approx(right["hidden"], abs=1e-5)


def test_moods_without_happy_have_no_p_happy(score: Score) -> None:
    (row,) = score(["audio"], moods=["calm", "tense"]).collect()
    assert row.p_happy is None
    assert row.mood == "tense"
    assert set(row.probabilities) == {"calm", "tense"}


def test_no_songs(score: Score) -> None:
    frame = score([])
    assert frame.collect() == []
    assert frame.columns == MOODS.column_names


def test_the_step_scores_by_the_model_of_the_folder(
    spark: SparkSession,
    table: Callable[..., DataFrame],
    score: Score,
    folder: Path,
    settings: Settings,
) -> None:
    tables = song_tables(table, SONGS)
    scored = score_songs(
        spark,
        **tables,
        mood_model=folder,
        settings=settings.score,
        encoder_settings=settings.encoder,
        keep=str,
    )
    expected = {row["song_id"]: row["mood"] for row in as_rows(score(SONGS))}
    assert {row["song_id"]: row["mood"] for row in as_rows(scored.moods)} == expected
    assert scored.notes.warnings == ()


def test_without_a_model_the_table_is_empty_and_a_warning_says_so(
    spark: SparkSession, table: Callable[..., DataFrame], settings: Settings
) -> None:
    tables = song_tables(table, SONGS)
    scored = score_songs(
        spark, **tables, mood_model=None, settings=settings.score, encoder_settings=settings.encoder, keep=str
    )
    assert scored.moods.collect() == []
    assert scored.moods.columns == MOODS.column_names
    assert scored.notes.warnings == ("no model was trained, so songs get no mood",)


def test_a_model_with_a_tuned_encoder_encodes_each_text_once(
    spark: SparkSession,
    table: Callable[..., DataFrame],
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    encoder = Encoder(write_tiny_encoder(tmp_path_factory.mktemp("tiny_tuned")), settings.encoder)
    songs = pd.DataFrame({"mood": [0, 1] * 8, "lyrics": ["sun dance", "rain tears"] * 8}).assign(**NO_AUDIO)
    model = NeuralModel(NEURAL["modified_tbert_lyrics_only"], MOOD_NAMES, encoder, settings.train, 1)
    model.fit(songs, songs)
    folder, kept = tmp_path_factory.mktemp("tuned_score"), tmp_path_factory.mktemp("kept")
    model.save(folder)
    names: list[str] = []

    def keep(name: str) -> str:
        names.append(name)
        return f"file://{kept}/{name}"

    tables = song_tables(table, SONGS)
    parts = {"mood_model": folder, "settings": settings.score, "encoder_settings": settings.encoder}
    first, again = (score_songs(spark, **tables, **parts, keep=keep) for _ in range(2))
    assert [scored.notes.figures["encoded_texts"] for scored in (first, again)] == [2, 0]
    assert len(set(names)) == 1
    rows = {row["song_id"]: row for row in as_rows(again.moods)}
    assert {song: row["basis"] for song, row in rows.items() if row["basis"]} == dict.fromkeys(
        ("both", "text"), "lyrics"
    )
    expected = NeuralModel.load(folder, BY_LINE).predict(songs.assign(lyrics=LYRICS_OF["both"])[:1])
    assert rows["both"]["p_happy"] == pytest.approx(expected.probabilities[0, 0], abs=1e-5)
