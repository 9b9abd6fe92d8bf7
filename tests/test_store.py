import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.engine.errors import UserError
from songmood.engine.store import Store
from songmood.tables import DROPPED, DUPLICATES, REJECTS, TABLES, TAGS


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "my warehouse"))


def duplicates(spark: SparkSession, *rows: tuple[str | None, str, float, str]) -> DataFrame:
    return spark.createDataFrame(list(rows), DUPLICATES.schema)


def test_a_written_table_reads_back(spark: SparkSession, store: Store) -> None:
    rows = duplicates(spark, ("b", "a", 1.0, "exact"), ("c", "a", 0.9, "same isrc"), ("d", "a", 1.0, "exact"))
    written = store.write(
        rows.select("match_reason", "similarity", "representative_id", "song_id"), DUPLICATES, "f1", "dedupe"
    )
    assert written.rows == 3
    assert written.reasons == {"exact": 2, "same isrc": 1}
    assert set(written.checks.values()) == {0}
    back = store.read(spark, DUPLICATES, written.path)
    assert back.columns == DUPLICATES.column_names
    assert {r.song_id for r in back.collect()} == {"b", "c", "d"}


def test_an_empty_table_is_a_table(spark: SparkSession, store: Store) -> None:
    for table in TABLES.values():
        written = store.write(spark.createDataFrame([], table.schema).where("1 = 0"), table, "f1", "x")
        assert store.read(spark, table, written.path).count() == 0


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((None, "a", 1.0, "exact"), "song_id IS NOT NULL"),
        (("b", "a", 1.5, "exact"), "similarity BETWEEN"),
        (("a", "a", 1.0, "exact"), "song_id <> representative_id"),
        (("c", "a", 1.0, "exact"), "song_id unique"),
    ],
)
def test_a_row_that_breaks_a_check_keeps_the_table_from_being(
    spark: SparkSession, store: Store, row: tuple[str | None, str, float, str], says: str
) -> None:
    rows = duplicates(spark, ("c", "a", 1.0, "exact"), row)
    with pytest.raises(UserError, match=says):
        store.write(rows, DUPLICATES, "f1", "dedupe")
    assert not store.exists(store.table_path(DUPLICATES, "f1"))
    assert not list(Path(store.local_root or "").glob("tables/*/.writing/*"))


def test_a_missing_column_is_not_filled_with_nulls(spark: SparkSession, store: Store) -> None:
    rows = duplicates(spark, ("b", "a", 1.0, "exact"))
    with pytest.raises(UserError, match="missing: similarity"):
        store.write(rows.drop("similarity"), DUPLICATES, "f1", "dedupe")
    with pytest.raises(UserError, match="unknown: more"):
        store.write(rows.withColumn("more", F.lit(1)), DUPLICATES, "f1", "dedupe")


def test_a_write_that_fails_midway_leaves_nothing(spark: SparkSession, store: Store) -> None:
    good = duplicates(spark, ("b", "a", 1.0, "exact"))
    first = store.write(good, DUPLICATES, "f1", "dedupe")
    bad = good.withColumn("similarity", F.raise_error(F.lit("the disk went away")).cast("double"))
    with pytest.raises(Exception, match="the disk went away"):
        store.write(bad, DUPLICATES, "f2", "dedupe")
    assert store.read(spark, DUPLICATES, first.path).count() == 1
    assert not store.exists(store.table_path(DUPLICATES, "f2"))


def test_a_table_is_written_once(spark: SparkSession, store: Store) -> None:
    store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    again = store.write(duplicates(spark, ("z", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    assert [r.song_id for r in store.read(spark, DUPLICATES, again.path).collect()] == ["b"]


def test_a_shared_table_keeps_the_rows_of_the_step_before(
    spark: SparkSession, store: Store, table: Callable[..., DataFrame]
) -> None:
    before = table(DROPPED, {"song_id": "a"}, {"song_id": "b"}, step="filter", drop_reason="no_language")
    own = table(DROPPED, step="label", song_id="a", drop_reason="tie")
    first = store.write(before, DROPPED, "f1", "filter")
    second = store.write(own, DROPPED, "f2", "label", asdict(first))
    assert (first.rows, first.reasons) == (2, {"no_language": 2})
    assert (second.rows, second.reasons) == (3, {"tie": 1})
    rows = store.read(spark, DROPPED, second.path).collect()
    assert sorted((row.step, row.song_id) for row in rows) == [
        ("filter", "a"),
        ("filter", "b"),
        ("label", "a"),
    ]


def test_reasons_are_weighed_and_have_an_example(store: Store, table: Callable[..., DataFrame]) -> None:
    rows = table(
        REJECTS,
        {"source": "songs/b.csv", "record_hash": "1", "count": 3},
        {"source": "songs/a.csv", "record_hash": "2", "count": 2},
        {"source": "songs/a.csv", "record_hash": "3", "count": 1, "reason": "no_song_id"},
        reason="broken_json",
    )
    # a row's own value goes before the shared one
    written = store.write(rows, REJECTS, "f1", "ingest")
    assert (written.rows, written.reasons) == (3, {"broken_json": 5, "no_song_id": 1})
    assert written.examples == {"broken_json": "songs/a.csv", "no_song_id": "songs/a.csv"}


def test_distinct_values_are_counted_where_a_table_asks(
    store: Store, table: Callable[..., DataFrame]
) -> None:
    rows = table(
        TAGS,
        {"song_id": "a", "tag": "happy"},
        {"song_id": "a", "tag": "sad"},
        {"song_id": "b", "tag": "sad"},
        weight=100.0,
    )
    written = store.write(rows, TAGS, "f1", "enrich")
    assert (written.rows, written.distinct) == (3, 2)


def test_a_step_is_complete_while_its_tables_are_there(spark: SparkSession, store: Store) -> None:
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    assert store.step_record("dedupe", "f1") is None
    store.complete_step("dedupe", "f1", {"tables": {"duplicates": {"path": written.path}}, "models": {}})
    assert store.step_record("dedupe", "f1") is not None
    os.rename(f"{store.local_root}/{written.path}", f"{store.local_root}/elsewhere")
    assert store.step_record("dedupe", "f1") is None


def test_publish_changes_all_or_nothing(spark: SparkSession, store: Store) -> None:
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    store.publish("run-1", {"duplicates": written.path})
    with pytest.raises(UserError, match="tables are missing: tags"):
        store.publish("run-2", {"duplicates": written.path, "tags": "tables/tags/f9"})
    current = json.loads(Path(f"{store.local_root}/current.json").read_text())
    assert current == {"run_id": "run-1", "tables": {"duplicates": written.path}}
    assert [p.name for p in Path(store.local_root or "").glob("*.writing")] == []


def test_a_step_whose_model_is_gone_is_not_complete(spark: SparkSession, store: Store) -> None:
    store.write_json("models/mood-f1/mood.json", {})
    store.complete_step("train", "f1", {"tables": {}, "models": {"mood": "models/mood-f1"}})
    assert store.step_record("train", "f1") is not None
    shutil.rmtree(f"{store.local_root}/models/mood-f1")
    assert store.step_record("train", "f1") is None


def test_prune_keeps_what_kept_runs_name(spark: SparkSession, store: Store) -> None:
    rows = duplicates(spark, ("b", "a", 1.0, "exact"))
    for number in (1, 2, 3):
        written = store.write(rows, DUPLICATES, f"f{number}", "dedupe")
        store.complete_step(
            "dedupe", f"f{number}", {"tables": {"duplicates": {"path": written.path}}, "models": {}}
        )
        manifest = {
            "tables": {"duplicates": written.path},
            "models": {},
            "steps": [{"step": "dedupe", "fingerprint": f"f{number}"}],
        }
        store.write_json(f"runs/run-{number}/manifest.json", manifest)
        past = 1_700_000_000 + number
        os.utime(f"{store.local_root}/runs/run-{number}", (past, past))
    store.publish("run-1", {"duplicates": "tables/duplicates/f1"})
    assert store.prune(keep_runs=1) == ["runs/run-2"]  # the rest is younger than a day
    tomorrow = datetime.now(timezone.utc) + timedelta(days=2)
    assert store.prune(keep_runs=1, now=tomorrow) == [
        "steps/dedupe/f2.json",
        "tables/duplicates/.writing",
        "tables/duplicates/f2",
    ]
    assert store.exists("tables/duplicates/f1")
    assert store.exists("tables/duplicates/f3")


def test_tables_have_keys_among_their_columns() -> None:
    for contract in TABLES.values():
        assert set(contract.key) <= set(contract.column_names)
        assert len(set(contract.column_names)) == len(contract.column_names)


def test_a_local_warehouse_has_an_absolute_address() -> None:
    assert Store("x").uri == f"file://{os.getcwd()}/x"
