"""The warehouse: tables that are written once and never changed, and one file that names the published.

    WAREHOUSE/
      tables/<name>/<fingerprint>/      a complete table; anything under .writing/ is not yet one
      steps/<step>/<fingerprint>.json   what that step wrote: the proof that it is complete
      models/<name>-<fingerprint>/      fitted models: safetensors and JSON
      kept/<name>-<fingerprint>/        what is costly to make and serves several runs: embeddings by text
      runs/<run_id>/                    manifest.json, report.html, and alive.json while it runs
      current.json                      the published run

A rename is what completes a table, a folder and a file alike, so a reader never sees a half. Tables, models
and step records are sealed (seal.py). A table or model that is not as it was written counts as not complete.
It stays until the step has made it again, and is then set aside under .damaged/.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from pyarrow import fs
from pydantic import BaseModel, ValidationError
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from songmood.engine.errors import UserError, reason_of
from songmood.engine.seal import find_damage, from_sealed, read_seal, seal_folder, to_sealed
from songmood.engine.table import Table

WRITING, DAMAGED = ".writing", ".damaged"  # folders beside tables and models
MANIFEST = "manifest.json"
KEPT = "kept"
_SORTED_GROUP = 1 << 20  # bytes of a row group of a sorted table
CHECKPOINTS = ".checkpoints"  # in the folder of a run: what Spark keeps of a step until the step ends


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


class Pointer(BaseModel):
    """What current.json says: the published run and its tables."""

    run_id: str
    tables: dict[str, str]


class Manifest(BaseModel):
    """What the warehouse needs to know from a run's manifest.

    `fingerprints` has those of the steps that the run has begun to look at, to do or to reuse.
    """

    state: str = "complete"
    tables: dict[str, str]
    models: dict[str, str]
    kept: list[str] = []
    fingerprints: dict[str, str] = {}


Content = TypeVar("Content", bound=BaseModel)


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


def write_file(filesystem: fs.FileSystem, path: str, content: bytes) -> None:
    """Replace a file: its readers see the old content or the new, never a part.

    Until it is complete, its name begins with a dot, so that Spark does not read it with its folder.
    """
    folder, name = os.path.split(path)
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex}.writing"
    filesystem.create_dir(folder, recursive=True)
    try:
        with filesystem.open_output_stream(temporary) as stream:
            stream.write(content)
        filesystem.move(temporary, path)
    except OSError:
        if filesystem.get_file_info(temporary).type != fs.FileType.NotFound:
            filesystem.delete_file(temporary)
        raise


class Store:
    """Reads and writes the warehouse at `root`, a local path or a URI that pyarrow.fs knows."""

    def __init__(self, root: str) -> None:
        self.uri = absolute(root).rstrip("/")
        self._fs, self._root = open_filesystem(self.uri)
        self._seen_whole: set[str] = set()  # the paths whose content was compared

    @property
    def local_root(self) -> str | None:
        """The warehouse as a path of this machine, or None if it is elsewhere."""
        return self._root if self.uri.startswith("file://") else None

    def check_writable(self) -> None:
        """Raise UserError if nothing can be written to the warehouse."""
        probe = f"probe.{uuid.uuid4().hex}"
        try:
            self.write_text(probe, "a full disk has room for an empty file\n")
            self.delete(probe)
        except (OSError, ValueError) as error:
            raise UserError(
                f"cannot write to the warehouse {self.uri} ({reason_of(error)}): "
                "set paths.warehouse to a folder that you can write to"
            ) from None

    # -- files -------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder at a path of the warehouse."""
        return bool(self._fs.get_file_info(self._at(path)).type != fs.FileType.NotFound)

    def read_file(self, path: str) -> bytes | None:
        """The content of a file; None if the file does not exist."""
        try:
            with self._fs.open_input_stream(self._at(path), compression=None) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def read_record(self, path: str) -> dict[str, Any] | None:
        """What write_record wrote; None if the file is missing, damaged or of another version."""
        try:
            return from_sealed(self.read_file(path) or b"")
        except OSError:  # a bad sector, or a folder in its place
            return None

    def write_record(self, path: str, record: Mapping[str, Any]) -> None:
        """Replace a file by a sealed one, which counts as missing when it is damaged."""
        self.write_text(path, to_sealed(record))

    def write_json(self, path: str, value: Any) -> None:
        """Replace a JSON file, as write_text does."""
        self.write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")

    def write_text(self, path: str, text: str) -> None:
        """Replace a file: its readers see the old text or the new, never a part."""
        write_file(self._fs, self._at(path), text.encode("utf-8"))

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
        """Write a table once, checked; if it exists already and is whole, keep the existing one.

        `earlier` is what the manifest says of the same table as a step before left it: its rows become a
        part of this one. Raises UserError if columns differ from the contract, a key is null or occurs
        twice, or a check fails. Until all of it is known to hold, the table has no name that anyone reads.
        """
        _same_names(rows, table, step)
        started = datetime.now(timezone.utc)
        path = self.table_path(table, fingerprint)
        temporary = f"tables/{table.name}/{WRITING}/{fingerprint}-{uuid.uuid4().hex}"
        broken = [f"NOT ({check})" for check in table.checks]
        broken += [f"{column} IS NULL" for column in table.key]
        names = [*table.checks, *(f"{column} IS NOT NULL" for column in table.key)]
        observation = Observation()
        rows = rows.to(table.schema)
        if table.sorted_by:
            rows = rows.repartitionByRange(*table.sorted_by).sortWithinPartitions(*table.sorted_by)
        observed = rows.observe(
            observation,
            F.count(F.lit(1)).alias("rows"),
            *(F.count_if(F.expr(test)).alias(f"check_{i}") for i, test in enumerate(broken)),
        )
        try:
            writer = observed.write
            if table.sorted_by:
                writer = writer.option("parquet.block.size", _SORTED_GROUP)
            writer.parquet(f"{self.uri}/{temporary}")
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
                total += int(earlier["rows"])
            seconds = (datetime.now(timezone.utc) - started).total_seconds()
            about = Written(table.name, path, total, *counted, checks, round(seconds, 2))
            return Written(**self._complete(temporary, path, asdict(about)))
        finally:
            self.delete(temporary)

    def _count(self, rows: DataFrame, table: Table) -> tuple[dict[str, int], dict[str, str], int | None]:
        """Reasons, their examples, and distinct values, as the table asks for them."""
        reasons: dict[str, int] = {}
        examples: dict[str, str] = {}
        if table.reason is not None:
            weight = F.sum(table.reason_weight) if table.reason_weight else F.count(F.lit(1))
            example = F.min(table.example) if table.example else F.lit(None)
            found = rows.dropna(subset=[table.reason]).groupBy(table.reason).agg(weight, example).collect()
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
        for name in self.files(path):
            if name.endswith(".parquet"):
                source, copy = self._at(f"{path}/{name}"), self._at(f"{into}/earlier-{name}")
                fs.copy_files(source, copy, source_filesystem=self._fs, destination_filesystem=self._fs)

    # -- folders -----------------------------------------------------------------------------

    def write_folder(self, local_folder: Path, path: str) -> None:
        """Copy a local folder of files (a model) into the warehouse, complete or not at all."""
        folder, name = os.path.split(path)
        temporary = f"{folder}/{WRITING}/{name}-{uuid.uuid4().hex}"
        self._fs.create_dir(self._at(temporary), recursive=True)
        try:
            fs.copy_files(str(local_folder), self._at(temporary), destination_filesystem=self._fs)
            self._complete(temporary, path, {})
        finally:
            self.delete(temporary)

    def fetch_folder(self, path: str, to: Path) -> Path:
        """A folder of the warehouse as a local one: itself if it is local, else a copy under `to`."""
        if self.local_root is not None:
            return Path(self._at(path))
        to.mkdir(parents=True, exist_ok=True)
        fs.copy_files(self._at(path), str(to), source_filesystem=self._fs)
        return to

    # -- steps, runs, publish ----------------------------------------------------------------

    def step_record(self, step: str, fingerprint: str) -> dict[str, Any] | None:
        """What a step wrote, if it was completed. Whether that is still whole is for `damage` to say."""
        record = self.read_record(_record_path(step, fingerprint))
        named = record and (record.get("step"), record.get("fingerprint"))
        return record if named == (step, fingerprint) else None

    def complete_step(self, step: str, fingerprint: str, record: Mapping[str, Any]) -> None:
        """Say that all the tables of a step are written: from now on it is reused."""
        self.write_record(_record_path(step, fingerprint), record)

    def damage(self, path: str, whole: bool = False) -> str | None:
        """In what a table or model differs from what was written, in words; None if in nothing.

        Names and sizes of files are compared, and `whole` compares their content, which is read at most once.
        """
        found = find_damage(self._fs, self._at(path), whole and path not in self._seen_whole)
        if found is not None:
            return f"{path} {found}"
        if whole:
            self._seen_whole.add(path)
        return None

    def manifest(self, run_id: str) -> Manifest | None:
        """The manifest of a run; None if it has none. Raises UserError if it is damaged."""
        folder = f"runs/{run_id}"
        return self._read(Manifest, f"{folder}/{MANIFEST}", f"restore it, or delete {self.uri}/{folder}")

    def published(self) -> Pointer | None:
        """What is published; None if nothing is. Raises UserError if current.json is damaged."""
        return self._read(Pointer, "current.json", "run the step publish again, which replaces it")

    def publish(self, run_id: str, tables: dict[str, str]) -> None:
        """Point current.json at a run's tables, all at once.

        Raises UserError if a table is missing or damaged.
        """
        missing = sorted(name for name, path in tables.items() if not self.exists(path))
        if missing:
            raise UserError(f"publish: tables are missing: {', '.join(missing)}; run all again")
        damages = [damage for path in tables.values() if (damage := self.damage(path, whole=True))]
        if damages:
            raise UserError(f"publish: {damages[0]}; run all again")
        self.write_json("current.json", {"run_id": run_id, "tables": dict(sorted(tables.items()))})

    # -- within ------------------------------------------------------------------------------

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder."""
        return [info.base_name for info in self._children(path) if info.type == fs.FileType.Directory]

    def files(self, path: str) -> list[str]:
        """The names of the files in a folder."""
        return [info.base_name for info in self._children(path) if info.type == fs.FileType.File]

    def changed_at(self, path: str) -> datetime | None:
        """When a file or folder was changed, by the clock of its file system; None if it does not exist."""
        info = self._fs.get_file_info(self._at(path))
        if info.mtime is None and info.type == fs.FileType.Directory:  # object stores have no time of folders
            inner = self._fs.get_file_info(fs.FileSelector(self._at(path), recursive=True))
            return max((file.mtime for file in inner if file.mtime is not None), default=None)
        changed: datetime | None = info.mtime
        return changed

    def delete(self, path: str) -> None:
        """Delete a file or folder, if it exists."""
        kind = self._fs.get_file_info(self._at(path)).type
        if kind == fs.FileType.Directory:
            self._fs.delete_dir(self._at(path))
        elif kind != fs.FileType.NotFound:
            self._fs.delete_file(self._at(path))

    def _children(self, path: str) -> list[fs.FileInfo]:
        found = self._fs.get_file_info(fs.FileSelector(self._at(path), allow_not_found=True))
        return sorted(found, key=lambda info: str(info.base_name))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _read(self, kind: type[Content], path: str, advice: str) -> Content | None:
        text = self.read_file(path)
        try:
            return None if text is None else kind.model_validate_json(text)
        except ValidationError:
            raise UserError(f"{self.uri}/{path} is damaged: {advice}") from None

    def _complete(self, temporary: str, path: str, about: dict[str, Any]) -> dict[str, Any]:
        """Seal a folder and give it its final name; what is in its place is kept if it is whole.

        Returns `about`, or what the kept folder's seal has in its place: another run may have done the same
        work first.
        """
        for name in self.files(temporary):
            if name.endswith(".crc"):  # Hadoop's checksums: if one is damaged, it refuses the healthy file
                self.delete(f"{temporary}/{name}")
        seal_folder(self._fs, self._at(temporary), about)
        if self.exists(path) and self.damage(path, whole=True):
            self._set_aside(path)
        try:
            self._fs.create_dir(os.path.dirname(self._at(path)), recursive=True)
            self._fs.move(self._at(temporary), self._at(path))
        except OSError:
            seal = read_seal(self._fs, self._at(path))
            if seal is None:
                raise
            return dict(seal["about"])
        self._seen_whole.add(path)
        return about

    def _set_aside(self, path: str) -> None:
        folder, name = os.path.split(path)
        aside = f"{folder}/{DAMAGED}/{name}-{uuid.uuid4().hex}"
        self._fs.create_dir(os.path.dirname(self._at(aside)), recursive=True)
        with suppress(FileNotFoundError):  # another run that found the same damage was first
            self._fs.move(self._at(path), self._at(aside))


def _record_path(step: str, fingerprint: str) -> str:
    return f"steps/{step}/{fingerprint}.json"


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
