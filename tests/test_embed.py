from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from conftest import as_rows
from songmood.encoder.files import encoder_id
from songmood.settings import Settings
from songmood.steps.embed import embed_lyrics
from songmood.tables import EMBEDDINGS, LYRICS
from tiny_encoder import WIDTH, write_tiny_encoder


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny_encoder(tmp_path_factory.mktemp("tiny_embed"))
    spark.sparkContext.addFile(str(folder), recursive=True)
    return folder


def lyrics(spark: SparkSession, texts: dict[str, str | None]) -> DataFrame:
    rows = [(song_id, text, "files", None, None, None, None) for song_id, text in texts.items()]
    return spark.createDataFrame(rows, LYRICS.schema)


def test_a_row_for_each_song_with_words(spark: SparkSession, settings: Settings, folder: Path) -> None:
    texts = {"a": "sun dance", "b": None, "c": "", "d": " \n", "e": "rain tears", "f": "sun dance"}
    result = embed_lyrics(lyrics(spark, texts), folder.name, encoder_id(folder), settings.encoder)
    rows = {row["song_id"]: row for row in as_rows(result)}
    assert sorted(rows) == ["a", "e", "f"]
    assert result.columns == EMBEDDINGS.column_names
    assert len(rows["a"]["embedding"]) == WIDTH
    assert np.linalg.norm(rows["e"]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert rows["a"]["embedding"] == pytest.approx(rows["f"]["embedding"], abs=1e-6)
    assert rows["a"]["text_hash"] == hashlib.sha256(b"sun dance").hexdigest()
    assert {row["model_id"] for row in rows.values()} == {encoder_id(folder)}


def test_order_and_partitions_change_nothing(spark: SparkSession, settings: Settings, folder: Path) -> None:
    texts = {f"s{i}": "sun " * (i % 5 + 1) + "rain" for i in range(20)}
    plain = as_rows(embed_lyrics(lyrics(spark, texts), folder.name, "m", settings.encoder))
    shuffled = lyrics(spark, dict(reversed(texts.items()))).repartition(5)
    again = as_rows(embed_lyrics(shuffled, folder.name, "m", settings.encoder))
    by_id = {row["song_id"]: row["embedding"] for row in again}
    assert len(plain) == len(by_id) == 20
    for row in plain:
        assert row["embedding"] == pytest.approx(by_id[row["song_id"]], abs=1e-6)


def test_no_lyrics(spark: SparkSession, settings: Settings, folder: Path) -> None:
    result = embed_lyrics(lyrics(spark, {}), folder.name, "m", settings.encoder)
    assert result.collect() == []
    assert [field.dataType for field in result.schema] == [c.type for c in EMBEDDINGS.columns]
