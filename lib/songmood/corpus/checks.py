"""Checks of song files before they are read: their columns, and whether they are complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress

from songmood.corpus.fields import REQUIRED, SOURCES
from songmood.corpus.files import (
    PEEK_BYTES,
    CsvHeader,
    folder_columns,
    peek,
    read_header,
    split_cells,
    text_lines,
)
from songmood.corpus.parquet import parquet_columns
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


def check_parquet(file: str) -> None:
    """Raise UserError if a Parquet file cannot be read, or lacks a column."""
    _require(parquet_columns(file), file)


def require_artist(file: str) -> None:
    """Raise UserError if the first record of a JSON file has no artist, and no folder names one."""
    if "artist" in folder_columns([file]):
        return
    for line in peek(file)[:2]:  # the first line of an array may be only its bracket
        with suppress(ValueError, RecursionError):
            first = json.loads(_bare_json(line))
            if isinstance(first, dict) and "artist" not in first:
                raise UserError(
                    f"{file} has no artists: put album.jsonl (or .json), which has them, into its folder"
                )


def _require(columns: Sequence[str], file: str) -> None:
    for name in REQUIRED:
        if not set(SOURCES[name]) & {*columns, *folder_columns([file])}:
            names = " or ".join(SOURCES[name])
            raise UserError(f"{file} has no column {names}: song files need an id, an artist and a title")


def _check_tail(file: str, is_cut: Callable[[str], bool]) -> None:
    # A broken record in the middle of a file is a reject. At its end it is a sign that more is missing.
    tail = _tail(file)
    lines = text_lines(tail)
    if lines and not tail.endswith(b"\n") and len(lines[-1]) < PEEK_BYTES and is_cut(lines[-1]):
        raise UserError(f"{file} ends in the middle of a record, so it was cut off: fetch it again")


def _is_cut_json(line: str) -> bool:
    text = _bare_json(line)
    try:
        json.loads(f"[{text}]")
    except ValueError:
        return text.startswith("{")
    except RecursionError:  # too deep to be a record, wherever it ends
        return False
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
