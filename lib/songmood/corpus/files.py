"""The corpus folder: the files of each part, whether they have changed, and the columns of flat files."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from songmood.engine.errors import UserError
from songmood.engine.store import absolute, open_filesystem
from songmood.settings import PathsSettings, Settings

PEEK_BYTES = 2**20  # more than any header or first record seen


class CsvHeader(NamedTuple):
    """The first line of a CSV file: its text, and the columns and separator found in it."""

    line: str
    columns: tuple[str, ...]
    separator: str


def list_files(corpus: str, part: str) -> list[str]:
    """The data files of one part of a corpus, as URIs, sorted; empty if the part is not there.

    Hidden files and those whose names begin with '_' (Spark's markers) are not data.
    """
    return [uri for uri, _, _ in _files(corpus, part)]


def corpus_files(part: str) -> Callable[[Settings], list[str]]:
    """An input: the files of one part of the corpus."""
    return lambda settings: list_files(str(settings.paths.corpus), part)


def corpus_fingerprint(part: str) -> Callable[[Settings], str]:
    """The fingerprint of that input: the names, sizes and times of its files."""
    return lambda settings: json.dumps(_files(str(settings.paths.corpus), part))


def check_corpus(corpus: str) -> None:
    """Raise UserError unless the corpus has songs."""
    filesystem, path = open_filesystem(absolute(corpus))
    if filesystem.get_file_info(path).type != fs.FileType.Directory:
        raise UserError(f"no corpus folder at {corpus}: set paths.corpus to one (README: The corpus)")
    if not list_files(corpus, "songs"):
        raise UserError(f"no song files in {corpus}/songs: songs/ is the only folder that a corpus must have")


def place_paths(settings: Settings) -> Settings:
    """The settings with the paths that the user did not set.

    The demo has a warehouse of its own, and a corpus for each set of demo settings.
    """
    corpus, warehouse = settings.paths.corpus, settings.paths.warehouse
    if corpus is None:
        demo = hashlib.sha256(settings.demo.model_dump_json().encode()).hexdigest()[:6]
        corpus = f"demo/corpus-{settings.demo.songs}-{settings.demo.layout}-seed{settings.seed}-{demo}"
        warehouse = warehouse or "demo/warehouse"
    if "://" not in corpus:
        corpus = str(Path(corpus).expanduser().resolve())
    paths = PathsSettings(corpus=corpus, warehouse=warehouse or "warehouse")
    return settings.model_copy(update={"paths": paths})


def peek(file: str) -> list[str]:
    """The lines at the beginning of a text file, plain or .gz, without blank lines. The last may be cut off.

    Raises UserError if the file cannot be read.
    """
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            return split_lines(stream.read(PEEK_BYTES))
    except OSError as error:
        raise UserError(f"cannot read {file}: {str(error).splitlines()[0]}; fetch it again") from None


def split_lines(content: bytes) -> list[str]:
    """The lines of a text, without blank lines and without a byte order mark."""
    text = content.decode("utf-8-sig", errors="replace")
    return [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]


def read_header(file: str) -> CsvHeader | None:
    """The header of a CSV file, plain or .gz. The separator is a tab if the header has one, else a comma.

    None for an empty file. Raises UserError if the file cannot be read.
    """
    lines = peek(file)
    if not lines:
        return None
    separator = "\t" if "\t" in lines[0] else ","
    return CsvHeader(lines[0], tuple(split_cells(lines[0], separator)), separator)


def split_cells(line: str, separator: str) -> list[str]:
    """The cells of a CSV line, without spaces around them."""
    try:
        cells = next(csv.reader([line], delimiter=separator))
    except csv.Error:  # a cell is larger than any name
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def read_columns(
    spark: SparkSession, files: Sequence[str], columns: Sequence[str], required: Sequence[str] = ()
) -> DataFrame:
    """The named columns of flat files, as strings; a column is null where a file does not have it.

    The files may be .parquet, and .csv, .tsv and .jsonl, plain or .gz, in any mixture. In CSV the separator
    is a tab if the header has one, else a comma; quotes within quotes are doubled; a quoted value may have
    line breaks. An empty file has no rows. Raises UserError for a file of another format, a file that cannot
    be read, and a file whose header lacks a `required` column (JSON lines have no header).
    """
    schema = _strings(columns)
    groups = defaultdict(list)
    for file in files:
        layout = _layout(file)
        if layout is None:
            continue
        missing = [name for name in required if layout.header and name not in layout.header]
        if missing:
            raise UserError(f"{file} has no column {missing[0]}; its columns are {', '.join(layout.header)}")
        groups[layout].append(file)
    frames = []
    for layout, same_layout in groups.items():
        rows = _read_files(spark, layout, same_layout, columns)
        present = layout.header or columns
        values = ((F.col(name) if name in present else F.lit(None)).cast("string") for name in columns)
        frames.append(rows.select(*(value.alias(name) for value, name in zip(values, columns, strict=True))))
    return reduce(DataFrame.unionByName, frames) if frames else spark.createDataFrame([], schema)


class _Layout(NamedTuple):
    """The format of a file. Files of the same layout are read together."""

    format: str
    header: tuple[str, ...]  # empty for JSON lines
    types: tuple[str, ...] = ()  # of the columns of Parquet
    separator: str = ""  # of CSV
    whole: bool = False  # Spark reads each file as one partition


def _layout(file: str) -> _Layout | None:
    """The layout of a file, from its name and header; None if it is empty."""
    name = file.lower().removesuffix(".gz")
    filesystem, path = open_filesystem(file)
    try:
        if file.lower().endswith(".parquet"):
            schema = pq.read_schema(path, filesystem=filesystem)
            return _Layout("parquet", tuple(schema.names), tuple(str(t) for t in schema.types))
        if name.endswith(".jsonl"):
            return _Layout("json", (), whole=file.lower().endswith(".gz"))
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"cannot read {file}: {str(error).splitlines()[0]}") from None
    if name.endswith((".csv", ".tsv")):
        header = read_header(file)
        return _Layout("csv", header.columns, separator=header.separator, whole=True) if header else None
    raise UserError(
        f"cannot read {file}: this folder may have .parquet, .csv, .tsv and .jsonl files, plain or .gz; move "
        "the file elsewhere"
    )


def _read_files(spark: SparkSession, layout: _Layout, files: list[str], columns: Sequence[str]) -> DataFrame:
    if layout.format == "parquet":
        return spark.read.parquet(*files)
    if layout.format == "json":
        rows = spark.read.schema(_strings(columns)).json(files)
    else:
        # by position, because of columns of the same name the first counts
        names = [
            name if layout.header.index(name) == position and name in columns else f"_{position}"
            for position, name in enumerate(layout.header)
        ]
        reader = spark.read.schema(_strings(names)).option("header", True).option("multiLine", True)
        rows = reader.option("sep", layout.separator).option("escape", '"').csv(files)
    return rows.repartition(spark.sparkContext.defaultParallelism) if layout.whole else rows


def _strings(names: Sequence[str]) -> StructType:
    return StructType([StructField(name, StringType()) for name in names])


def _files(corpus: str, part: str) -> list[tuple[str, int, str]]:
    root = absolute(corpus).rstrip("/")
    filesystem, path = open_filesystem(root)
    selector = fs.FileSelector(f"{path}/{part}", recursive=True, allow_not_found=True)
    found = []
    for info in filesystem.get_file_info(selector):
        inner = info.path[len(path) :]
        if info.type == fs.FileType.File and not any(p[:1] in "._" for p in inner.split("/") if p):
            found.append((root + inner, int(info.size), str(info.mtime)))
    return sorted(found)
