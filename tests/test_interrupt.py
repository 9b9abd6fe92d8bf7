"""Ctrl-C and kill -9 in whole runs, with Java, the driver and its workers in a process group of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from runs import clean_environment, command, manifest_of, submit

pytestmark = pytest.mark.slow

SETTINGS = ("demo.songs=1500", "demo.messy=true")


def processes_of(folder: Path) -> list[psutil.Process]:
    """What still runs with this folder in its command line."""
    return [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs of this file, whose warehouse is w. The first run makes the songs."""
    return tmp_path_factory.mktemp("interrupted")


def options(run_id: str) -> tuple[str, ...]:
    return ("all", "--until", "clean", "--run-id", run_id)


def start_until(folder: Path, run_id: str, begun: Callable[[Path], Any]) -> subprocess.Popen[str]:
    """A run that has come so far that `begun` holds of its warehouse."""
    warehouse = folder / "w"
    process = subprocess.Popen(
        command(*options(run_id), settings=(*SETTINGS, f"paths.warehouse={warehouse}")),
        cwd=folder, env=clean_environment(), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not begun(warehouse):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def is_cleaning(warehouse: Path) -> bool:
    """Whether Python workers clean lyrics."""
    return bool(list(warehouse.glob("tables/corpus_lyrics/.writing/*/_temporary/0/_temporary/*")))


@pytest.mark.parametrize(
    ("run_id", "begun", "number", "whom"),
    [
        ("cleaning", is_cleaning, signal.SIGINT, "group"),
        ("script", is_cleaning, signal.SIGTERM, "script"),
        ("begun", lambda w: (w / "runs/begun/manifest.json").exists(), signal.SIGINT, "group"),
        ("java", lambda w: time.sleep(2) or True, signal.SIGINT, "group"),  # Java starts
    ],
)
def test_an_interrupt_is_one_line_and_leaves_nothing(
    folder: Path, run_id: str, begun: Callable[[Path], Any], number: int, whom: str
) -> None:
    process = start_until(folder, run_id, begun)
    if whom == "group":
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = [line for line in shown.splitlines() if line.strip()]
    assert lines[-1] == "songmood: Interrupted. Run the same command again to resume."
    assert [line for line in lines if not line.startswith((" ", "songmood"))] == []  # traces begin a line
    assert "Error" not in shown
    assert "Traceback" not in shown
    assert psutil.wait_procs(processes_of(folder), timeout=10)[1] == []
    if begun is is_cleaning:
        assert manifest_of(folder / "w", run_id)["state"] == "interrupted"
    assert not list(folder.glob("w/**/.writing/*"))
    assert not list(folder.glob("w/**/alive.json"))


def test_when_the_script_is_killed_the_driver_ends(folder: Path) -> None:
    process = start_until(folder, "alone", is_cleaning)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(processes_of(folder), timeout=20)[1] == []
    assert manifest_of(folder / "w", "alone")["state"] == "interrupted"


def test_after_kill_9_the_same_command_resumes_and_clears_up(folder: Path) -> None:
    process = start_until(folder, "mine", is_cleaning)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    warehouse = folder / "w"
    assert manifest_of(warehouse, "mine")["state"] == "running"
    assert list(warehouse.glob("tables/*/.writing/*"))
    psutil.wait_procs(processes_of(folder), timeout=10)
    ended = submit(folder, "prune", settings=(*SETTINGS, f"paths.warehouse={warehouse}"))
    assert ended.code == 0, ended.out
    assert "run mine was killed; what it completed is reused" in ended.out
    assert manifest_of(warehouse, "mine")["state"] == "interrupted"
    assert not list(warehouse.glob("**/.writing/*"))
    ended = submit(folder, *options("mine"), settings=(*SETTINGS, f"paths.warehouse={warehouse}"))
    assert ended.code == 0, ended.out
    manifest = manifest_of(warehouse, "mine")
    assert manifest["state"] == "complete"
    assert [step["step"] for step in manifest["steps"] if step["reused"]] == ["ingest"]
