"""splitting: text files as records, whatever is in them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from songmood.corpus.splitting import Raw, split_csv, split_json

LIMIT = 60  # bytes of a record
Write = Callable[[bytes], str]

TEXT = st.text(alphabet=st.sampled_from('ab,\t"\n\r {}[]\\é'), max_size=12)


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes a file, plain or .gz by turns, and gives its URI."""
    folder = tmp_path_factory.mktemp("split")
    numbers = iter(range(10**9))

    def make(content: bytes) -> str:
        number = next(numbers)
        path = folder / ("a.txt.gz" if number % 2 else "a.txt")
        path.write_bytes(gzip.compress(content) if number % 2 else content)
        return f"file://{path}"

    return make


def texts(records: Iterator[Raw]) -> list[str]:
    return [record.raw for record in records if record.raw.strip()]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=6), st.sampled_from([",", "\t"]))
def test_csv_records_are_those_that_were_written(write: Write, rows: list[list[str]], separator: str) -> None:
    if separator == "\t":  # a tab within lyrics is a sign of an unclosed quote
        rows = [[cell.replace("\t", " ") for cell in row] for row in rows]
    written = []
    for row in rows:
        line = io.StringIO()
        csv.writer(line, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="").writerow(row)
        written.append(line.getvalue())
    content = "\n".join(written).encode()
    assert texts(split_csv(write(content), 2**20, separator, 3)) == written


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT).map("".join))
@example('"' * 100)
@example('a,"b\nc,d\ne,"f"\n')
@example('"a""\n"a""\n"a"')
def test_no_text_of_csv_is_lost(write: Write, content: str) -> None:
    records = texts(split_csv(write(content.encode()), LIMIT, ",", 2))
    kept = "".join(records)
    assert "".join(kept.split()) == "".join(content.split()) or any(
        len(line.encode()) > LIMIT for line in content.splitlines()
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=5),
    st.sampled_from(["lines", "one line", "array of lines", "indented"]),
    st.integers(7, 60),
)
def test_json_objects_are_those_that_were_written(
    write: Write, records: list[dict[str, Any]], layout: str, chunk: int
) -> None:
    one_line = [json.dumps(record) for record in records]
    content = {
        "lines": "".join(f"{line}\r\n" for line in one_line),
        "one line": json.dumps(records),
        "array of lines": "[\n" + ",\n".join(one_line) + "\n]\n",
        "indented": json.dumps(records, indent=2),
    }[layout]
    largest = max([chunk, *(len(json.dumps(record, indent=6).encode()) * 2 for record in records)])
    found = list(split_json(write(content.encode()), largest))
    assert [json.loads(f"[{record.raw.rstrip(', ]')}]")[0] for record in found] == records
    assert {record.problem for record in found} <= {None}


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT | st.sampled_from(['{"a": 1}', '{"a": "', "{", "}", '"', "\\", "\r\n"])).map("".join))
@example("{" * 500)
@example('{"a": ' * 200 + '{"b": 1}')
@example('"' + "\\" * 100)
def test_any_text_is_split_into_json_and_problems(write: Write, content: str) -> None:
    for record in split_json(write(content.encode()), LIMIT):
        assert record.problem in (None, "broken_json", "line_too_long")
        assert len(record.raw.encode()) <= max(LIMIT + 2, 1000)
        if record.problem is None:
            assert (record.raw[0], record.raw[-1]) == ("{", "}")


def test_records_after_a_broken_one_are_read(write: Write) -> None:
    lines = ['{"a": 1', '{"b": 2}', '{"c": "', '{"d": {"e": 4}}', "text", '{"f": 5}', '{"g": [', "}"]
    found = list(split_json(write("\n".join(lines).encode()), 2**20))
    assert [record.raw for record in found if record.problem is None] == [
        '{"b": 2}',
        '{"d": {"e": 4}}',
        '{"f": 5}',
        '{"g": [\n}',  # only its braces are looked at here
    ]
