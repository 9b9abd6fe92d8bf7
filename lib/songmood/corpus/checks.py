"""Checks of song files before they are read: their columns, and whether they are complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress

import pyarrow.parquet as pq
from pyarrow import ArrowInvalid

from songmood.corpus.fields import REQUIRED, SOURCES
from songmood.corpus.files import PEEK_BYTES, CsvHeader, peek, read_header, split_cells, split_lines
from songmood.engine.errors import UserError
from songmood.engine.store import open_filesystem


def check_csv(file: str) -> CsvHeader | None:
    """The header of a CSV file; None for an empty file."""
    header = read_header(file)
    if header is not None:
        _require(header.columns, file)
        columns, separator = len(header.columns), header.separator
        _check_tail(file, lambda line: len(split_cells(line, separator)) < columns)
    return header


def check_json(file: str) -> None:
    """Raise UserError if a JSON file ends within a record."""
    _check_tail(file, _is_cut_json)


def check_parquet(file: str) -> str:
    """The schema of a Parquet file, as text."""
    filesystem, path = open_filesystem(file)
    try:
        schema = pq.read_schema(path, filesystem=filesystem)
    except (OSError, ArrowInvalid):
        raise UserError(f"{file} is damaged or cut off: fetch it again") from None
    _require(schema.names, file)
    return str([(field.name, str(field.type)) for field in schema])


def require_artist(file: str) -> None:
    """Raise UserError if the first record of a JSON file has no artist."""
    for line in peek(file)[:2]:  # the first line of an array may be only its bracket
        with suppress(ValueError):
            first = json.loads(_bare_json(line))
            if isinstance(first, dict) and "artist" not in first:
                raise UserError(
                    f"{file} has no artists: put album.jsonl (or .json), which has them, into its folder"
                )


def _require(columns: Sequence[str], file: str) -> None:
    for name in REQUIRED:
        if not set(SOURCES[name]) & set(columns):
            names = " or ".join(SOURCES[name])
            raise UserError(f"{file} has no column {names}: song files need an id, an artist and a title")


def _check_tail(file: str, is_cut: Callable[[str], bool]) -> None:
    # A broken record in the middle of a file is a reject. At its end it is a sign that more is missing.
    tail = _tail(file)
    lines = split_lines(tail)
    if lines and not tail.endswith(b"\n") and len(lines[-1]) < PEEK_BYTES and is_cut(lines[-1]):
        raise UserError(f"{file} ends in the middle of a record, so it was cut off: fetch it again")


def _is_cut_json(line: str) -> bool:
    text = _bare_json(line)
    try:
        json.loads(f"[{text}]")
    except ValueError:
        return text.startswith("{")
    return False


def _bare_json(line: str) -> str:
    return line.strip().removeprefix("[").rstrip(",] ")


def _tail(file: str) -> bytes:
    """The last bytes of a file. None for a compressed file, because reading it fails if it was cut off."""
    if file.lower().endswith(".gz"):
        return b""
    filesystem, path = open_filesystem(file)
    with filesystem.open_input_file(path) as stream:
        return bytes(stream.read_at(PEEK_BYTES, max(0, stream.size() - PEEK_BYTES)))
