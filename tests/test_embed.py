"""embed: each text is encoded once, whatever ends a run; and what is kept of damaged and odd inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from safetensors.torch import load_file, save_file

from conftest import as_rows
from songmood.encoder import kept as kept_embeddings
from songmood.encoder.encoder import load_encoder
from songmood.encoder.files import encoder_id
from songmood.encoder.kept import embeddings_key, fetch_embeddings
from songmood.encoder.udf import spread
from songmood.engine.errors import UserError, explain
from songmood.engine.spark import ship
from songmood.engine.step import Notes
from songmood.settings import Settings
from songmood.steps.embed import Embedded, embed_songs
from songmood.tables import EMBEDDINGS, LYRICS
from tiny_encoder import WIDTH, write_tiny_encoder

Texts = dict[str, str | None]
Embed = Callable[[Texts], tuple[dict[str, dict[str, Any]], Notes]]


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny_encoder(tmp_path_factory.mktemp("tiny_embed"))
    ship(spark, folder)
    return folder


@pytest.fixture
def lyrics(table: Callable[..., DataFrame]) -> Callable[[Texts], DataFrame]:
    """The table lyrics, from texts by song_id."""
    return lambda texts: table(
        LYRICS, *({"song_id": song_id, "lyrics": text} for song_id, text in texts.items()), source="files"
    )


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder in which embeddings are kept; not there yet."""
    return tmp_path / "my warehouse" / "kept" / "embeddings-0"


@pytest.fixture
def embed(lyrics: Callable[[Texts], DataFrame], settings: Settings, folder: Path, kept: Path) -> Embed:
    """Embeds texts by song_id: the rows by song_id, and what is reported."""

    def run(texts: Texts) -> tuple[dict[str, dict[str, Any]], Notes]:
        found, notes = fetch_embeddings(lyrics(texts), folder.name, settings.encoder, f"file://{kept}")
        return {row["song_id"]: row for row in as_rows(found)}, notes

    return run


def encoded(notes: Notes) -> int:
    """The number of texts that were encoded."""
    return int(notes.figures["encoded_texts"])


MANY: Texts = {f"s{i:02}": "sun " * (i % 20 + 1) + "rain" for i in range(40)}  # 20 texts, each twice


def test_a_row_for_each_song_with_words(embed: Embed) -> None:
    blank: Texts = {"b": None, "c": "", "d": " \n"}
    rows, notes = embed({"a": "sun dance", "e": "rain tears", "f": "sun dance", **blank})
    assert sorted(rows) == ["a", "e", "f"]
    assert len(rows["a"]["embedding"]) == WIDTH
    assert np.linalg.norm(rows["e"]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert rows["a"]["embedding"] == rows["f"]["embedding"]
    assert rows["a"]["text_hash"] == hashlib.sha256(b"sun dance").hexdigest()
    assert encoded(notes) == 2  # sun dance once


def test_the_step_makes_its_table(
    spark: SparkSession, lyrics: Callable[[Texts], DataFrame], settings: Settings, folder: Path, kept: Path
) -> None:
    names: list[str] = []

    def keep(name: str) -> str:
        names.append(name)
        return f"file://{kept}"

    def run(texts: Texts) -> Embedded:
        return embed_songs(spark, lyrics(texts), folder, settings.encoder, {"lyrics": len(texts)}, keep)

    made = run({"a": "sun dance"})
    assert set(made.embeddings.columns) == set(EMBEDDINGS.column_names)
    assert [row["model_id"] for row in as_rows(made.embeddings)] == [encoder_id(folder)]
    assert names == [embeddings_key(encoder_id(folder), settings.encoder)]
    none = run({})
    assert as_rows(none.embeddings) == []
    assert none.embeddings.schema == EMBEDDINGS.schema
    assert "no lyrics" in none.notes.warnings[0]


def test_order_and_partitions_change_nothing(embed: Embed, tmp_path: Path, kept: Path) -> None:
    first, _ = embed(MANY)
    kept.rename(tmp_path / "before")
    again, notes = embed(dict(reversed(MANY.items())))
    assert encoded(notes) == 20
    assert len(first) == len(again) == 40
    for song, row in first.items():
        assert row["embedding"] == pytest.approx(again[song]["embedding"], abs=1e-6)


# -- no text twice ---------------------------------------------------------------------------------


def test_a_second_run_encodes_nothing_and_new_songs_cost_only_themselves(embed: Embed, kept: Path) -> None:
    first, _ = embed(MANY)
    files = set(kept.iterdir())
    again, notes = embed(MANY)
    assert encoded(notes) == 0
    assert set(kept.iterdir()) == files
    assert again == first
    more, notes = embed({**MANY, "new": "river night", "old": "sun rain"})
    assert encoded(notes) == 1
    assert {song: more[song] for song in first} == first
    assert {"new", "old"} < set(more)
    fewer, notes = embed({"new": "river night"})
    assert encoded(notes) == 0
    assert fewer == {"new": more["new"]}


def test_a_killed_run_loses_only_the_parts_that_it_was_at(embed: Embed, kept: Path) -> None:
    """As after kill -9: some parts are complete, one is half written."""
    first, _ = embed(MANY)
    parts = sorted(kept.glob("*.parquet"))
    assert len(parts) >= 4
    lost = parts[0].rename(kept / ".0123.writing")
    lost.write_bytes(lost.read_bytes()[:100])
    texts_lost = 20 - sum(len(pd.read_parquet(path)) for path in parts[1:])
    again, notes = embed(MANY)
    assert encoded(notes) == texts_lost > 0
    for song, row in first.items():
        assert row["embedding"] == pytest.approx(again[song]["embedding"], abs=1e-6)


@pytest.mark.parametrize("damage", [lambda b: b[:-30], lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:]])
def test_a_damaged_part_is_encoded_again(embed: Embed, kept: Path, damage: Callable[[bytes], bytes]) -> None:
    first, _ = embed(MANY)
    part = min(kept.glob("*.parquet"))
    texts = len(pd.read_parquet(part))
    part.write_bytes(damage(part.read_bytes()))
    again, notes = embed(MANY)
    assert encoded(notes) == texts
    assert notes.warnings[0].endswith("encoded again: 1")
    for song, row in first.items():
        assert row["embedding"] == pytest.approx(again[song]["embedding"], abs=1e-6)


def test_two_runs_at_once_may_both_encode_a_text(embed: Embed, kept: Path, tmp_path: Path) -> None:
    embed({"a": "sun dance"})
    (alone,) = kept.glob("*.parquet")
    alone.rename(tmp_path / alone.name)
    embed({"a": "sun dance", "b": "rain"})
    (tmp_path / alone.name).rename(alone)  # the other run is done, too
    rows, notes = embed({"a": "sun dance", "b": "rain"})
    assert sorted(rows) == ["a", "b"]
    assert encoded(notes) == 0


def test_embeddings_have_a_folder_for_each_encoder_and_way_of_reading(
    make_settings: Callable[..., Settings],
) -> None:
    def key(model_id: str, *settings: str) -> str:
        return embeddings_key(model_id, make_settings(*settings).encoder)

    assert key("m") == key("m", "encoder.batch_tokens=7", "encoder.model=elsewhere", "seed=2")
    assert (
        len({key("m"), key("n"), key("m", "encoder.read_by=window"), key("m", "encoder.max_windows=3")}) == 4
    )


def test_half_precision_is_told_apart_and_not_taken_for_full(
    spark: SparkSession,
    lyrics: Callable[[Texts], DataFrame],
    make_settings: Callable[..., Settings],
    folder: Path,
    kept: Path,
) -> None:
    def run(*settings: str) -> tuple[set[str], Notes]:
        reads = make_settings("encoder.min_agreement=0.9", *settings).encoder
        embedded = embed_songs(
            spark, lyrics(MANY), folder, reads, {"lyrics": 40}, lambda name: f"file://{kept}"
        )
        return {row["model_id"] for row in as_rows(embedded.embeddings)}, embedded.notes

    half, notes = run("encoder.engine=torch_bf16")
    assert half == {f"{encoder_id(folder)}-bfloat16"}
    assert list(notes.figures["speeds"]) == ["torch_bf16"]
    assert (run("encoder.engine=auto")[0], encoded(run("encoder.engine=auto")[1])) == (half, 0)
    assert encoded(run("encoder.engine=auto", "encoder.min_agreement=0.999999")[1]) == 20
    full, notes = run("encoder.engine=torch")
    assert (full, encoded(notes)) == ({encoder_id(folder)}, 0)  # auto has just encoded them


def test_few_texts_are_not_worth_a_trial_of_engines(embed: Embed) -> None:
    _, notes = embed(MANY)
    assert list(notes.figures["speeds"]) == ["torch"]
    assert notes.figures["tried"] == {}


def test_it_says_how_fast_each_engine_was(embed: Embed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_embeddings, "_PART", 5)
    _, notes = embed(MANY)
    assert notes.figures["encoded_texts"] == 20
    assert set(notes.figures["tried"]) >= {"torch", "onnx"}
    assert set(notes.figures["speeds"]) <= set(notes.figures["tried"])
    assert min(notes.figures["speeds"].values()) > 0
    assert set(notes.figures["core_seconds"]) == {"read", "start", "tokenize", "encode", "write"}
    _, notes = embed(MANY)
    assert notes.figures == {"encoded_texts": 0}


def test_executors_that_write_elsewhere_are_an_error(
    embed: Embed, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster where the warehouse is a local folder of each machine."""
    monkeypatch.setattr(kept_embeddings, "_parts", lambda kept: [])
    with pytest.raises(UserError, match=f"not in file://{kept}: set paths.warehouse to a folder that all"):
        embed({"a": "sun"})


# -- odd texts -------------------------------------------------------------------------------------

ODD = {
    "very long": ("sun rain " * 60_000, "cut_off"),
    "one long line": ("dance" * 100_000, "no_known_word"),
    "emoji": ("\U0001f600\U0001f3b5" * 20, "no_known_word"),
    "null bytes": ("\0sun\0", None),
    "marks": ("?!\n...", "no_known_word"),
    "half": ("sun \U0001f600", None),
    "usual": ("sun dance\nrain", None),
}


def test_odd_texts_are_named_and_spoil_no_other(embed: Embed) -> None:
    rows, _ = embed({name: text for name, (text, _) in ODD.items()})
    assert {name: row["problem"] for name, row in rows.items()} == {n: p for n, (_, p) in ODD.items()}
    for row in rows.values():
        assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-5)
    alone, _ = embed({"usual": ODD["usual"][0]})
    assert alone["usual"] == rows["usual"]


def test_a_text_whose_vector_is_not_of_numbers_is_not_kept(
    spark: SparkSession, lyrics: Callable[[Texts], DataFrame], settings: Settings, tmp_path: Path, kept: Path
) -> None:
    """It must not move the vectors of its neighbors either (langgenius/dify, issue 41988)."""
    ill = write_tiny_encoder(tmp_path)
    weights = load_file(ill / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][11] = torch.nan  # "cold"
    save_file(weights, ill / "model.safetensors", metadata={"format": "pt"})
    name, frame = ship(spark, ill), lyrics({"a": "sun", "b": "cold", "c": "rain"})
    for _ in range(2):  # also when the others are kept
        found, notes = fetch_embeddings(frame, name, settings.encoder, f"file://{kept}")
        rows = {row["song_id"]: row["embedding"] for row in as_rows(found)}
        assert sorted(rows) == ["a", "c"]
        assert notes.warnings[0].endswith("not of numbers: 1")
    encoder = load_encoder(ill, settings.encoder)
    np.testing.assert_allclose([rows["a"], rows["c"]], encoder.embed(["sun", "rain"]), atol=1e-6)


def test_an_encoder_that_does_not_load_in_a_worker_is_named_in_one_line(
    spark: SparkSession, lyrics: Callable[[Texts], DataFrame], settings: Settings, tmp_path: Path, kept: Path
) -> None:
    broken = write_tiny_encoder(tmp_path)
    (broken / "tokenizer.json").write_text("{")
    encoder = settings.encoder.model_copy(update={"model": "some/encoder"})
    with pytest.raises(Exception, match="does not load") as caught:
        fetch_embeddings(lyrics({"a": "sun"}), ship(spark, broken), encoder, f"file://{kept}")
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
