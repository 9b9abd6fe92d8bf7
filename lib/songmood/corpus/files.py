"""The corpus folder: the files of each part, whether they have changed, and the names in their paths."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pyarrow import fs
from pyspark.sql import Column
from pyspark.sql import functions as F

from songmood.engine.errors import UserError
from songmood.engine.store import absolute, open_filesystem
from songmood.settings import PathsSettings, Settings

PEEK_BYTES = 2**20  # more than any header or first record seen
_MOST_COLUMNS = 2000


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
    corpus, warehouse = _as_uri(corpus), _as_uri(warehouse or "warehouse")
    if "://" not in corpus:
        corpus = str(Path(corpus).expanduser().resolve())
    paths = PathsSettings(corpus=corpus, warehouse=warehouse)
    return settings.model_copy(update={"paths": paths})


def _as_uri(path: str) -> str:
    """A path as it is, but file:/data/x as file:///data/x, which means the same."""
    return re.sub(r"^file:/(?!/)", "file:///", path)


def peek(file: str) -> list[str]:
    """The lines at the beginning of a text file, plain or .gz, without blank lines. The last may be cut off.

    Raises UserError if the file cannot be read.
    """
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            return text_lines(stream.read(PEEK_BYTES))
    except OSError as error:
        raise UserError(f"cannot read {file}: {str(error).splitlines()[0]}; fetch it again") from None


def text_lines(content: bytes) -> list[str]:
    """The lines of a text, without blank lines and without a byte order mark."""
    text = content.decode("utf-8-sig", errors="replace")
    return [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]


def read_header(file: str) -> CsvHeader | None:
    """The header of a CSV file, plain or .gz. The separator is a tab if the header has one, else a comma.

    None for an empty file. Raises UserError if the file cannot be read, or its first line is not a header.
    """
    lines = peek(file)
    if not lines:
        return None
    separator = "\t" if "\t" in lines[0] else ","
    columns = tuple(split_cells(lines[0], separator))
    if len(columns) > _MOST_COLUMNS:
        raise UserError(f"{file} has {len(columns):,} columns: its first line should be the names of columns")
    return CsvHeader(lines[0], columns, separator)


def split_cells(line: str, separator: str) -> list[str]:
    """The cells of a CSV line, without spaces around them."""
    try:
        cells = next(csv.reader([line], delimiter=separator))
    except csv.Error:  # a cell is larger than any name
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def as_pattern(file: str) -> str:
    """The URI of a file for Spark, which reads signs such as [ ] * ? as a pattern of several files."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", file)


def named_as_listed(uri: Column) -> Column:
    """The name of a file as list_files gives it, file:///a b; Spark and Hadoop write file:/a%20b."""
    path = F.regexp_replace(uri, "^file:/+", "file:///")
    return F.url_decode(F.regexp_replace(path, r"\+", "%2B"))  # in a path, a plus is a plus


def folder_columns(files: Sequence[str]) -> set[str]:
    """The columns whose values folders name: language, of songs/language=english/a.csv."""
    folders = {folder for file in files for folder in file.split("/")[:-1]}
    return {name for name, sign, _ in (folder.partition("=") for folder in folders) if sign}


def _files(corpus: str, part: str) -> list[tuple[str, int, str]]:
    root = absolute(corpus).rstrip("/")
    filesystem, path = open_filesystem(root)
    selector = fs.FileSelector(f"{path}/{part}", recursive=True, allow_not_found=True)
    found = []
    for info in filesystem.get_file_info(selector):
        inner = info.path[len(path) :]
        if info.type == fs.FileType.File and not any(map(_is_hidden, inner.split("/"))):
            found.append((root + inner, int(info.size), str(info.mtime)))
    return sorted(found)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
