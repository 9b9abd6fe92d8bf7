"""Text files as lines, and lines as JSON records: nothing is held that is larger than a line may be."""

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
_HEAD = 1000  # bytes that are kept of a line too long
_GZIP_AT_BEST = 1032  # times smaller, by its format
_LINE_END = re.compile(rb"[\r\n]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> DataFrame:
    """The lines of text files, plain or .gz; blank ones are left out.

    Columns: file, raw (the line), record_hash (SHA-256 of it) and problem, null but for a line of more
    than `max_bytes`: of that one raw is the beginning, and no more is ever in memory.
    """
    if not files:
        return spark.createDataFrame([], _LINES).limit(0)  # known to be empty: plans leave it out
    large = [file for file in files if _may_have_long_line(file, max_bytes)]
    odd = _with_long_lines(spark, large, max_bytes) if large else []
    frames = [_read_with_long_lines(spark, odd, max_bytes)] if odd else []
    even = [file for file in files if file not in odd]
    if even:
        frames.append(
            spark.read.text(even).select(
                _place(F.col("_metadata.file_path")).alias("file"),
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
    """The JSON objects of lines: one a line, or an array with one or several a line.

    Adds `record`, a struct of `schema` (in SQL: 'a string, b string'), to the columns of `read_lines`. A
    line that is no JSON objects throughout is one row without a record and with the problem broken_json.
    """
    # Within brackets, or Spark would take a line's first object and be silent about what follows it.
    bare = F.regexp_replace("raw", r"^\s*[\[,]\s*(?=\{)|(?<=\})\s*[,\]][,\]\s]*$", "")
    objects = F.from_json(F.concat(F.lit("["), bare, F.lit("]")), f"array<struct<{schema}>>")
    rows = lines.where(~F.col("raw").rlike(r"^[\[\],\s]*$")).select(
        *("file", "raw", "record_hash", "problem"),
        F.posexplode_outer(F.when(F.col("problem").isNull(), objects)).alias("place", "record"),
    )
    another = F.sha2(F.concat("record_hash", F.col("place").cast("string")), 256)
    broken = F.when(F.col("record").isNull(), BROKEN_JSON)
    return rows.select(
        *("file", "raw", "record"),
        F.when(F.col("place") > 0, another).otherwise(F.col("record_hash")).alias("record_hash"),
        F.coalesce("problem", broken).alias("problem"),
    )


def filled(text: Column) -> Column:
    """A text without blanks at its ends; null if nothing else is in it."""
    trimmed = F.trim(text)
    return F.when(trimmed != "", trimmed)


def object_id(text: Column) -> Column:
    """A MongoDB id, given as it is, as {"$oid": ...} or as ObjectId(...)."""
    inner = F.regexp_extract(text, r"""(?:"\$oid"\s*:\s*"|^ObjectId\(["']?)([^"')]+)""", 1)
    return F.coalesce(filled(inner), text)


def _place(uri: Column) -> Column:
    # Spark and Hadoop write file:/a%20b, the corpus' own lists file:///a b
    return F.regexp_replace(F.regexp_replace(uri, "%20", " "), "^file:/+", "file:///")


def _may_have_long_line(file: str, max_bytes: int) -> bool:
    filesystem, path = open_filesystem(file)
    size = filesystem.get_file_info(path).size
    return bool(size * (_GZIP_AT_BEST if file.lower().endswith(".gz") else 1) > max_bytes)


def _with_long_lines(spark: SparkSession, files: Sequence[str], max_bytes: int) -> set[str]:
    """Which files have a line of more than `max_bytes`; a task for each."""
    names = spark.sparkContext.parallelize(files, len(files))
    return set(names.filter(lambda file: has_long_line(file, max_bytes)).collect())


def _read_with_long_lines(spark: SparkSession, files: Collection[str], max_bytes: int) -> DataFrame:
    """`read_lines` of files with long lines; a task for each. Spark's reader holds any line whole, and
    Hadoop's limit leaves long ones out in silence, or pieces of them in.
    """

    def read(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            for file in batch["file"]:
                yield from _in_batches(file, split_file(file, max_bytes), max_bytes)

    names = spark.sparkContext.parallelize([(file,) for file in sorted(files)], len(files))
    lines = spark.createDataFrame(names, "file string").mapInPandas(read, _LINES)
    return lines.withColumn("file", _place(F.col("file")))


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
    """Whether a text file, plain or .gz, has a line of more than `max_bytes`; holds no more than these."""
    length = 0  # of the line that is open
    try:
        for chunk in _chunks(file, max_bytes):
            first = _LINE_END.search(chunk)
            # what begins and ends within a chunk is short enough: only its ends matter
            length += first.start() if first else len(chunk)
            if length > max_bytes:
                return True
            if first:
                length = len(chunk) - 1 - max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    except OSError:  # a broken file: who reads it says so
        return False
    return False


def split_file(file: str, max_bytes: int) -> Iterator[tuple[str, str, str | None]]:
    """Each line of a text file as raw, record_hash and problem of `read_lines`, in order, blank ones too."""
    start, length, digest = b"", 0, hashlib.sha256()  # of the line that is open

    def line() -> tuple[str, str, str | None]:
        problem = TOO_LONG if length > max_bytes else None
        return start.decode("utf-8", errors="replace"), digest.hexdigest(), problem

    for chunk in _chunks(file, max_bytes):
        for place, part in enumerate(_LINE_END.split(chunk)):
            if place:
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
