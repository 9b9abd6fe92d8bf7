"""What services answered, kept so that nothing is asked twice: one cache for all of them.

    CACHE/
      answers/<first number>-<last number>.parquet   shards, each written once and never changed
      journal.jsonl                                  the newest answers, a line each, not yet a shard
      lock                                           held while a run asks

An answer is in the journal before the next is asked for, so a killed run loses only what was on its
way. A line that was cut is none. When the journal is long, and at the end, it becomes a shard: written
under a temporary name, then renamed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.engine.errors import UserError
from songmood.settings import Settings

OK, NOT_FOUND, NO_MATCH, TRANSIENT, PERMANENT = "ok", "not_found", "no_match", "transient", "permanent"

# The version of each service's parser: answers of an older one are asked for anew.
VERSIONS = {"lastfm": 1, "spotify": 1, "reccobeats": 1, "genius": 1}

_SCHEMA = pa.schema(
    [
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
)
ANSWER_SCHEMA = (
    "number long, source string, version int, request string, status string, content string, "
    "http_status int, attempts int, last_error string, fetched_at timestamp"
)


@dataclass(frozen=True)
class Answer:
    """What a service said to one request. `content` is JSON, of ok and no_match; `attempts` all so far."""

    request: str
    status: str
    content: str | None = None
    http_status: int | None = None
    attempts: int = 1
    last_error: str | None = None


class RequestCache:
    """The cache in `folder`, of this machine; open it as a context, which locks it against other runs.

    Raises UserError, in one line, if another run has it open, a shard cannot be read, or nothing can
    be written.
    """

    def __init__(self, folder: str | Path, shard_rows: int = 10_000) -> None:
        self.folder = Path(folder)
        self._answers, self._journal = self.folder / "answers", self.folder / "journal.jsonl"
        self._shard_rows = shard_rows
        self._waiting: list[dict[str, Any]] = []
        self._number = 0
        self._lock: IO[str] | None = None
        self._lines: IO[bytes] | None = None

    def __enter__(self) -> RequestCache:
        try:
            self._answers.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "w")  # held until __exit__
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another run is asking services with the cache {self.folder}: wait for it, or stop it first"
            ) from None
        except OSError as error:
            raise UserError(f"cannot write the cache {self.folder}: {error.strerror}") from None
        self._number = max((last for _, last in self._shards()), default=0)
        for stray in self._answers.glob("*.writing"):
            stray.unlink()
        self._recover()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            for file in (self._lines, self._lock):
                if file is not None:
                    file.close()

    def add(self, source: str, answer: Answer) -> None:
        """Keep an answer; it is safe once this returns."""
        self._number += 1
        row = {"number": self._number, "source": source, "version": VERSIONS[source], **asdict(answer)}
        row["fetched_at"] = datetime.now(timezone.utc).isoformat()
        line = json.dumps(row, ensure_ascii=False) + "\n"
        try:
            if self._lines is None:
                self._lines = open(self._journal, "ab", buffering=0)  # noqa: SIM115  # closed with the shard
            self._lines.write(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise UserError(
                f"cannot write the cache {self._journal}: {error.strerror}; the answers so far are kept"
            ) from None
        self._waiting.append(row)
        if len(self._waiting) >= self._shard_rows:
            self.flush()

    def newest_time(self) -> datetime | None:
        """When the newest answer was fetched, by the clock of then."""
        times = [
            pq.read_table(self._answers / name, columns=["fetched_at"])[0]
            for name in shard_names(self.folder)
        ]
        newest = [pc.max(column).as_py() for column in times]
        return max((time for time in newest if time is not None), default=None)

    def _recover(self) -> None:
        """Make what a killed run left in the journal a shard."""
        if not self._journal.exists():
            return
        with open(self._journal, "rb") as lines:
            for line in lines:
                try:
                    row = json.loads(line)
                except ValueError:  # cut in the middle
                    continue
                if line.endswith(b"\n") and row["number"] > self._number:
                    self._waiting.append(row)
        if self._waiting:
            self._number = self._waiting[-1]["number"]
        self.flush()

    def flush(self) -> None:
        """Make what is in the journal a shard, which read_answers reads."""
        if self._waiting:
            rows = [{**row, "fetched_at": datetime.fromisoformat(row["fetched_at"])} for row in self._waiting]
            name = f"{rows[0]['number']:012}-{rows[-1]['number']:012}.parquet"
            temporary = self._answers / f"{name}.writing"
            try:
                pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), temporary)
                os.replace(temporary, self._answers / name)
            except OSError as error:
                temporary.unlink(missing_ok=True)
                raise UserError(
                    f"cannot write the cache {self._answers}: {error.strerror or error}; "
                    "its journal has all answers"
                ) from None
            self._waiting = []
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        self._journal.unlink(missing_ok=True)

    def _shards(self) -> Iterator[tuple[int, int]]:
        for name in shard_names(self.folder):
            _check_shard(self._answers / name)
            first, last = name.removesuffix(".parquet").split("-")
            yield int(first), int(last)


def cache_folder(settings: Settings) -> str:
    """Where the cache is. Raises UserError where no folder of this machine is named."""
    folder = settings.fetch.cache or f"{settings.paths.warehouse}/requests"
    if "://" in folder.removeprefix("file://"):
        raise UserError(
            f"services need a cache on a disk of this machine, and {folder} is none: "
            "set fetch.cache to a folder, one that the executors see, too"
        )
    return folder.removeprefix("file://")


def answer_folders(settings: Settings) -> dict[str, str]:
    """The input `answers`: where the answers of each service that is switched on are."""
    return {name: cache_folder(settings) for name in settings.enrich.services}


def answers_fingerprint(settings: Settings) -> str:
    """The fingerprint of that input."""
    return json.dumps(cache_fingerprint(cache_folder(settings)) if settings.enrich.services else None)


def shard_names(folder: str | Path) -> list[str]:
    """The files of a cache's shards, in the order of their answers; none where there is no cache."""
    return sorted(path.name for path in Path(folder, "answers").glob("*-*.parquet"))


def cache_fingerprint(folder: str | Path) -> list[tuple[str, int]]:
    """What is in a cache, for a step's fingerprint: shards never change."""
    return [(name, Path(folder, "answers", name).stat().st_size) for name in shard_names(folder)]


def read_answers(spark: SparkSession, folder: str | Path, source: str) -> DataFrame:
    """The newest answer to each request of a source, as ANSWER_SCHEMA has it."""
    names = shard_names(folder)
    for name in names:
        _check_shard(Path(folder, "answers", name))
    if not names:
        return spark.createDataFrame([], ANSWER_SCHEMA)
    rows = spark.read.schema(ANSWER_SCHEMA).parquet(
        *(Path(folder, "answers", n).absolute().as_uri() for n in names)
    )
    mine = rows.where((F.col("source") == source) & (F.col("version") == VERSIONS[source]))
    newest = mine.groupBy("request").agg(F.max_by(F.struct("*"), "number").alias("newest"))
    return newest.select("newest.*")


def _check_shard(path: Path) -> None:
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid):
        raise UserError(
            f"the cache file {path} is damaged: move it away, and what it held is asked again"
        ) from None
