import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
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


def test_a_sorted_table_has_few_rows_to_read_for_a_term(spark: SparkSession, store: Store) -> None:
    """DuckDB and others skip row groups by the least and the greatest term of each."""
    rows = spark.range(60_000).select(
        F.concat(F.lit("term"), F.lpad((F.col("id") * 7919 % 200).cast("string"), 3, "0")).alias("term"),
        F.col("id").cast("int").alias("place"),
        F.sha2(F.col("id").cast("string"), 256).alias("song_id"),
        F.lit(1).alias("tf"),
        F.rand(7).alias("weight"),
        F.rand(8).alias("bm25"),
        F.lit(300).cast("long").alias("document_frequency"),
    )
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    try:
        written = store.write(rows.repartition(3), TABLES["postings"], "f", "index")
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
    assert written.rows == 60_000  # counted once, although sorting reads the rows twice
    groups, matching = 0, 0
    for file in Path(store.uri.removeprefix("file://"), written.path).glob("*.parquet"):
        parquet = pq.ParquetFile(file)
        terms = parquet.read(["term", "place"]).to_pandas()
        assert terms.equals(terms.sort_values(["term", "place"], ignore_index=True))
        for group in range(parquet.num_row_groups):
            limits = parquet.metadata.row_group(group).column(0).statistics
            groups += 1
            matching += limits.min <= "term123" <= limits.max
    assert groups > 4
    assert matching <= 2


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


def test_a_damaged_table_is_replaced_and_set_aside(spark: SparkSession, store: Store) -> None:
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    folder = Path(f"{store.local_root}/{written.path}")
    assert store.damage(written.path, whole=True) is None
    next(folder.glob("*.parquet")).write_bytes(b"")
    damage = store.damage(written.path)
    assert damage is not None
    assert damage.startswith("tables/duplicates/f1 has 0 bytes of part-")
    again = store.write(duplicates(spark, ("z", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    assert store.damage(again.path, whole=True) is None
    assert [row.song_id for row in store.read(spark, DUPLICATES, again.path).collect()] == ["z"]
    assert len(list(folder.parent.glob(".damaged/f1-*"))) == 1


def test_what_is_in_the_place_of_a_table_or_model_is_set_aside(spark: SparkSession, store: Store) -> None:
    store.write_text("tables/duplicates/f1", "a file")
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    assert store.damage(written.path, whole=True) is None
    model = Path(f"{store.local_root}/scratch")
    model.mkdir()
    (model / "mood.json").write_text("{}")
    store.write_text("models/mood-f1/half", "a model without a seal")
    store.write_folder(model, "models/mood-f1")
    assert store.files("models/mood-f1") == ["_seal", "mood.json"]
    assert store.damage("models/mood-f1", whole=True) is None


def test_the_counts_of_a_kept_table_are_its_own(spark: SparkSession, store: Store) -> None:
    first = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    more = duplicates(spark, ("b", "a", 1.0, "exact"), ("c", "a", 1.0, "exact"))
    assert store.write(more, DUPLICATES, "f1", "dedupe") == first


def test_a_table_has_no_checksums_but_those_of_its_seal(spark: SparkSession, store: Store) -> None:
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    assert not [name for name in store.files(written.path) if name.endswith(".crc")]


def test_publish_refuses_a_damaged_table_and_leaves_the_pointer(spark: SparkSession, store: Store) -> None:
    path = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe").path
    store.publish("run-1", {"duplicates": path})
    part = next(Path(f"{store.local_root}/{path}").glob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))
    with pytest.raises(UserError, match="tables/duplicates/f1 has another content of part-"):
        Store(str(store.local_root)).publish("run-2", {"duplicates": path})  # as a later run sees it
    assert json.loads(Path(f"{store.local_root}/current.json").read_text())["run_id"] == "run-1"


def test_publish_changes_all_or_nothing(spark: SparkSession, store: Store) -> None:
    written = store.write(duplicates(spark, ("b", "a", 1.0, "exact")), DUPLICATES, "f1", "dedupe")
    store.publish("run-1", {"duplicates": written.path})
    with pytest.raises(UserError, match="tables are missing: tags"):
        store.publish("run-2", {"duplicates": written.path, "tags": "tables/tags/f9"})
    current = json.loads(Path(f"{store.local_root}/current.json").read_text())
    assert current == {"run_id": "run-1", "tables": {"duplicates": written.path}}
    assert [p.name for p in Path(store.local_root or "").glob("*.writing")] == []


def test_tables_have_keys_among_their_columns() -> None:
    for contract in TABLES.values():
        assert set(contract.key) <= set(contract.column_names)
        assert len(set(contract.column_names)) == len(contract.column_names)


def test_a_local_warehouse_has_an_absolute_address() -> None:
    assert Store("x").uri == f"file://{os.getcwd()}/x"
