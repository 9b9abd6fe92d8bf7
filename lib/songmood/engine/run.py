"""A run: each step is done, or reused from an earlier run, and the manifest says what happened.

A step is reused when its tables, made from the same code, settings, package versions and inputs, exist
already (fingerprint.py); that is also how an interrupted run resumes. Tables and models that are not as they
were written are made again: files are compared by names and sizes before a step is reused, and by content
before they are read or published.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_type_hints

from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel

from songmood.engine import terminal
from songmood.engine.errors import UserError
from songmood.engine.fingerprint import Fingerprints, code_revision, package_versions
from songmood.engine.memory import peak_memory
from songmood.engine.pipeline import Pipeline
from songmood.engine.settings import RootSettings
from songmood.engine.step import Counts, Notes, Step
from songmood.engine.store import CHECKPOINTS, KEPT, MANIFEST, Store

log = logging.getLogger(__name__)


@dataclass
class StepRecord:
    """What the manifest keeps of one step."""

    step: str
    fingerprint: str
    reused: bool = False
    seconds: float = 0.0
    peak_memory_mb: int = 0
    rows_in: dict[str, int] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run of some steps, writing into one warehouse."""

    def __init__(
        self, pipeline: Pipeline, settings: RootSettings, store: Store, spark: SparkSession, run_id: str
    ) -> None:
        self.pipeline, self.settings = pipeline, settings
        self.store, self.spark, self.run_id = store, spark, run_id
        self.manifest: dict[str, Any] = {
            "run_id": run_id,
            "state": "running",
            "started_at": _now(),
            pipeline.name: pipeline.version,
            "code_revision": code_revision(),
            "master": spark.sparkContext.master,
            "packages": package_versions(pipeline.packages),
            "seed": settings.seed,
            "settings": settings.model_dump(mode="json"),
            "tables": {},
            "models": {},
            "kept": [],
            "fingerprints": {},
            "files": [],
            "steps": [],
        }

    def go(self, chosen: Sequence[Step[..., Any]]) -> None:
        """Do or reuse each of these steps, with the tables of the steps before them."""
        started = time.perf_counter()
        fingerprints = Fingerprints(self.pipeline, self.settings)
        if any(self._needs_others(step) for step in chosen):
            self._take_earlier(self.pipeline.before(chosen[0]), fingerprints)
        for number, step in enumerate(chosen, 1):
            terminal.show_start(number, len(chosen), step.name, step.about)
            fingerprint = fingerprints.of(step)
            log.debug("fingerprint of %s: %s", step.name, fingerprint)
            if not self.reuse(step, fingerprint):
                self.do(step, fingerprint)
            terminal.show_end(self.manifest["steps"][-1])
            self.save("running")
        self.save("complete")
        seconds = time.perf_counter() - started
        root = self.store.local_root or self.store.uri
        terminal.show_block(self.run_id, root, self.manifest, self.pipeline.featured, seconds)

    def save(self, state: str) -> None:
        """Write the manifest as far as it goes; `state` is running, complete, failed or interrupted."""
        self.manifest["state"] = state
        self.manifest["updated_at"] = _now()
        self.store.write_json(f"runs/{self.run_id}/{MANIFEST}", self.manifest)

    def reuse(self, step: Step[..., Any], fingerprint: str) -> bool:
        """Take a step's tables and models from an earlier run, if it was completed with this fingerprint.

        If one of them is damaged, the step is done again.
        """
        if not self.pipeline.writes(step):
            return False
        self.manifest["fingerprints"][step.name] = fingerprint
        self.save("running")  # before looking: prune keeps what a run names
        kept = self.store.step_record(step.name, fingerprint)
        if kept is None:
            return False
        damages = [damage for path in _places(kept) if (damage := self.store.damage(path))]
        if damages:
            terminal.warn(f"{damages[0]}: step {step.name} is done again")
            self.do(step, fingerprint)
        else:
            self._add(StepRecord(**{**kept, "reused": True}))
        return True

    def do(self, step: Step[..., Any], fingerprint: str) -> None:
        """Call one step, write what it returns, and record it."""
        self._repair_inputs(step)
        record = StepRecord(step.name, fingerprint)
        with peak_memory() as peak, TemporaryDirectory() as scratch, self._checkpoints():
            started = time.perf_counter()
            for name in self.pipeline.reads(step, self.settings):
                if name in self.pipeline.tables:
                    record.rows_in[name] = self._counts(name).rows
            arguments = self._bind(step.function, step, record, Path(scratch))
            result = step.function(**arguments)
            self._write(step, result, record)
            if step.review is not None:
                self._note(record, step.review(**self._bind(step.review, step, record, Path(scratch))))
            record.seconds = round(time.perf_counter() - started, 2)
        record.peak_memory_mb = peak()
        if self.pipeline.writes(step):
            self.store.complete_step(step.name, fingerprint, asdict(record))
        self._add(record)

    # -- within ------------------------------------------------------------------------------

    @contextmanager
    def _checkpoints(self) -> Iterator[None]:
        """A folder for DataFrame.checkpoint, where a lost executor loses nothing."""
        folder = f"runs/{self.run_id}/{CHECKPOINTS}"
        self.spark.sparkContext.setCheckpointDir(f"{self.store.uri}/{folder}")
        try:
            yield
        finally:
            self.store.delete(folder)

    def _needs_others(self, step: Step[..., Any]) -> bool:
        return _reads_all(step) or bool(self.pipeline.reads(step, self.settings))

    def _take_earlier(self, earlier: Sequence[Step[..., Any]], fingerprints: Fingerprints) -> None:
        for step in earlier:
            if self.pipeline.writes(step) and not self.reuse(step, fingerprints.of(step)):
                raise UserError(
                    f"step {step.name} has no complete tables for these settings, code and inputs: "
                    f"run {self.pipeline.command} all --until {step.name} with the same settings first"
                )

    def _repair_inputs(self, step: Step[..., Any]) -> None:
        """Do the steps again whose tables or models this step is about to read, where these are damaged."""
        names = {*self.pipeline.reads(step, self.settings), *self.pipeline.writes(step)}  # shared ones grow
        for name, path in [*self.manifest["tables"].items(), *self.manifest["models"].items()]:
            if name in names or _reads_all(step):
                damage = self.store.damage(path, whole=True)
                if damage:
                    self._do_again(path, damage)

    def _do_again(self, path: str, damage: str) -> None:
        """Do the step again that wrote a table or model, as if the steps after it were still to come."""
        steps = self.manifest["steps"]
        place = next(i for i, record in enumerate(steps) if path in _places(record))
        damaged, later = steps[place], steps[place + 1 :]
        terminal.warn(f"{damage}: step {damaged['step']} is done again")
        self._set_steps(steps[:place])
        self.do(self.pipeline.find(damaged["step"]), damaged["fingerprint"])
        self._set_steps([*self.manifest["steps"], *later])

    def _add(self, record: StepRecord) -> None:
        self._set_steps([*self.manifest["steps"], asdict(record)])

    def _set_steps(self, steps: list[dict[str, Any]]) -> None:
        self.manifest["steps"] = steps
        tables = {name: table["path"] for record in steps for name, table in record["tables"].items()}
        self.manifest["tables"] = tables
        self.manifest["models"] = {name: path for record in steps for name, path in record["models"].items()}
        self.manifest["kept"] = [path for record in steps for path in record["kept"]]

    def _bind(
        self, function: Callable[..., Any], step: Step[..., Any], record: StepRecord, scratch: Path
    ) -> dict[str, Any]:
        """The arguments of a step's function, or of its review, by name."""
        pipeline = self.pipeline
        settings = dict(pipeline.sections(function, self.settings))
        special: dict[str, Callable[[], Any]] = {
            "seed": lambda: self.settings.seed,
            "spark": lambda: self.spark,
            "rows": lambda: dict(record.rows_in),
            "scratch": lambda: scratch,
            "manifest": lambda: self.manifest,
            "tables": lambda: _Tables(self),
            "store": lambda: self.store,
            "keep": lambda: partial(self._keep, record),
            "say": lambda: terminal.say,
            "counts": lambda: {
                name: self._counts(name, record) for name in [*record.rows_in, *record.tables]
            },
        }
        bound: dict[str, Any] = {}
        for name in get_type_hints(function):
            if name == "return":
                continue
            if not step.reads(name, self.settings):
                bound[name] = None
            elif name in settings:
                bound[name] = settings[name]
            elif name in pipeline.tables:
                bound[name] = self.read(name)
            elif name in pipeline.models:
                bound[name] = self._fetch_model(name, scratch)
            elif name in pipeline.inputs:
                bound[name] = pipeline.inputs[name].open(self.settings)
            else:
                bound[name] = special[name]()
        return bound

    def _keep(self, record: StepRecord, name: str) -> str:
        record.kept.append(f"{KEPT}/{name}")
        self.manifest["kept"].append(f"{KEPT}/{name}")
        self.save("running")  # before it is used: prune keeps what a run names
        return f"{self.store.uri}/{KEPT}/{name}"

    def read(self, name: str) -> DataFrame:
        """A table as the steps so far left it."""
        return self.store.read(self.spark, self.pipeline.tables[name], self.manifest["tables"][name])

    def _fetch_model(self, name: str, scratch: Path) -> Path | None:
        path = self.manifest["models"].get(name)
        return None if path is None else self.store.fetch_folder(path, scratch / Path(path).name)

    def _write(self, step: Step[..., Any], result: Any, record: StepRecord) -> None:
        """Write the tables, models and files of a result, and keep its notes."""
        if isinstance(result, Notes):
            self._note(record, result)
            return
        if result is None:
            return
        values = dict(zip(result._fields, result, strict=True))
        shared: Sequence[DataFrame] = values.get("shared", ())
        for frame in shared:
            frame.persist(StorageLevel.DISK_ONLY)
        try:
            for name in self.pipeline.writes(step):
                if name in self.pipeline.tables:
                    self._write_table(name, values[name], record)
                elif values[name] is not None:
                    record.models[name] = f"models/{name}-{record.fingerprint}"
                    self.store.write_folder(values[name], record.models[name])
        finally:
            for frame in shared:
                frame.unpersist()
        files: Mapping[str, str] = values.get("files", {})
        for name, text in files.items():
            self.store.write_text(f"runs/{self.run_id}/{name}", text)
            self.manifest["files"] = [*(f for f in self.manifest["files"] if f != name), name]
        self._note(record, values.get("notes", Notes()))

    def _write_table(self, name: str, rows: DataFrame, record: StepRecord) -> None:
        table = self.pipeline.tables[name]
        earlier = self._record_of(name) if table.shared else None
        written = self.store.write(rows, table, record.fingerprint, record.step, earlier)
        log.debug("wrote %s in %.1f s", written.path, written.seconds)
        record.tables[name] = asdict(written)

    def _note(self, record: StepRecord, notes: Notes) -> None:
        record.warnings.extend(notes.warnings)
        record.figures.update(notes.figures)

    def _record_of(self, table: str) -> dict[str, Any] | None:
        """What the manifest says of a table, as the last step that wrote it left it."""
        for record in reversed(self.manifest["steps"]):
            if table in record["tables"]:
                found: dict[str, Any] = record["tables"][table]
                return found
        return None

    def _counts(self, table: str, record: StepRecord | None = None) -> Counts:
        found = (record.tables.get(table) if record else None) or self._record_of(table)
        if found is None:
            raise KeyError(table)
        return Counts(found["rows"], found["reasons"], found["examples"], found["distinct"])


class _Tables(Mapping[str, DataFrame]):
    """The tables of a run, each read when it is asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getitem__(self, name: str) -> DataFrame:
        return self._run.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.manifest["tables"])

    def __len__(self) -> int:
        return len(self._run.manifest["tables"])


def _reads_all(step: Step[..., Any]) -> bool:
    """Whether a step may read every table of the run so far."""
    return not {"manifest", "tables"}.isdisjoint(step.parameters)


def _places(record: Mapping[str, Any]) -> list[str]:
    """The paths of the tables and models of a step's record."""
    return [*(table["path"] for table in record["tables"].values()), *record["models"].values()]


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
