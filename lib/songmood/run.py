"""A run: command line, session, fingerprints, manifest, and what the terminal shows.

A step is skipped when its tables, made from the same code, settings, package versions and inputs, are
there already (fingerprint.py); that is also how a killed run resumes.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import traceback
import uuid
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel
from rapidfuzz import process

from songmood import __version__
from songmood.config import Config, Paths, load_config
from songmood.corpus import check_corpus, demo_paths
from songmood.errors import SongmoodError, explain
from songmood.fingerprint import code_revision, fingerprints, package_versions
from songmood.memory import peak_memory
from songmood.store import Store
from songmood.tables import TABLES

CONF = Path("conf")  # beside jobs/


@dataclass(frozen=True)
class Step:
    """One step: what it reads and writes, which settings it heeds, and the job that does it.

    `outside` describes what the step reads beside tables (corpus files, an encoder folder), so that
    a change of those is a change of its fingerprint.
    A job imports by itself what takes seconds to import (torch, scikit-learn, gensim): what is wrong with
    a command is said before.
    A step without tables (report, publish) is never skipped. One that is not on the way stands
    before the step that `before` names.
    """

    name: str
    about: str
    job: Callable[[Run], None]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    outside: Callable[[Config], str] | None = None
    before: str | None = None

    @property
    def stands_alone(self) -> bool:
        """No table before it or after it: demo and prune."""
        return self.outside is None and not self.reads and not self.writes


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
    models: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run of some steps over one corpus, writing into one warehouse.

    Jobs use `config`, `read`, `write`, `warn` and `note`; the rest belongs to the command line.
    """

    def __init__(self, config: Config, store: Store, spark: SparkSession, run_id: str) -> None:
        self.config = config
        self.store = store
        self.spark = spark
        self.run_id = run_id
        self.manifest: dict[str, Any] = {
            "run_id": run_id,
            "state": "running",
            "started_at": _now(),
            "songmood": __version__,
            "code_revision": code_revision(),
            "master": spark.sparkContext.master,
            "packages": package_versions(),
            "seed": config.seed,
            "settings": config.model_dump(mode="json"),
            "tables": {},
            "models": [],
            "steps": [],
        }
        self._record = StepRecord("", "")
        self._shipped: dict[str, Path] = {}
        self._temporary = TemporaryDirectory(prefix="songmood-")

    # -- for jobs ----------------------------------------------------------------------------

    def read(self, name: str) -> DataFrame:
        """A table as the steps before this one left it."""
        rows_in = self._rows(name)
        if rows_in is not None:
            self._record.rows_in[name] = rows_in
        return self.store.read(self.spark, TABLES[name], self.manifest["tables"][name])

    def write(self, *, shared: DataFrame | None = None, **tables: DataFrame) -> None:
        """Write tables, each once and checked.

        `shared` is the costly frame that several of them come from: it is computed once and kept
        on disk until all are written.
        """
        if shared is not None:
            shared.persist(StorageLevel.DISK_ONLY)
        try:
            for name, rows in tables.items():
                written = self.store.write(rows, TABLES[name], self._record.fingerprint, self._record.step)
                self._record.tables[name] = asdict(written)
                self.manifest["tables"][name] = written.path
        finally:
            if shared is not None:
                shared.unpersist()

    def write_model(self, local_folder: Path, name: str) -> None:
        """Keep a fitted model with the step that made it."""
        path = f"models/{name}-{self._record.fingerprint}"
        if not self.store.exists(path):
            self.store.write_folder(local_folder, path)
        self._record.models.append(path)
        self.manifest["models"].append(path)

    def find_model(self, name: str) -> str | None:
        """Where in the warehouse the model of that name is, or None if no step of this run made it."""
        found = [p for p in self.manifest["models"] if p.startswith(f"models/{name}-")]
        return found[-1] if found else None

    def ship(self, folder: Path) -> str:
        """Send a folder to every executor; there `SparkFiles.get(name)` finds it. Returns the name.

        It travels as an archive: a folder itself can be added on local[*] alone.
        """
        name = re.sub(r"[^\w.-]", "_", folder.name)  # it is part of an address
        if name not in self._shipped:
            archive = Path(self._temporary.name, f"{name}.zip")
            with zipfile.ZipFile(archive, "w") as packed:  # weights do not compress
                for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                    packed.write(file, file.relative_to(folder))
            self.spark.sparkContext.addArchive(f"{archive.as_uri()}#{name}")
        if self._shipped.setdefault(name, folder) != folder:
            raise SongmoodError(f"two different folders named {name} cannot be shipped in one run")
        return name

    def warn(self, message: str) -> None:
        """Something a person should know, that does not stop the run."""
        self._record.warnings.append(message)

    def note(self, **figures: Any) -> None:
        """Figures of this step for the manifest and the report."""
        self._record.figures.update(figures)

    # -- for the command line ----------------------------------------------------------------

    def start(self) -> None:
        """Say what runs, and write the manifest before any work."""
        print(f"songmood {__version__}  run {self.run_id}  corpus {self.config.paths.corpus}")
        self.save("running")

    def save(self, state: str) -> None:
        """Write the manifest as far as it goes; `state` is running, complete or failed."""
        self.manifest["state"] = state
        self.manifest["updated_at"] = _now()
        self.store.write_json(f"runs/{self.run_id}/manifest.json", self.manifest)

    def reuse(self, step: Step, fingerprint: str) -> bool:
        """Take a step's tables from an earlier run, if it is complete with this fingerprint."""
        known = self.store.step_record(step.name, fingerprint) if step.writes else None
        if known is None:
            return False
        record = StepRecord(**{**known, "reused": True})
        for name, written in record.tables.items():
            self.manifest["tables"][name] = written["path"]
        self.manifest["models"] += record.models
        self.manifest["steps"].append(asdict(record))
        return True

    def do(self, step: Step, fingerprint: str) -> None:
        """Run one step's job and record it."""
        self._record = StepRecord(step.name, fingerprint)
        with peak_memory() as peak:
            started = time.perf_counter()
            step.job(self)
            self._record.seconds = round(time.perf_counter() - started, 2)
        self._record.peak_memory_mb = peak()
        missing = sorted(set(step.writes) - set(self._record.tables))
        if missing:
            raise SongmoodError(f"{step.name} did not write: {', '.join(missing)}")
        record = asdict(self._record)
        if step.writes:
            self.store.complete_step(step.name, fingerprint, record)
        self.manifest["steps"].append(record)

    def _rows(self, name: str) -> int | None:
        for record in reversed(self.manifest["steps"]):
            if name in record["tables"]:
                return int(record["tables"][name]["rows"])
        return None


# -- command line ------------------------------------------------------------------------------


def main(
    steps: Sequence[Step],
    *,
    demo: Step | None = None,
    fetch: Step | None = None,
    others: Sequence[Step] = (),
    only: str | None = None,
) -> int:
    """Run the steps the command line asks for, `demo` first where no corpus is named.

    `fetch` goes before enrich where a service is switched on; `others` only where they are asked for.

    Returns the exit code: 0; 2 for what the user can mend; 1 for a fault; 130 for Ctrl-C.
    """
    arguments = _parse(only)
    try:
        base = Path(sys.argv[0]).resolve().parent.parent / CONF / "base.yaml"
        config = place(load_config(base, arguments.conf, arguments.set))
        beside = {step.name: step for step in (demo, fetch, *others) if step is not None}
        if only in beside:
            chosen = [beside[only]]
        else:
            chosen = choose(steps, arguments.start, arguments.until)
            if config.paths.corpus is None and demo is not None:
                chosen.insert(0, demo)
            names = [step.name for step in chosen]
            if fetch is not None and config.enrich.services and "enrich" in names:
                chosen.insert(names.index("enrich"), fetch)
        return _execute(chosen, steps, config, arguments.run_id or _new_run_id())
    except SongmoodError as error:
        return _stop(str(error), 2)


def choose(steps: Sequence[Step], start: str | None, until: str | None) -> list[Step]:
    """The steps from `start` until `until`, both included; None means the first and the last."""
    names = [step.name for step in steps]
    start, end = start or names[0], until or names[-1]
    for name in (start, end):
        if name not in names:
            nearest = process.extractOne(name, names)
            raise SongmoodError(f"unknown step {name}; did you mean {nearest[0]}?")
    chosen = list(steps[names.index(start) : names.index(end) + 1])
    if not chosen:
        raise SongmoodError(f"--from {start} comes after --until {end}")
    return chosen


def place(config: Config) -> Config:
    """Fill in the paths left open. The demo has a corpus and a warehouse of its own."""
    corpus, warehouse = config.paths.corpus, config.paths.warehouse
    if corpus is None:
        warehouse = warehouse or "demo/warehouse"
    elif "://" not in corpus:
        corpus = str(Path(corpus).expanduser().resolve())
    paths = Paths(corpus=corpus, warehouse=warehouse or "warehouse")
    return config.model_copy(update={"paths": paths})


def _parse(only: str | None) -> argparse.Namespace:
    # spark-submit.sh prints the help people read; this is for those who call spark-submit themselves.
    parser = argparse.ArgumentParser(prog=only or "all", allow_abbrev=False)
    parser.add_argument("--conf", action="append", type=Path, default=[], metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--run-id", metavar="ID")
    if only is None:
        parser.add_argument("--from", dest="start", metavar="STEP")
        parser.add_argument("--until", metavar="STEP")
    else:
        parser.set_defaults(start=only, until=only)
    arguments = parser.parse_args()
    if arguments.run_id and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", arguments.run_id):
        parser.error("--run-id: letters, digits, '.', '_' and '-' only")
    return arguments


def _execute(chosen: Sequence[Step], steps: Sequence[Step], config: Config, run_id: str) -> int:
    store = Store(str(config.paths.warehouse))
    needs_corpus = [step for step in chosen if step.outside is not None]
    if config.paths.corpus is None:
        config = demo_paths(config)
    elif needs_corpus:
        check_corpus(config.paths.corpus)
    run = Run(config, store, open_session(), run_id)
    try:
        run.start()
        _walk(run, chosen, steps)
    except SongmoodError as error:
        return _fail(run, str(error), 2)
    except KeyboardInterrupt:
        return _fail(run, "stopped; the same command goes on from here", 130)
    except Exception as error:  # the one place that turns a fault into a line and an exit code
        return _fail(run, explain(error), 1, traceback.format_exc())
    return 0


def _walk(run: Run, chosen: Sequence[Step], steps: Sequence[Step]) -> None:
    """Do or reuse each chosen step, with the tables of the steps before them."""
    expected: dict[str, str] | None = None
    made_files = False
    started = time.perf_counter()
    for number, step in enumerate(chosen, 1):
        if step.stands_alone:
            fingerprint = ""
        else:
            if expected is None:  # after demo, which makes the files that fingerprints look at
                expected = fingerprints(steps, run.config)
                _take_earlier(run, _before(step, steps), expected)
            elif made_files:  # which makes the answers that they look at
                expected = fingerprints(steps, run.config)
            fingerprint = expected.get(step.name, "")
            made_files = not step.writes
        _show_start(number, len(chosen), step)
        if not run.reuse(step, fingerprint):
            run.do(step, fingerprint)
        _show_end(run.manifest["steps"][-1])
        run.save("running")
    run.save("complete")
    _show_block(run, time.perf_counter() - started)


def _before(step: Step, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps that go before one; before a step that is not in the list, those before its `before`."""
    names = [other.name for other in steps]
    return steps[: names.index(step.before or step.name)]


def _take_earlier(run: Run, earlier: Sequence[Step], expected: dict[str, str]) -> None:
    for step in earlier:
        if step.writes and not run.reuse(step, expected[step.name]):
            raise SongmoodError(
                f"no complete tables of step {step.name} for these settings, code and corpus: "
                f"run ./spark-submit.sh all --until {step.name} with the same settings first"
            )


def open_session() -> SparkSession:
    """The Spark session of spark-submit."""
    session = SparkSession.builder.appName("songmood").getOrCreate()
    keep_names(session)
    return session


def keep_names(session: SparkSession) -> None:
    """Keep the Java classes that PySpark asks for by a short name at each call of a function.

    Java looks through every jar of the class path to learn that no package `functions` is there.
    """
    for name in ("functions", "PythonUtils", "SparkSession", "org"):
        setattr(session._jvm, name, getattr(session._jvm, name))


def _fail(run: Run, message: str, code: int, trace: str | None = None) -> int:
    if trace is not None:
        message += f"; details in {run.store.uri}/runs/{run.run_id}/error.txt"
    run.manifest["error"] = message
    try:
        if trace is not None:
            run.store.write_text(f"runs/{run.run_id}/error.txt", trace)
        run.save("failed")
    except OSError as error:
        message += f" (and the manifest could not be written: {error.strerror or error})"
    return _stop(message, code)


def _stop(message: str, code: int) -> int:
    print(f"songmood: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code


# -- what the terminal shows -------------------------------------------------------------------


def _show_start(number: int, total: int, step: Step) -> None:
    print(f"{number:>3}/{total} {step.name:<10} {step.about}", flush=True)


def _show_end(record: dict[str, Any]) -> None:
    rows_in = ", ".join(f"{rows:,} {name}" for name, rows in record["rows_in"].items())
    rows_out = ", ".join(f"{t['rows']:,} {name}" for name, t in record["tables"].items())
    if rows_out:
        seconds = "reused" if record["reused"] else f"{record['seconds']:.1f} s"
        print(f"{'':<18}{rows_in + ' -> ' if rows_in else ''}{rows_out}  [{seconds}]")
    for name in ("dropped", "rejects"):
        reasons = record["tables"].get(name, {}).get("reasons", {})
        if reasons:
            print(f"{'':<18}{name}: " + ", ".join(f"{n:,} {reason}" for reason, n in reasons.items()))
    for warning in record["warnings"]:
        print(f"{'':<18}note: {warning}")
    sys.stdout.flush()


def _show_block(run: Run, seconds: float) -> None:
    root = run.store.local_root or run.store.uri
    tables = run.manifest["tables"]
    print(f"\nrun {run.run_id} complete in {seconds:.0f} s")
    if run.store.exists(f"runs/{run.run_id}/report.html"):
        print(f"  report   {root}/runs/{run.run_id}/report.html")
    print(f"  tables   {root}/tables (named in {root}/runs/{run.run_id}/manifest.json)")
    name = "recommendations" if "recommendations" in tables else next(reversed(tables), None)
    if name:
        query = f"SELECT * FROM '{root}/{tables[name]}/*.parquet' LIMIT 10"
        print(f'  query    duckdb -c "{query}"')
    sys.stdout.flush()


# -- small facts -------------------------------------------------------------------------------


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _new_run_id() -> str:
    return datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:4]
