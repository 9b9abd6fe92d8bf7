"""The cache of services' answers, an SQLite file, so that nothing is asked twice.

    CACHE/answers.sqlite   every answer, in the order of arrival; an answer is added and never changed
    CACHE/lock             held by the run that asks

An answer is on the disk before the next one is asked for, so a run that is killed loses only what was on its
way. SQLite's defaults are kept. With a rollback journal the file is complete by itself whenever no answer is
being added, and machines that share the folder can read it; a write-ahead log would be a second file to lose
and works on one machine only. With synchronous=FULL a power cut loses nothing. Together they cost about
10 ms for each answer, where services allow 250 ms at best.

Executors read the file themselves, a range of answers in each task, so no answer passes through the driver.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from songmood.engine.errors import UserError
from songmood.settings import Settings
from songmood.steps.enrich.old_cache import old_answers
from songmood.steps.enrich.service import Answer
from songmood.steps.enrich.services import find_service

FILE = "answers.sqlite"
ANSWER_SCHEMA = (
    "number long, source string, version int, request string, status string, content string, "
    "http_status int, attempts int, last_error string, fetched_at timestamp"
)

_LAYOUT = 1  # kept in the file as user_version
# The number of an answer is never given again. The indexes also hold it, as the last part.
_TABLE = """
CREATE TABLE answers (
  number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, version INTEGER NOT NULL,
  request TEXT NOT NULL, status TEXT NOT NULL, content TEXT, http_status INTEGER, attempts INTEGER NOT NULL,
  last_error TEXT, fetched_at INTEGER NOT NULL  -- microseconds since 1970 (UTC)
);
CREATE INDEX answers_by_request ON answers (source, version, request);
CREATE INDEX answers_by_source ON answers (source, version);
CREATE INDEX answers_by_time ON answers (fetched_at);
"""
_INSERT = "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = [
    ("number", pa.int64()),
    ("source", pa.string()),
    ("version", pa.int32()),
    ("request", pa.string()),
    ("status", pa.string()),
    ("content", pa.string()),
    ("http_status", pa.int32()),
    ("attempts", pa.int32()),
    ("last_error", pa.string()),
    ("fetched_at", pa.timestamp("us", tz="UTC")),
]
# The newest answer to each request, among those up to a number.
_NEWEST = """
SELECT * FROM answers AS a
WHERE source = ? AND version = ? AND number BETWEEN ? AND ? AND NOT EXISTS (
  SELECT 1 FROM answers AS b
  WHERE b.source = a.source AND b.version = a.version AND b.request = a.request
    AND b.number > a.number AND b.number <= ?
)
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BATCH = 1000  # answers read at once; a lyric has about 1.5 kB
_TASK = 50_000  # answers read by one task
_PATIENCE_S = 60.0  # how long to wait for another connection that is writing


class RequestCache:
    """The cache in a folder of this machine; open it as a context, which locks it against other runs.

    Raises UserError, in one line, if another run has it open, its file is damaged, or it cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.file = self.folder / FILE
        self.notes: list[str] = []  # for the user
        self._lock: IO[str] | None = None
        self._answers: sqlite3.Connection | None = None

    def __enter__(self) -> RequestCache:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "w")  # held until __exit__
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            raise UserError(
                f"another run is asking services with the cache {self.folder}: wait for it, or stop it first"
            ) from None
        except OSError as error:
            raise UserError(f"cannot write the cache {self.folder}: {error.strerror}") from None
        try:
            with _faults(self.file):
                self._answers = _connect(self.file)
                self._prepare(self._answers)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, source: str, answers: Iterable[Answer]) -> None:
        """Keep answers of a service. They are safe once this returns."""
        version = find_service(source).version
        now = (datetime.now(timezone.utc) - _EPOCH) // timedelta(microseconds=1)
        rows = [(None, source, version, *map(_storable, astuple(answer)), now) for answer in answers]
        with _faults(self.file), self._connection:
            self._connection.executemany(_INSERT, rows)

    def newest_time(self) -> datetime | None:
        """When the newest answer was fetched, by the clock of that time."""
        with _faults(self.file):
            (newest,) = self._connection.execute("SELECT max(fetched_at) FROM answers").fetchone()
        return None if newest is None else _EPOCH + timedelta(microseconds=newest)

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._answers is None:
            raise RuntimeError("the cache is not open")
        return self._answers

    def _prepare(self, answers: sqlite3.Connection) -> None:
        """Make the table if there is none, with an older songmood's answers: all at once or not at all."""
        if _layout(answers, self.file) == _LAYOUT:
            return
        with answers:
            answers.execute("BEGIN IMMEDIATE")
            for statement in _TABLE.split(";\n"):
                answers.execute(statement)
            for rows in old_answers(self.folder):
                answers.executemany(_INSERT, (_old_row(row) for row in rows))
            answers.execute(f"PRAGMA user_version = {_LAYOUT}")
            (moved,) = answers.execute("SELECT count(*) FROM answers").fetchone()
        if moved:
            self.notes.append(
                f"{moved:,} answers of an older songmood were copied to {self.file}: "
                "its answers/ and journal.jsonl beside that file are no longer needed"
            )

    def _close(self) -> None:
        if self._answers is not None:
            self._answers.close()
        if self._lock is not None:
            self._lock.close()


def cache_folder(settings: Settings) -> str:
    """The folder of the cache. Raises UserError if it is not on a disk."""
    folder = settings.fetch.cache or f"{settings.paths.warehouse}/requests"
    if "://" in folder.removeprefix("file://"):
        raise UserError(
            f"services need a cache on a disk, and {folder} is not on one: "
            "set fetch.cache to a folder that this machine and the executors see"
        )
    return folder.removeprefix("file://")


def answer_folders(settings: Settings) -> dict[str, str]:
    """The input `answers`: the folder of the cache, for each service that is switched on."""
    return {name: cache_folder(settings) for name in settings.enrich.services}


def answers_fingerprint(settings: Settings) -> str:
    """The fingerprint of that input: it changes with each answer of a service that is switched on."""
    newest = {}
    for source, folder in answer_folders(settings).items():
        with _open_to_read(folder) as answers:
            newest[source] = None if answers is None else _newest(answers, source)
    return json.dumps(newest, default=str)


def read_answers(spark: SparkSession, folder: str | Path, source: str, *, content: bool = True) -> DataFrame:
    """The newest answer to each request of a source, as ANSWER_SCHEMA has it, of those that are there now.

    Without `content`, that column is null.
    """
    with _open_to_read(folder) as answers:
        newest = None if answers is None else _newest(answers, source)
    if newest is None:
        return spark.createDataFrame([], ANSWER_SCHEMA)
    span = _Span(str(Path(folder, FILE).absolute()), source, find_service(source).version, *newest[:2])
    tasks = -(-(span.last - span.first + 1) // _TASK)
    numbers = spark.range(span.first, span.last + 1, _TASK, tasks)
    return numbers.mapInArrow(partial(_read_tasks, span=span, with_content=content), ANSWER_SCHEMA)


class _Span(NamedTuple):
    """The answers of a source from a first number to a last."""

    file: str
    source: str
    version: int
    first: int
    last: int


def _read_tasks(
    starts: Iterable[pa.RecordBatch], span: _Span, with_content: bool
) -> Iterator[pa.RecordBatch]:
    """The answers of each task, by the number that its answers start with."""
    content = [column for column, _ in _COLUMNS].index("content")
    file = Path(span.file)
    with _faults(file), closing(_connect(file, read_only=True)) as answers:
        for batch in starts:
            for start in batch.column(0).to_pylist():
                for rows in _read_batches(answers, span, start, min(start + _TASK - 1, span.last)):
                    columns = [list(values) for values in zip(*rows, strict=True)]
                    if not with_content:
                        columns[content] = [None] * len(rows)
                    arrays = [
                        pa.array(values, kind) for values, (_, kind) in zip(columns, _COLUMNS, strict=True)
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, [name for name, _ in _COLUMNS])


def _read_batches(
    answers: sqlite3.Connection, span: _Span, first: int, last: int
) -> Iterator[list[tuple[Any, ...]]]:
    # a query for each batch: an open query would keep a run that asks from adding its answers
    query = f"{_NEWEST} ORDER BY number LIMIT {_BATCH}"
    while rows := answers.execute(query, (span.source, span.version, first, last, span.last)).fetchall():
        yield rows
        first = rows[-1][0] + 1


@contextmanager
def _open_to_read(folder: str | Path) -> Iterator[sqlite3.Connection | None]:
    """The answers in a folder, None if there are none. Moves those of an older songmood first."""
    file = Path(folder, FILE)
    if not file.exists() and next(old_answers(folder), None) is None:
        yield None
        return
    with _faults(file), closing(_connect(file)) as answers:
        if _layout(answers, file) != _LAYOUT:
            with RequestCache(folder):
                pass
        yield answers


def _newest(answers: sqlite3.Connection, source: str) -> tuple[int, int, int] | None:
    """The first and the last number of a source's answers, and the time of the last; None without any."""
    version = find_service(source).version
    ours = "FROM answers WHERE source = :source AND version = :version"
    query = f"SELECT (SELECT min(number) {ours}), (SELECT max(number) {ours})"  # each by the index alone
    span = answers.execute(query, {"source": source, "version": version}).fetchone()
    if span[0] is None:
        return None
    (time,) = answers.execute("SELECT fetched_at FROM answers WHERE number = ?", span[1:]).fetchone()
    return (*span, time)


def _connect(file: Path, read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    uri = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)


def _layout(answers: sqlite3.Connection, file: Path) -> int:
    (layout,) = answers.execute("PRAGMA user_version").fetchone()
    if layout > _LAYOUT:
        raise UserError(f"the cache {file} was written by a newer songmood: use that version")
    return int(layout)


@contextmanager
def _faults(file: Path) -> Iterator[None]:
    """Raise SQLite's errors as UserError, in one line that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UserError(f"cannot use the cache {file}: {error}; the answers so far are kept") from None
    except sqlite3.DatabaseError:
        raise UserError(
            f"the cache {file} is damaged: move it away, and services are asked again for what it held"
        ) from None


def _storable(value: Any) -> Any:
    """A value without lone surrogates, which are not UTF-8; JSON of a service may hold some."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _old_row(row: dict[str, Any]) -> tuple[Any, ...]:
    time = (row["fetched_at"] - _EPOCH) // timedelta(microseconds=1)
    return (*(_storable(row[name]) for name, _ in _COLUMNS[:-1]), time)
