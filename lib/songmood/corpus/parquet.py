"""Parquet files as rows of texts.

pyarrow reads them, because Spark refuses a whole file for one column of a type that it does not know, such
as the nanoseconds that pandas writes, even if nobody asked for the column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from math import isfinite
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from songmood.engine.errors import UserError, first_line
from songmood.engine.store import open_filesystem

_ROWS_AT_ONCE = 10_000
_MOST_TASKS = 1000


def parquet_columns(file: str) -> tuple[str, ...]:
    """The names of a Parquet file's columns. Raises UserError if the file cannot be read."""
    with _reading(file) as opened:
        return tuple(opened.schema_arrow.names)


def read_parquet(spark: SparkSession, files: Sequence[str], columns: Sequence[str]) -> DataFrame:
    """The named columns of Parquet files as texts, and `file`; a column is null where a file lacks it.

    A number is text as a program writes it (5, 5.0), a date as ISO 8601 does, a length of time is a number
    of seconds ('239.5 s'), what has parts is JSON, and NaN is null. Raises UserError for a
    file that cannot be read.
    """
    schema = ", ".join(f"{name} string" for name in ("file", *columns))
    groups = [(file, group) for file in files for group in range(_row_groups(file))]
    if not groups:
        return spark.createDataFrame([], schema)
    tasks = spark.sparkContext.parallelize(groups, min(len(groups), _MOST_TASKS))
    read = partial(_read_groups, columns=tuple(columns))
    return spark.createDataFrame(tasks, "file string, row_group int").mapInArrow(read, schema)


def _row_groups(file: str) -> int:
    with _reading(file) as opened:
        return int(opened.num_row_groups)


def _read_groups(batches: Iterable[pa.RecordBatch], columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for file, group in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield from _read_group(file, group, columns)


def _read_group(file: str, group: int, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with _reading(file) as opened:
        names = opened.schema_arrow.names
        present = [name for name in columns if names.count(name) == 1]
        for rows in opened.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=present):
            texts = [
                _as_texts(rows.column(name)) if name in present else pa.nulls(rows.num_rows, pa.string())
                for name in columns
            ]
            files = pa.array([file] * rows.num_rows, pa.string())
            yield pa.RecordBatch.from_arrays([files, *texts], ["file", *columns])


@contextmanager
def _reading(file: str) -> Iterator[pq.ParquetFile]:
    """An open Parquet file. Raises UserError, which names it, for whatever is wrong with it."""
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_file(path) as stream:
            yield pq.ParquetFile(stream)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"cannot read {file}: {first_line(error)}; it is not a Parquet file, or is damaged or cut off: "
            "fetch it again"
        ) from None


def _as_texts(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _as_texts(values.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return pc.cast(values, pa.string())
    number = kind.to_pandas_dtype() if pa.types.is_floating(kind) else None
    return pa.array([_as_text(value, number) for value in values], pa.string())


def _as_text(scalar: pa.Scalar, number: Callable[[float], Any] | None) -> str | None:
    """A value of any type as text. `number` makes a number of the precision that the column has."""
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError):  # a time that no calendar has
        return None
    if isinstance(value, float) and number is not None:
        return str(number(value)) if isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str)
    return None if value is None else str(value)
