"""Text files as frames of lines or records, and these as JSON records."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial, reduce

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.corpus.files import CsvHeader, as_pattern, named_as_listed, peek
from songmood.corpus.splitting import BROKEN_JSON, Raw, has_long_line, split_csv, split_json, split_lines
from songmood.engine.store import open_filesystem

_LINES = "file string, raw string, record_hash string, problem string"

_Split = Callable[[str, int], Iterator[Raw]]  # the records of a file, of at most this number of bytes each


def read_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> DataFrame:
    """The lines of text files, plain or .gz, without blank lines.

    The columns are file, raw (the line), record_hash (its SHA-256) and problem, which is null except for a
    line of more than `max_bytes`. Of such a line only the beginning is read into memory and is in raw.
    """
    return _read(spark, files, fetch_files_with_long_lines(spark, files, max_bytes), split_lines, max_bytes)


def read_json_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> DataFrame:
    """JSON files as `read_lines` has them, where a file with long lines is split into its records.

    So is a file whose first record goes on in the next line.
    """
    split = fetch_files_with_long_lines(spark, files, max_bytes)
    split |= {file for file in files if _goes_on(peek(file))}
    return _read(spark, files, split, split_json, max_bytes)


def read_csv_records(
    spark: SparkSession, files: Sequence[str], header: CsvHeader, max_bytes: int
) -> DataFrame:
    """The records of CSV files, which may have line breaks in quotes, with the columns of `read_lines`."""
    split = partial(split_csv, separator=header.separator, columns=len(header.columns))
    return _read(spark, files, files, split, max_bytes)


def parse_json(lines: DataFrame, schema: str) -> DataFrame:
    """The JSON objects of lines: an object on each line, or arrays with one or more objects on each line.

    Adds `record`, a struct of `schema` (in SQL: 'a string, b string'), to the columns of `read_lines`. A
    line that has anything but JSON objects is one row without a record, with the problem broken_json.
    """
    # Read as an array, because Spark would read only the first object of a line and ignore the rest.
    bare = F.regexp_replace("raw", r"^\s*[\[,]\s*(?=\{)|(?<=\})\s*[,\]][,\]\s]*$", "")
    objects = F.from_json(F.concat(F.lit("["), bare, F.lit("]")), f"array<struct<{schema}>>")
    rows = lines.where(~F.col("raw").rlike(r"^[\[\],\s]*$")).select(
        *("file", "raw", "record_hash", "problem"),
        F.posexplode_outer(F.when(F.col("problem").isNull(), objects)).alias("position", "record"),
    )
    hash_of_later = F.sha2(F.concat("record_hash", F.col("position").cast("string")), 256)
    broken = F.when(F.col("record").isNull(), BROKEN_JSON)
    return rows.select(
        *("file", "raw", "record"),
        F.when(F.col("position") > 0, hash_of_later).otherwise(F.col("record_hash")).alias("record_hash"),
        F.coalesce("problem", broken).alias("problem"),
    )


def fetch_files_with_long_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> set[str]:
    """The files that have a line of more than `max_bytes`, but for compressed ones.

    Large files are read now, each by a task.
    """
    large = [file for file in files if _size(file) > max_bytes and not _is_compressed(file)]
    if not large:
        return set()
    names = spark.sparkContext.parallelize(large, len(large))
    return set(names.filter(lambda file: has_long_line(file, max_bytes)).collect())


def _size(file: str) -> int:
    filesystem, path = open_filesystem(file)
    return int(filesystem.get_file_info(path).size)


def _is_compressed(file: str) -> bool:
    return file.lower().endswith(".gz")


def _goes_on(lines: Sequence[str]) -> bool:
    """Whether the first JSON record of a file goes on in its next line."""
    first = next((line for line in lines if re.search(r"[^\s\[\],]", line)), "}")
    return len(lines) > 1 and re.search(r"\}[\s\],]*$", first) is None


def _read(
    spark: SparkSession, files: Sequence[str], by_python: Collection[str], split: _Split, max_bytes: int
) -> DataFrame:
    """The lines of files, with `split` those of the files in `by_python`.

    Spark's own reader shares a file among tasks, but holds every line whole, and Hadoop's limit silently
    drops long lines or keeps pieces. It cannot share a compressed file and does not name it if it is cut
    off. It cannot open a file with a colon in its name.
    """
    by_python = {
        file for file in files if file in by_python or _is_compressed(file) or ":" in file.partition("://")[2]
    }
    by_spark = [file for file in files if file not in by_python]
    frames = []
    if by_spark:
        lines = spark.read.text([as_pattern(file) for file in by_spark])
        frames.append(
            lines.select(
                named_as_listed(F.col("_metadata.file_path")).alias("file"),
                F.col("value").alias("raw"),
                F.sha2("value", 256).alias("record_hash"),
                F.lit(None).cast("string").alias("problem"),
            )
        )
    if by_python:
        frames.append(_read_by_python(spark, by_python, split, max_bytes))
    if not frames:
        return spark.createDataFrame([], _LINES).limit(0)  # Spark's optimizer removes a frame with limit 0
    lines = reduce(DataFrame.unionByName, frames).where(F.col("raw").rlike(r"\S"))
    if by_python and len(files) < spark.sparkContext.defaultParallelism:
        lines = lines.repartition("record_hash")  # one task reads a file, however large
    return lines


def _read_by_python(spark: SparkSession, files: Collection[str], split: _Split, max_bytes: int) -> DataFrame:
    def read(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            for file in batch["file"]:
                yield from _in_batches(file, split(file, max_bytes), max_bytes)

    names = spark.sparkContext.parallelize([(file,) for file in sorted(files)], len(files))
    return spark.createDataFrame(names, "file string").mapInPandas(read, _LINES)


def _in_batches(file: str, records: Iterable[Raw], max_bytes: int) -> Iterator[pd.DataFrame]:
    rows, size = [], 0
    for record in records:
        rows.append((file, *record))
        size += len(record.raw)
        if size > max_bytes or len(rows) == 10_000:
            yield pd.DataFrame(rows, columns=["file", *Raw._fields])
            rows, size = [], 0
    yield pd.DataFrame(rows, columns=["file", *Raw._fields])
