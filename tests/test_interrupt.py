"""Ctrl-C and kill -9 in whole runs, with Java, the driver and its workers in a process group of their own."""

from __future__ import annotations

import json
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
OPTIONS = ("all", "--until", "clean", "--run-id", "mine")


def processes_of(folder: Path) -> list[psutil.Process]:
    """What still runs with this folder in its command line."""
    return [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]


def start_until(folder: Path, begun: Callable[[Path], Any]) -> subprocess.Popen[str]:
    """A run that has come so far that `begun` holds of its warehouse."""
    warehouse = folder / "w"
    process = subprocess.Popen(
        command(*OPTIONS, settings=(*SETTINGS, f"paths.warehouse={warehouse}")),
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
    ("begun", "number", "whom"),
    [
        (is_cleaning, signal.SIGINT, "group"),
        (is_cleaning, signal.SIGTERM, "script"),
        (lambda warehouse: (warehouse / "runs/mine/manifest.json").exists(), signal.SIGINT, "group"),
        (lambda warehouse: time.sleep(2) or True, signal.SIGINT, "group"),  # Java starts
    ],
)
def test_an_interrupt_is_one_line_and_leaves_nothing(
    tmp_path: Path, begun: Callable[[Path], Any], number: int, whom: str
) -> None:
    process = start_until(tmp_path, begun)
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
    assert psutil.wait_procs(processes_of(tmp_path), timeout=10)[1] == []
    if begun is is_cleaning:
        assert manifest_of(tmp_path / "w", "mine")["state"] == "interrupted"
    assert not list(tmp_path.glob("w/**/.writing/*"))
    assert not list(tmp_path.glob("w/**/alive.json"))


def test_after_kill_9_the_same_command_resumes_and_clears_up(tmp_path: Path) -> None:
    process = start_until(tmp_path, is_cleaning)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    warehouse = tmp_path / "w"
    assert manifest_of(warehouse, "mine")["state"] == "running"
    assert list(warehouse.glob("tables/*/.writing/*"))
    psutil.wait_procs(processes_of(tmp_path), timeout=10)
    ended = submit(tmp_path, "prune", settings=(*SETTINGS, f"paths.warehouse={warehouse}"))
    assert ended.code == 0, ended.out
    assert "run mine was killed; what it completed is reused" in ended.out
    assert manifest_of(warehouse, "mine")["state"] == "interrupted"
    assert not list(warehouse.glob("**/.writing/*"))
    ended = submit(tmp_path, *OPTIONS, settings=(*SETTINGS, f"paths.warehouse={warehouse}"))
    assert ended.code == 0, ended.out
    manifest = manifest_of(warehouse, "mine")
    assert manifest["state"] == "complete"
    assert [step["step"] for step in manifest["steps"] if step["reused"]] == ["ingest"]


def test_when_the_script_is_killed_the_driver_ends(tmp_path: Path) -> None:
    process = start_until(tmp_path, is_cleaning)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(processes_of(tmp_path), timeout=20)[1] == []
    manifest = json.loads((tmp_path / "w/runs/mine/manifest.json").read_text())
    assert manifest["state"] == "interrupted"
