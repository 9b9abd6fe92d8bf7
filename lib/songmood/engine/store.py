"""The warehouse: tables that are written once and never changed, and one file that names the published.

    WAREHOUSE/
      tables/<name>/<fingerprint>/      a complete table; anything under .writing/ is not yet one
      steps/<step>/<fingerprint>.json   what that step wrote: the proof that it is complete
      models/<fingerprint>/             fitted models: safetensors and JSON
      runs/<run_id>/                    manifest.json, report.html
      current.json                      the published run

A rename is what completes a table, a folder and a file alike, so a reader never sees a half.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pyarrow import fs
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from songmood.engine.errors import UserError
from songmood.engine.table import Table

# What prune leaves alone although no run names it: a run may be writing it at this moment.
GRACE = timedelta(hours=24)


@dataclass(frozen=True)
class Written:
    """A table's place and counts. `path` is relative to the warehouse.

    `rows` are those of the table as it is now; the other counts are of the rows that the step added (see
    Table and Counts). `checks` says how many rows break each check: 0, or the step fails.
    """

    table: str
    path: str
    rows: int
    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    distinct: int | None = None
    checks: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def absolute(path: str) -> str:
    """A path as Spark and pyarrow both read it: URIs as they are, local paths absolute with file://."""
    return path if "://" in path else f"file://{os.path.abspath(os.path.expanduser(path))}"


def open_filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a URI, and the path within it."""
    if uri.startswith("file://"):  # as it is: from_uri takes no spaces
        return fs.LocalFileSystem(), uri.removeprefix("file://")
    try:
        filesystem, path = fs.FileSystem.from_uri(uri)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot open {uri}: {error}") from None
    return filesystem, path


class Store:
    """Reads and writes the warehouse at `root`, a local path or a URI that pyarrow.fs knows."""

    def __init__(self, root: str) -> None:
        self.uri = absolute(root).rstrip("/")
        self._fs, self._root = open_filesystem(self.uri)

    @property
    def local_root(self) -> str | None:
        """The warehouse as a path of this machine, or None if it is elsewhere."""
        return self._root if self.uri.startswith("file://") else None

    # -- files -------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder at a path of the warehouse."""
        return bool(self._fs.get_file_info(self._at(path)).type != fs.FileType.NotFound)

    def read_json(self, path: str) -> Any:
        """The value of a JSON file."""
        with self._fs.open_input_stream(self._at(path)) as stream:
            return json.loads(stream.read())

    def write_json(self, path: str, value: Any) -> None:
        """Replace a JSON file, as write_text does."""
        self.write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")

    def write_text(self, path: str, text: str) -> None:
        """Replace a file: its readers see the old text or the new, never a part."""
        temporary = self._at(f"{path}.{uuid.uuid4().hex}.writing")
        self._fs.create_dir(os.path.dirname(temporary), recursive=True)
        try:
            with self._fs.open_output_stream(temporary) as stream:
                stream.write(text.encode("utf-8"))
            self._fs.move(temporary, self._at(path))
        except OSError:
            if self._fs.get_file_info(temporary).type != fs.FileType.NotFound:
                self._fs.delete_file(temporary)
            raise

    # -- tables ------------------------------------------------------------------------------

    def table_path(self, table: Table, fingerprint: str) -> str:
        """Where a table of that fingerprint is, or would be."""
        return f"tables/{table.name}/{fingerprint}"

    def read(self, spark: SparkSession, table: Table, path: str) -> DataFrame:
        """A complete table. It has the contract's columns: they are a part of what its path is a hash of."""
        # with a schema, or Spark would run a job to find one in the files
        return spark.read.schema(table.schema).parquet(f"{self.uri}/{path}")

    def write(
        self,
        rows: DataFrame,
        table: Table,
        fingerprint: str,
        step: str,
        earlier: Mapping[str, Any] | None = None,
    ) -> Written:
        """Write a table once, checked; if it exists already, keep the existing one.

        `earlier` is what the manifest says of the same table as a step before left it: its rows become a
        part of this one. Raises UserError if columns differ from the contract, a key is null or occurs
        twice, or a check fails. Until all of it is known to hold, the table has no name that anyone reads.
        """
        _same_names(rows, table, step)
        started = datetime.now(timezone.utc)
        path = self.table_path(table, fingerprint)
        temporary = f"tables/{table.name}/.writing/{fingerprint}-{uuid.uuid4().hex}"
        broken = [f"NOT ({check})" for check in table.checks]
        broken += [f"{column} IS NULL" for column in table.key]
        names = [*table.checks, *(f"{column} IS NOT NULL" for column in table.key)]
        observation = Observation()
        observed = rows.to(table.schema).observe(
            observation,
            F.count(F.lit(1)).alias("rows"),
            *(F.count_if(F.expr(test)).alias(f"check_{i}") for i, test in enumerate(broken)),
        )
        try:
            observed.write.parquet(f"{self.uri}/{temporary}")
            counts = observation.get  # empty where Spark finds that the plan has no rows
            checks = {name: int(counts.get(f"check_{i}", 0)) for i, name in enumerate(names)}
            total = int(counts.get("rows", 0))
            written = self.read(rows.sparkSession, table, temporary)
            distinct = written.select(*table.key).distinct().count()
            checks[f"{', '.join(table.key)} unique"] = total - distinct
            for check, failures in checks.items():
                if failures:
                    raise UserError(f"{step}: {failures} rows of table {table.name} break the check: {check}")
            counted = self._count(written, table)
            if earlier is not None:
                self._copy_parts(str(earlier["path"]), temporary)
            self._complete(temporary, path)
        finally:
            if self.exists(temporary):
                self._fs.delete_dir(self._at(temporary))
        seconds = (datetime.now(timezone.utc) - started).total_seconds()
        total += int(earlier["rows"]) if earlier else 0
        return Written(table.name, path, total, *counted, checks, round(seconds, 2))

    def _count(self, rows: DataFrame, table: Table) -> tuple[dict[str, int], dict[str, str], int | None]:
        """Reasons, their examples, and distinct values, as the table asks for them."""
        reasons: dict[str, int] = {}
        examples: dict[str, str] = {}
        if table.reason is not None:
            weight = F.sum(table.reason_weight) if table.reason_weight else F.count(F.lit(1))
            example = F.min(table.example) if table.example else F.lit(None)
            found = rows.groupBy(table.reason).agg(weight, example).collect()
            for reason, count, shown in sorted(found, key=lambda r: (-r[1], str(r[0]))):
                reasons[str(reason)] = int(count)
                if shown is not None:
                    examples[str(reason)] = str(shown)
        distinct = None
        if table.distinct is not None:
            distinct = rows.select(table.distinct).distinct().count()
        return reasons, examples, distinct

    def _copy_parts(self, path: str, into: str) -> None:
        """Copy the files of a table beside those of another one."""
        for info in self._children(path):
            if info.base_name.endswith(".parquet"):
                copy = f"{into}/earlier-{info.base_name}"
                fs.copy_files(
                    info.path, self._at(copy), source_filesystem=self._fs, destination_filesystem=self._fs
                )

    # -- folders -----------------------------------------------------------------------------

    def write_folder(self, local_folder: Path, path: str) -> None:
        """Copy a local folder of files (a model) into the warehouse, complete or not at all."""
        temporary = f"{os.path.dirname(path)}/.writing/{uuid.uuid4().hex}"
        self._fs.create_dir(self._at(temporary), recursive=True)
        try:
            fs.copy_files(str(local_folder), self._at(temporary), destination_filesystem=self._fs)
            self._complete(temporary, path)
        finally:
            if self.exists(temporary):
                self._fs.delete_dir(self._at(temporary))

    def fetch_folder(self, path: str, to: Path) -> Path:
        """A folder of the warehouse as a local one: itself if it is local, else a copy under `to`."""
        if self.local_root is not None:
            return Path(self._at(path))
        to.mkdir(parents=True, exist_ok=True)
        fs.copy_files(self._at(path), str(to), source_filesystem=self._fs)
        return to

    # -- steps, publish, prune ---------------------------------------------------------------

    def step_record(self, step: str, fingerprint: str) -> dict[str, Any] | None:
        """What a complete step wrote, or None if it is not complete or a table or model is gone."""
        path = f"steps/{step}/{fingerprint}.json"
        if not self.exists(path):
            return None
        record: dict[str, Any] = self.read_json(path)
        places = [*(table["path"] for table in record["tables"].values()), *record["models"].values()]
        return record if all(self.exists(place) for place in places) else None

    def complete_step(self, step: str, fingerprint: str, record: dict[str, Any]) -> None:
        """Say that all the tables of a step are written: from now on it is reused."""
        self.write_json(f"steps/{step}/{fingerprint}.json", record)

    def publish(self, run_id: str, tables: dict[str, str]) -> None:
        """Point current.json at a run's tables, all at once. Raises UserError if one is missing."""
        missing = sorted(name for name, path in tables.items() if not self.exists(path))
        if missing:
            raise UserError(f"publish: tables are missing: {', '.join(missing)}; run all again")
        self.write_json("current.json", {"run_id": run_id, "tables": dict(sorted(tables.items()))})

    def prune(self, keep_runs: int, now: datetime | None = None) -> list[str]:
        """Delete old runs, and the tables, models and step records that no kept run names.

        The published run and the newest `keep_runs` are kept, and whatever is younger than a day.
        Returns what was deleted, as paths in the warehouse.
        """
        now = now or datetime.now(timezone.utc)
        runs = sorted(self._children("runs"), key=lambda info: info.mtime, reverse=True)
        published = self.read_json("current.json")["run_id"] if self.exists("current.json") else None
        kept = [r.base_name for r in runs[:keep_runs]]
        kept += [r.base_name for r in runs[keep_runs:] if r.base_name == published]
        marked: set[str] = set()
        for run_id in kept:
            if self.exists(f"runs/{run_id}/manifest.json"):
                manifest = self.read_json(f"runs/{run_id}/manifest.json")
                marked |= set(manifest["tables"].values()) | set(manifest["models"].values())
                marked |= {f"steps/{s['step']}/{s['fingerprint']}.json" for s in manifest["steps"]}
        candidates = [(f"runs/{r.base_name}", r) for r in runs if r.base_name not in kept]
        for folder in ("tables", "steps"):
            for child in self._children(folder):
                inner = f"{folder}/{child.base_name}"
                candidates += [(f"{inner}/{c.base_name}", c) for c in self._children(inner)]
        candidates += [(f"models/{c.base_name}", c) for c in self._children("models")]
        deleted = []
        for path, info in candidates:
            if path not in marked and now - info.mtime > GRACE:
                if info.type == fs.FileType.Directory:
                    self._fs.delete_dir(self._at(path))
                else:
                    self._fs.delete_file(self._at(path))
                deleted.append(path)
        return sorted(deleted)

    # -- within ------------------------------------------------------------------------------

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _children(self, path: str) -> list[fs.FileInfo]:
        return list(self._fs.get_file_info(fs.FileSelector(self._at(path), allow_not_found=True)))

    def _complete(self, temporary: str, path: str) -> None:
        """Give a folder its final name. Another run may have done the same work first: keep theirs."""
        self._fs.create_dir(os.path.dirname(self._at(path)), recursive=True)
        try:
            self._fs.move(self._at(temporary), self._at(path))
        except OSError:
            if not self.exists(path):
                raise


def _same_names(rows: DataFrame, table: Table, where: str) -> None:
    # DataFrame.to fills a missing nullable column with nulls in silence, so names are compared first.
    missing = [name for name in table.column_names if name not in rows.columns]
    extra = [name for name in rows.columns if name not in table.column_names]
    if missing or extra:
        raise UserError(
            f"{where}: table {table.name} should have the columns of songmood.tables"
            + (f"; missing: {', '.join(missing)}" if missing else "")
            + (f"; unknown: {', '.join(extra)}" if extra else "")
        )
