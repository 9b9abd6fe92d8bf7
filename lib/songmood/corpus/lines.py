"""Text files as lines, and lines as JSON records. No more of a line is in memory than it may have bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.engine.store import open_filesystem

TOO_LONG = "line_too_long"
BROKEN_JSON = "broken_json"

_LINES = "file string, raw string, record_hash string, problem string"
_LINE_COLUMNS = ["file", "raw", "record_hash", "problem"]
_HEAD = 1000  # bytes that are kept of a line that is too long
_GZIP_AT_BEST = 1032  # no file is compressed to less than this fraction of its size
_LINE_END = re.compile(rb"[\r\n]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> DataFrame:
    """The lines of text files, plain or .gz, without blank lines.

    The columns are file, raw (the line), record_hash (its SHA-256) and problem, which is null except for a
    line of more than `max_bytes`. Of such a line only the beginning is read into memory and is in raw.
    """
    if not files:
        return spark.createDataFrame([], _LINES).limit(0)  # Spark's optimizer removes a frame with limit 0
    large = [file for file in files if _may_have_long_line(file, max_bytes)]
    with_long_lines = fetch_files_with_long_lines(spark, large, max_bytes) if large else set()
    frames = [_read_long_lines(spark, with_long_lines, max_bytes)] if with_long_lines else []
    ordinary = [file for file in files if file not in with_long_lines]
    if ordinary:
        frames.append(
            spark.read.text(ordinary).select(
                _as_listed(F.col("_metadata.file_path")).alias("file"),
                F.col("value").alias("raw"),
                F.sha2("value", 256).alias("record_hash"),
                F.lit(None).cast("string").alias("problem"),
            )
        )
    lines = reduce(DataFrame.unionByName, frames).where(F.col("raw").rlike(r"\S"))
    if len(files) < spark.sparkContext.defaultParallelism and any(f.lower().endswith(".gz") for f in files):
        lines = lines.repartition("record_hash")  # a .gz is read by one task, however large
    return lines


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


def filled(text: Column) -> Column:
    """A text without spaces at its ends; null if it has nothing but spaces."""
    trimmed = F.trim(text)
    return F.when(trimmed != "", trimmed)


def object_id(text: Column) -> Column:
    """A MongoDB id, written as it is, as {"$oid": ...} or as ObjectId(...)."""
    inner = F.regexp_extract(text, r"""(?:"\$oid"\s*:\s*"|^ObjectId\(["']?)([^"')]+)""", 1)
    return F.coalesce(filled(inner), text)


def _as_listed(uri: Column) -> Column:
    """A file as list_files names it, file:///a b; Spark and Hadoop write file:/a%20b."""
    return F.regexp_replace(F.regexp_replace(uri, "%20", " "), "^file:/+", "file:///")


def _may_have_long_line(file: str, max_bytes: int) -> bool:
    filesystem, path = open_filesystem(file)
    size = filesystem.get_file_info(path).size
    return bool(size * (_GZIP_AT_BEST if file.lower().endswith(".gz") else 1) > max_bytes)


def fetch_files_with_long_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> set[str]:
    """The files that have a line of more than `max_bytes`. Each is read now, by a task of its own."""
    names = spark.sparkContext.parallelize(files, len(files))
    return set(names.filter(lambda file: has_long_line(file, max_bytes)).collect())


def _read_long_lines(spark: SparkSession, files: Collection[str], max_bytes: int) -> DataFrame:
    """`read_lines` of files with long lines, each read by a task of its own.

    Spark's own reader holds every line whole, and Hadoop's limit silently drops long lines or keeps pieces.
    """

    def read(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            for file in batch["file"]:
                yield from _in_batches(file, split_file(file, max_bytes), max_bytes)

    names = spark.sparkContext.parallelize([(file,) for file in sorted(files)], len(files))
    lines = spark.createDataFrame(names, "file string").mapInPandas(read, _LINES)
    return lines.withColumn("file", _as_listed(F.col("file")))


def _in_batches(
    file: str, lines: Iterable[tuple[str, str, str | None]], max_bytes: int
) -> Iterator[pd.DataFrame]:
    rows, size = [], 0
    for line in lines:
        rows.append((file, *line))
        size += len(line[0])
        if size > max_bytes or len(rows) == 10_000:
            yield pd.DataFrame(rows, columns=_LINE_COLUMNS)
            rows, size = [], 0
    yield pd.DataFrame(rows, columns=_LINE_COLUMNS)


def has_long_line(file: str, max_bytes: int) -> bool:
    """Whether a text file, plain or .gz, has a line of more than `max_bytes`. It holds no more than these."""
    length = 0  # of the current line, so far
    try:
        for chunk in _chunks(file, max_bytes):
            first = _LINE_END.search(chunk)
            # a line that begins and ends within a chunk is short enough: only the chunk's ends matter
            length += first.start() if first else len(chunk)
            if length > max_bytes:
                return True
            if first:
                length = len(chunk) - 1 - max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    except OSError:  # a broken file: whoever reads it reports that
        pass
    return False


def split_file(file: str, max_bytes: int) -> Iterator[tuple[str, str, str | None]]:
    """All lines of a text file in order, blank lines too, as raw, record_hash and problem of `read_lines`."""
    start, length, digest = b"", 0, hashlib.sha256()  # of the current line, so far

    def line() -> tuple[str, str, str | None]:
        problem = TOO_LONG if length > max_bytes else None
        return start.decode("utf-8", errors="replace"), digest.hexdigest(), problem

    for chunk in _chunks(file, max_bytes):
        for number, part in enumerate(_LINE_END.split(chunk)):
            if number:
                yield line()
                start, length, digest = b"", 0, hashlib.sha256()
            length += len(part)
            digest.update(part)
            start = start + part if length <= max_bytes else (start + part)[:_HEAD]
    yield line()


def _chunks(file: str, size: int) -> Iterator[bytes]:
    filesystem, path = open_filesystem(file)
    with filesystem.open_input_stream(path, compression="detect") as stream:
        chunk = stream.read(size).removeprefix(_BYTE_ORDER_MARK)
        while chunk:
            yield chunk
            chunk = stream.read(size)
