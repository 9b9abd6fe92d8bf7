"""corpus files: flat files of every format, in any mixture, as strings."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from conftest import as_rows
from songmood.corpus.files import list_files
from songmood.corpus.flat import read_flat
from songmood.engine.errors import UserError

COLUMNS = ("song_id", "title", "weight")
LIMIT = 2**20  # bytes of a record


def read(
    spark: SparkSession, files: list[str], columns: Sequence[str] = COLUMNS, required: Sequence[str] = ()
) -> DataFrame:
    records = read_flat(spark, "tags", files, columns, required, LIMIT)
    return records.where("problem IS NULL").select(*columns)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus with one row in each format."""
    folder = tmp_path / "corpus" / "tags"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text('song_id,weight,title\ncomma,1,"A ""quoted"", title\nof two lines"\n')
    (folder / "b.tsv").write_text("\ufefftitle\tother\tsong_id\nTab, not comma\tx\ttab\n", encoding="utf-8")
    (folder / "c.csv.gz").write_bytes(gzip.compress(b"song_id\ttitle\tweight\ngz\t\t2.5\n"))
    (folder / "d.jsonl").write_text('{"song_id": "json", "weight": 3, "more": [1]}\n')
    (folder / "e.jsonl.gz").write_bytes(gzip.compress('{"song_id": "json.gz", "title": "Ünï"}\n'.encode()))
    pd.DataFrame({"song_id": ["parquet"], "weight": [4]}).to_parquet(folder / "f.parquet")
    pd.DataFrame({"song_id": ["parquet2"], "weight": [4.5]}).to_parquet(folder / "g.parquet")
    (folder / "empty.csv").write_text("")
    (folder / "_SUCCESS").write_text("")
    return folder.parent


def test_files_of_every_format_are_read_together(spark: SparkSession, corpus: Path) -> None:
    rows = as_rows(read(spark, list_files(str(corpus), "tags")))
    assert {row["song_id"]: (row["title"], row["weight"]) for row in rows} == {
        "comma": ('A "quoted", title\nof two lines', "1"),
        "tab": ("Tab, not comma", None),
        "gz": (None, "2.5"),
        "json": (None, "3"),
        "json.gz": ("Ünï", None),
        "parquet": (None, "4"),
        "parquet2": (None, "4.5"),
    }
    assert len(rows) == 7


def test_the_header_of_each_of_several_files_is_skipped(spark: SparkSession, tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text(f"song_id,title\ns{n},t{n}\n")
    rows = read(spark, [f"file://{tmp_path}/{n}.csv" for n in range(3)], ("song_id", "title"))
    assert [row["song_id"] for row in as_rows(rows)] == ["s0", "s1", "s2"]


def test_the_first_of_several_columns_of_the_same_name_counts(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,title,Title\nfirst,second,third\n")
    assert as_rows(read(spark, [f"file://{tmp_path}/a.csv"], ["title"])) == [{"title": "first"}]


def test_without_files_the_frame_is_empty(spark: SparkSession, tmp_path: Path) -> None:
    rows = read(spark, list_files(str(tmp_path), "tags"))
    assert (rows.columns, rows.count()) == (list(COLUMNS), 0)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", b"song_id,tag\n1,x\n", r"a\.csv has no column weight; its columns are song_id, tag"),
        (
            "a.xlsx",
            b"PK",
            r"cannot read .*a\.xlsx: this folder may have \.parquet, .*; move the file elsewhere",
        ),
        ("a.parquet", b"PAR1 cut in half", r"cannot read .*a\.parquet: "),
        ("a.csv.gz", gzip.compress(b"song_id,weight\n" * 9000)[:40], r"cannot read .*a\.csv\.gz: "),
    ],
    ids=["no column", "another format", "cut Parquet", "cut gzip"],
)
def test_files_that_cannot_be_read_are_named(
    spark: SparkSession, tmp_path: Path, name: str, content: bytes, line: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=line) as raised:
        read(spark, [f"file://{tmp_path}/{name}"], required=("weight",))
    assert "\n" not in str(raised.value)
