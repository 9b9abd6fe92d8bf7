from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import as_rows
from songmood.encoder.files import encoder_id
from songmood.encoder.udf import spread
from songmood.engine.errors import explain
from songmood.engine.spark import ship
from songmood.settings import Settings
from songmood.steps.embed import embed_lyrics
from songmood.tables import EMBEDDINGS, LYRICS
from tiny_encoder import WIDTH, write_tiny_encoder

MakeLyrics = Callable[[dict[str, str | None]], DataFrame]


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny_encoder(tmp_path_factory.mktemp("tiny_embed"))
    ship(spark, folder)
    return folder


@pytest.fixture
def lyrics(table: Callable[..., DataFrame]) -> MakeLyrics:
    """The table lyrics, from texts by song_id."""
    return lambda texts: table(
        LYRICS, *({"song_id": song_id, "lyrics": text} for song_id, text in texts.items()), source="files"
    )


def test_a_row_for_each_song_with_words(lyrics: MakeLyrics, settings: Settings, folder: Path) -> None:
    texts = {"a": "sun dance", "b": None, "c": "", "d": " \n", "e": "rain tears", "f": "sun dance"}
    result = embed_lyrics(lyrics(texts), folder.name, encoder_id(folder), settings.encoder)
    rows = {row["song_id"]: row for row in as_rows(result)}
    assert sorted(rows) == ["a", "e", "f"]
    assert result.columns == EMBEDDINGS.column_names
    assert len(rows["a"]["embedding"]) == WIDTH
    assert np.linalg.norm(rows["e"]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert rows["a"]["embedding"] == pytest.approx(rows["f"]["embedding"], abs=1e-6)
    assert rows["a"]["text_hash"] == hashlib.sha256(b"sun dance").hexdigest()
    assert {row["model_id"] for row in rows.values()} == {encoder_id(folder)}


def test_order_and_partitions_change_nothing(lyrics: MakeLyrics, settings: Settings, folder: Path) -> None:
    texts: dict[str, str | None] = {f"s{i}": "sun " * (i % 5 + 1) + "rain" for i in range(20)}
    embedded = as_rows(embed_lyrics(lyrics(texts), folder.name, "m", settings.encoder))
    shuffled = lyrics(dict(reversed(texts.items()))).repartition(5)
    again = as_rows(embed_lyrics(shuffled, folder.name, "m", settings.encoder))
    by_id = {row["song_id"]: row["embedding"] for row in again}
    assert len(embedded) == len(by_id) == 20
    for row in embedded:
        assert row["embedding"] == pytest.approx(by_id[row["song_id"]], abs=1e-6)


def test_no_lyrics(lyrics: MakeLyrics, settings: Settings, folder: Path) -> None:
    result = embed_lyrics(lyrics({}), folder.name, "m", settings.encoder)
    assert result.collect() == []
    assert [field.dataType for field in result.schema] == [c.type for c in EMBEDDINGS.columns]


def test_an_encoder_that_does_not_load_in_a_worker_is_named_in_one_line(
    spark: SparkSession, lyrics: MakeLyrics, settings: Settings, tmp_path: Path
) -> None:
    broken = write_tiny_encoder(tmp_path)
    (broken / "tokenizer.json").write_text("{")
    encoder = settings.encoder.model_copy(update={"model": "some/encoder"})
    with pytest.raises(Exception, match="does not load") as caught:
        embed_lyrics(lyrics({"a": "sun"}), ship(spark, broken), "m", encoder).collect()
    message = explain(caught.value)
    assert message.startswith("the encoder some/encoder does not load")
    assert message.endswith("set encoder.model to another encoder")


def test_rows_are_spread_over_all_cores_also_after_a_join(spark: SparkSession) -> None:
    """As whole runs have it: joins by adaptive execution, which puts few rows into one partition."""
    session = spark.newSession()
    parts = 4 * session.sparkContext.defaultParallelism
    for name, value in (("adaptive.enabled", "true"), ("shuffle.partitions", str(parts))):
        session.conf.set(f"spark.sql.{name}", value)
    session.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    songs = session.range(1000).select(F.col("id").cast("string").alias("song_id"))
    spread_songs = spread(songs.join(songs.withColumn("x", F.lit(1)), "song_id"))
    sizes = spread_songs.groupBy(F.spark_partition_id()).count().collect()
    assert len(sizes) == parts
    ids = [[row.song_id for row in rows] for rows in spread_songs.rdd.glom().collect()]
    assert [part == sorted(part) for part in ids] == [True] * parts
