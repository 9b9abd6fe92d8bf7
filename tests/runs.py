"""Whole runs for tests: through spark-submit.sh in a process of their own, or here in the tests' session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from conftest import LIGHT_JAVA, ROOT
from songmood.engine.cli import run_command
from songmood.pipeline import PIPELINE


class Ended(NamedTuple):
    """How a run ended: its exit code, and what the terminal showed."""

    code: int
    out: str
    err: str = ""


# As in conftest: compiling takes longer than running on few rows.
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def command(
    *options: str, settings: Iterable[str] = (), master: str = "local[2]", compiled: bool = False
) -> list[str]:
    """The command line of a run with few resources, whose plans Spark compiles or interprets."""
    conf = {
        # executors compile as lightly as the driver: see conftest
        "spark.executor.extraJavaOptions": LIGHT_JAVA,
        **({} if compiled else INTERPRETED),
    }
    return [
        str(ROOT / "spark-submit.sh"),
        *options,
        "--master",
        master,
        *set_options(settings),
        "--",
        "--driver-memory",
        "2g",
        *(part for name, value in conf.items() for part in ("--conf", f"{name}={value}")),
    ]


def set_options(settings: Iterable[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which nothing of the checkout can be imported, as users have it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, **(more or {})}


def submit(
    folder: Path,
    *options: str,
    settings: Iterable[str] = (),
    master: str = "local[2]",
    compiled: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """A run through spark-submit.sh, in the working folder `folder`."""
    done = subprocess.run(
        command(*options, settings=settings, master=master, compiled=compiled),
        cwd=folder,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=1500,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_here(*options: str, settings: Iterable[str] = ()) -> int:
    """A run in this process and its Spark session; gives the exit code. For what ends soon."""
    return run_command(PIPELINE, None, [*options, *set_options(settings)], ROOT / "conf" / "base.yaml")


def manifest_of(warehouse: Path, run_id: str) -> dict[str, Any]:
    """The manifest of a run."""
    manifest: dict[str, Any] = json.loads((warehouse / "runs" / run_id / "manifest.json").read_text())
    return manifest


def keep_steps(warehouse: Path, steps: Iterable[str], into: Path) -> None:
    """Copy what some steps made into a fresh warehouse, where a run then repeats all others."""
    for step in steps:
        (record,) = (warehouse / "steps" / step).glob("*.json")
        kept = json.loads(record.read_text())
        shutil.copytree(record.parent, into / "steps" / step)
        for path in [*(table["path"] for table in kept["tables"].values()), *kept["models"].values()]:
            shutil.copytree(warehouse / path, into / path)
