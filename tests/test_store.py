import json
import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.engine.errors import UserError
from songmood.engine.store import Store
from songmood.tables import DROPPED, DUPLICATES, TABLES


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


def test_reasons_are_those_of_the_step_alone(spark: SparkSession, store: Store) -> None:
    rows = spark.createDataFrame([("filter", "a", "no_spotify_id"), ("label", "b", "tie")], DROPPED.schema)
    assert store.write(rows, DROPPED, "f1", "label").reasons == {"tie": 1}


def test_a_step_is_complete_while_its_tables_are_there(spark: SparkSession, store: Store) -> None:
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    assert store.step_record("dedupe", "f1") is None
    store.complete_step("dedupe", "f1", {"tables": {"duplicates": {"path": written.path}}, "models": []})
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
    store.complete_step("train", "f1", {"tables": {}, "models": ["models/mood-f1"]})
    assert store.step_record("train", "f1") is not None
    shutil.rmtree(f"{store.local_root}/models/mood-f1")
    assert store.step_record("train", "f1") is None


def test_prune_keeps_what_kept_runs_name(spark: SparkSession, store: Store) -> None:
    rows = duplicates(spark, ("b", "a", 1.0, "exact"))
    for number in (1, 2, 3):
        written = store.write(rows, DUPLICATES, f"f{number}", "dedupe")
        store.complete_step(
            "dedupe", f"f{number}", {"tables": {"duplicates": {"path": written.path}}, "models": []}
        )
        manifest = {
            "tables": {"duplicates": written.path},
            "models": [],
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
