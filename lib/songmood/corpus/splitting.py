"""Text files as records: lines, CSV records with line breaks in quotes, and JSON records within long lines.

A file, plain or .gz, is read once, as a stream. No more of a record is in memory than it may have bytes. Of
a file that can be decompressed no content raises an error.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from songmood.engine.errors import UserError, first_line
from songmood.engine.store import open_filesystem

TOO_LONG = "line_too_long"
BROKEN_JSON = "broken_json"
UNCLOSED_QUOTE = "unclosed_quote"

_HEAD = 1000  # bytes that are kept of a record that is too long
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Raw(NamedTuple):
    """The text of a record, the SHA-256 of its bytes, and a problem if it is not to be read."""

    raw: str
    record_hash: str
    problem: str | None = None


def _raw(content: bytes, problem: str | None = None) -> Raw:
    return Raw(content.decode("utf-8", errors="replace"), hashlib.sha256(content).hexdigest(), problem)


class _Text:
    """A text that arrives in parts. No more than `max_bytes` of it are kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._start, self._length, self._digest = b"", 0, hashlib.sha256()

    def __len__(self) -> int:
        return self._length

    def add(self, part: bytes) -> None:
        self._length += len(part)
        self._digest.update(part)
        self._start += part
        if self._length > self._max_bytes:
            self._start = self._start[:_HEAD]

    def take(self, problem: str | None = None) -> Raw:
        """The text so far. What is added next begins another text."""
        problem = TOO_LONG if self._length > self._max_bytes else problem
        raw = Raw(self._start.decode("utf-8", errors="replace"), self._digest.hexdigest(), problem)
        self._start, self._length, self._digest = b"", 0, hashlib.sha256()
        return raw


def has_long_line(file: str, max_bytes: int) -> bool:
    """Whether a text file has a line of more than `max_bytes`. It holds no more than these."""
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
    except UserError:  # whoever reads the file reports that it is broken
        pass
    return False


def split_lines(file: str, max_bytes: int) -> Iterator[Raw]:
    """All lines of a text file in order, blank lines too."""
    text = _Text(max_bytes)
    for chunk in _chunks(file, max_bytes):
        first, *others = _LINE_END.split(chunk)
        text.add(first)
        if others:
            yield text.take()
            yield from map(_raw, others[:-1])
            text.add(others[-1])
    yield text.take()


# -- CSV -------------------------------------------------------------------------------------------

# A longer record with line breaks is not looked for: a regular expression needs memory for each quote.
_MOST_JOINED = 2**20


def split_csv(file: str, max_bytes: int, separator: str, columns: int) -> Iterator[Raw]:
    """The records of a CSV file with that many columns, in order, blank lines too.

    A quoted value may have line breaks where all quotes of its record are as they should be: around whole
    values, and doubled within them. Where they are not, a line is a record.
    """
    find = _CsvFinder(separator.encode(), columns)
    waiting, text = b"", _Text(max_bytes)
    for chunk in chain(_chunks(file, max_bytes), [None]):
        waiting += b"\n" if chunk is None else chunk
        start = 0
        while start < len(waiting) and (chunk is None or len(waiting) - start > _MOST_JOINED):
            record = None if text else find.record(waiting, start)
            if record:
                yield _raw(record[1])
                start = record.end()
                continue
            line_end = _LINE_END.search(waiting, start)
            text.add(waiting[start : line_end.start() if line_end else None])
            start = line_end.end() if line_end else len(waiting)
            if line_end:
                yield text.take()
        waiting = waiting[start:]


class _CsvFinder:
    """Finds the records of CSV files with one separator and one number of columns."""

    def __init__(self, separator: bytes, columns: int) -> None:
        self._separator, self._columns = separator, columns
        cell = rb'(?:"[^"]*(?:""[^"]*)*"|[^"%b\r\n][^%b\r\n]*)?' % (separator, separator)
        cells, line_end = rb"%b(?:%b%b)" % (cell, separator, cell), rb"(?:\r\n|\n|\r)"
        self._any = re.compile(rb"(%b*)%b" % (cells, line_end))
        self._whole = re.compile(rb"(%b{%d})(?:%b|$)" % (cells, columns - 1, line_end))

    def record(self, text: bytes, start: int) -> re.Match[bytes] | None:
        """The record that begins at a place, if all its quotes are as they should be."""
        record = self._any.match(text, start, start + _MOST_JOINED)
        return None if record and self._is_spoiled(record, text) else record

    def _is_spoiled(self, record: re.Match[bytes], text: bytes) -> bool:
        """Whether a record has line breaks only because a quote in it is never closed.

        It shows in a line within it that looks like a record of its own: it has as many columns, and no
        space after a separator, as text has after a comma. Tabs are rare in text. Commas are not, so the
        next record must be spoiled, too.
        """
        if self._columns == 1 or record[1].count(self._separator) < self._columns:
            return False
        lines = _LINE_END.split(record[1])[1:]
        separators, spaced = self._columns - 1, self._separator + b" "
        if not any(line.count(self._separator) == separators and spaced not in line for line in lines):
            return False
        is_last = record.end() == len(text)
        return self._separator == b"\t" or not (is_last or self._whole.match(text, record.end()))


# -- JSON ------------------------------------------------------------------------------------------

_STRING = rb'"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"'
_TOKEN = re.compile(rb'%b|["{}\r\n]' % _STRING)
_WITHIN_STRING = re.compile(rb'[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*')
_BETWEEN_RECORDS = re.compile(rb"[\s\[\],]*")
_WHOLE_LINE = re.compile(rb"\{[^\r\n]*\}(?=[\s,\]]*[\r\n])")


def _objects(depth: int) -> bytes:
    """A regular expression of JSON objects with objects in them, down to a depth."""
    inner = b"" if depth == 0 else b"|" + _objects(depth - 1)
    return rb'\{[^{}"]*(?:(?:%b%b)[^{}"]*)*\}' % (_STRING, inner)


_OBJECT = re.compile(_objects(2))
_MOST_AT_ONCE = 2**16  # bytes of an object to try this expression on: it needs memory for each string


def split_json(file: str, max_bytes: int) -> Iterator[Raw]:
    """The JSON objects of a file, in order: one or more on a line, or each on several lines.

    A line that begins and ends as an object does is a record as it is. Text between objects is a record with
    the problem broken_json, and so is an object with a line break within a string, or with another object
    that begins at the start of a line.
    """
    splitter = _JsonSplitter(max_bytes)
    for chunk in _chunks(file, max_bytes):
        yield from splitter.split(chunk)
    yield from splitter.take_between(b"")


class _JsonSplitter:
    """Finds where JSON objects begin and end by their braces, in chunks of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._text = _Text(max_bytes)  # of the current object, or after the last one
        self._depth, self._in_string, self._at_line_start = 0, False, True

    def split(self, chunk: bytes) -> Iterator[Raw]:
        """The objects that end in a chunk, and the text before those that begin in it."""
        start = position = 0  # what comes before `start` is in self._text
        while True:
            if self._in_string:
                position = _end_of(_WITHIN_STRING, chunk, position)
                if position == len(chunk):
                    break
                self._in_string = False
                if chunk.startswith(b'"', position):
                    position += 1
                else:
                    self._depth = 0  # a line break: the object is broken
                continue
            token = _TOKEN.search(chunk, position)
            if token is None:
                break
            mark, position = token[0], token.end()
            if mark == b'"':
                self._in_string = True
            elif mark == b"{":
                before = token.start()
                begins_line = chunk[before - 1] in b"\r\n" if before else self._at_line_start
                if not self._depth or begins_line:
                    yield from self.take_between(chunk[start:before])
                    start, self._depth = before, 0
                    end = _end_of(_WHOLE_LINE, chunk, before) if begins_line else before
                    end = end if end > before else _end_of(_OBJECT, chunk, before, before + _MOST_AT_ONCE)
                    if end > before:
                        yield _raw(chunk[before:end])
                        start = position = end
                        continue
                self._depth += 1
            elif mark == b"}" and self._depth:
                self._depth -= 1
                if not self._depth:
                    self._text.add(chunk[start:position])
                    yield self._text.take()
                    start = position
            elif mark in b"\r\n" and not self._depth:
                yield from self.take_between(chunk[start:position])
                start = position
        self._text.add(chunk[start:])
        self._at_line_start = chunk[-1] in b"\r\n"

    def take_between(self, part: bytes) -> Iterator[Raw]:
        """The text up to an object, a line end or the end, unless it is nothing but brackets and commas."""
        if self._text or not _BETWEEN_RECORDS.fullmatch(part):
            self._text.add(part.rstrip(b"\r\n"))
            raw = self._text.take(BROKEN_JSON)
            if not _BETWEEN_RECORDS.fullmatch(raw.raw.encode()):
                yield raw


# -- streams ---------------------------------------------------------------------------------------


def _end_of(pattern: re.Pattern[bytes], text: bytes, position: int, limit: int = sys.maxsize) -> int:
    """Where the text that a pattern matches at a position ends; the position if it matches none."""
    match = pattern.match(text, position, limit)
    return match.end() if match else position


def _chunks(file: str, size: int) -> Iterator[bytes]:
    """The bytes of a file. No chunk but the last ends between the two bytes of a line end or an escape.

    Raises UserError if the file cannot be read to its end.
    """
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            chunk = stream.read(size).removeprefix(_BYTE_ORDER_MARK) or stream.read(size)
            while chunk:
                following = stream.read(size)
                if chunk.endswith(b"\r"):
                    # the carriage return is line end enough
                    following = following.removeprefix(b"\n") or stream.read(size)
                elif following and (len(chunk) - len(chunk.rstrip(b"\\"))) % 2:
                    chunk, following = chunk[:-1], chunk[-1:] + following
                if chunk:
                    yield chunk
                chunk = following
    except OSError as error:
        raise UserError(f"cannot read {file}: {first_line(error)}; fetch it again") from None
