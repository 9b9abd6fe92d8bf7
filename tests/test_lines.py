"""lines: every line of a file comes once, too long ones as problems, and JSON records are separated."""

from __future__ import annotations

import gzip
import hashlib
import random
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import as_rows
from songmood.corpus.lines import parse_json, read_lines
from songmood.corpus.splitting import has_long_line, split_lines

LIMIT = 100


def write(path: Path, content: bytes) -> str:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return f"file://{path}"


# -- lines too long ------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"bb", b"ccccc", b"\n", b"\r", b"\r\n"])).map(b"".join))
@example(b"\xef\xbb\xbfa\nabcde")
@example(b"abcd\r\nabcde\r\n")
def test_files_are_split_as_text_is(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = write(tmp_path_factory.getbasetemp() / "long.txt", content)
    lines = [line for line in re.split(rb"[\r\n]", content.removeprefix(b"\xef\xbb\xbf")) if line]
    expected = [
        (line.decode(), hashlib.sha256(line).hexdigest(), "line_too_long" if len(line) > 4 else None)
        for line in lines
    ]
    assert [tuple(line) for line in split_lines(file, 4) if line.raw] == expected
    assert has_long_line(file, 4) == any(len(line) > 4 for line in lines)


@pytest.mark.parametrize("name", ["a b.txt", "a b.txt.gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_each_line_comes_once_wherever_spark_splits_files(
    spark: SparkSession, tmp_path: Path, name: str, line_end: str
) -> None:
    dice = random.Random(7)
    lengths = [*range(LIMIT - 3, LIMIT + 20), 3000, 70_000, *(dice.randint(1, 3 * LIMIT) for _ in range(300))]
    lines = [f"{n:04}".ljust(length, "x")[:length] for n, length in enumerate(lengths)]
    file = write(tmp_path / name, line_end.join([*lines, "", "  "]).encode())
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    try:
        spark.conf.set("spark.sql.files.maxPartitionBytes", "5000")
        found = read_lines(spark, [file], LIMIT).toPandas()
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", str(before))
    assert sorted(found["record_hash"]) == sorted(hashlib.sha256(line.encode()).hexdigest() for line in lines)
    too_long = {line[:1000] for line in lines if len(line) > LIMIT}
    assert set(found.loc[found["problem"] == "line_too_long", "raw"]) == too_long
    assert set(found.loc[found["problem"].isna(), "raw"]) == {line for line in lines if len(line) <= LIMIT}
    by_spark = read_lines(spark, [file], 100_000).toPandas()  # with Spark's own reader
    assert sorted(by_spark["record_hash"]) == sorted(found["record_hash"])
    assert {*by_spark["file"], *found["file"]} == {file}


# -- JSON ----------------------------------------------------------------------------------------


def parsed(spark: SparkSession, *lines: str) -> list[tuple[str | None, str | None]]:
    """Field a and the problem of each row, in the order of the lines."""
    rows: DataFrame = spark.createDataFrame(
        [(f"{n}", line) for n, line in enumerate(lines)], "file string, raw string"
    )
    rows = rows.withColumns({"record_hash": F.sha2("raw", 256), "problem": F.lit(None).cast("string")})
    found = as_rows(parse_json(rows, "a string, b string"))
    assert len({row["record_hash"] for row in found}) == len(found)
    return [(row["record"] and row["record"]["a"], row["problem"]) for row in found]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"a": "1"}'], ["1"]),
        (["[", '{"a": "1"},', '{"a": "2"}', "]"], ["1", "2"]),
        (['[{"a": "1"}', ', {"a": "2"}', "]", "][", ""], ["1", "2"]),
        (['[{"a": "1"}, {"a": "2"}, {"a": "3"}]'], ["1", "2", "3"]),
        (['{"a": [1, {"x": "y"}], "c": {"b": 3}}'], ['[1,{"x":"y"}]']),
        (['{"b": "no a"}', "{}"], [None, None]),
        (['{"a": "[{,]}"}'], ["[{,]}"]),
    ],
)
def test_every_record_on_a_line_is_read(spark: SparkSession, lines: list[str], expected: list[str]) -> None:
    assert parsed(spark, *lines) == [(value, None) for value in expected]


@pytest.mark.parametrize(
    "line",
    [
        '{"a": "1"} and more',
        '{"a": "1"}{"a": "2"}',
        '{"a": "1", "b',
        '{"a": "1"}, {"a"',
        '"text"',
        "7",
        "null",
    ],
)
def test_a_line_with_anything_but_json_objects_is_one_problem(spark: SparkSession, line: str) -> None:
    assert parsed(spark, line) == [(None, "broken_json")]
