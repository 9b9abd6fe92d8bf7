"""What is deleted from a warehouse and what never is, and which runs count as alive; no table is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest

from songmood.engine import alive, garbage
from songmood.engine.alive import is_alive, keep_alive
from songmood.engine.errors import UserError
from songmood.engine.garbage import clean_up, prune_warehouse
from songmood.engine.store import Store

LATER = datetime.now(timezone.utc) + timedelta(days=2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "my warehouse"))


def add_run(store: Store, run: str, fingerprint: str, changed: int = 0, **more: Any) -> None:
    """A run that wrote a table, a model and a step record; the larger `changed`, the newer it is."""
    paths = {"table": f"tables/songs/{fingerprint}", "model": f"models/mood-{fingerprint}"}
    for path in paths.values():
        store.write_text(f"{path}/part", "x")
    store.write_record(f"steps/make/{fingerprint}.json", {"tables": {}, "models": {}})
    manifest = {"tables": {"songs": paths["table"]}, "models": {"mood": paths["model"]}, "state": "complete"}
    store.write_json(f"runs/{run}/manifest.json", {**manifest, **more})
    os.utime(f"{store.local_root}/runs/{run}", (1_700_000_000 + changed,) * 2)


def made(store: Store) -> set[str]:
    """The fingerprints of which a table, a model or a step record is there."""
    root = Path(str(store.local_root))
    tables = [path.name for path in root.glob("tables/songs/[!.]*")]
    models = [path.name.removeprefix("mood-") for path in root.glob("models/[!.]*")]
    steps = [path.stem for path in root.glob("steps/make/*.json")]
    assert sorted(tables) == sorted(models) == sorted(steps)
    return set(tables)


def state_of(store: Store, run: str) -> str:
    content: dict[str, str] = json.loads(store.read_file(f"runs/{run}/manifest.json") or b"{}")
    return content["state"]


# -- prune -------------------------------------------------------------------------------------


def test_prune_keeps_the_published_run_and_the_newest(store: Store) -> None:
    for number in range(4):
        add_run(store, f"run-{number}", f"f{number}", changed=number)
    store.write_json("current.json", {"run_id": "run-0", "tables": {"songs": "tables/songs/f0"}})
    # the rest is younger than a day
    assert prune_warehouse(store, keep_runs=1) == ["runs/run-1", "runs/run-2"]
    deleted = prune_warehouse(store, keep_runs=1, now=LATER)
    assert deleted == [
        *("models/mood-f1", "models/mood-f2", "steps/make/f1.json", "steps/make/f2.json"),
        *("tables/songs/f1", "tables/songs/f2"),
    ]
    assert made(store) == {"f0", "f3"}
    assert prune_warehouse(store, keep_runs=1, now=LATER) == []


def test_what_is_kept_between_runs_lives_as_long_as_a_kept_run_uses_it(store: Store) -> None:
    for number, name in enumerate(("ids-old", "ids-new")):
        store.write_text(f"kept/{name}/part", "x")
        add_run(store, f"run-{number}", f"f{number}", changed=number, kept=[f"kept/{name}"])
    assert "kept/ids-old" not in prune_warehouse(store, keep_runs=1)  # younger than a day
    assert "kept/ids-old" in prune_warehouse(store, keep_runs=1, now=LATER)
    assert store.folders("kept") == ["ids-new"]


def replace_manifest(root: Path, **content: Any) -> None:
    (root / "runs/published/manifest.json").write_text(json.dumps({"tables": {}, "models": {}, **content}))


# Each loses what named the published tables beside current.json.
LOSSES = {
    "the manifest is deleted": lambda root: (root / "runs/published/manifest.json").unlink(),
    "the run is deleted": lambda root: (root / "runs/published").rename(root / "elsewhere"),
    "another run of its id names nothing": lambda root: replace_manifest(root, state="running"),
    "another run of its id has its own": lambda root: replace_manifest(
        root, tables={"songs": "tables/songs/f9"}
    ),
    "the run's folder is old": lambda root: os.utime(root / "runs/published", (1, 1)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_prune_never_deletes_what_is_published(store: Store, loss: str) -> None:
    add_run(store, "published", "f0")
    add_run(store, "newer", "f1", changed=1)
    store.write_json("current.json", {"run_id": "published", "tables": {"songs": "tables/songs/f0"}})
    LOSSES[loss](Path(str(store.local_root)))
    prune_warehouse(store, keep_runs=1, now=LATER)
    assert made(store) == {"f0", "f1"}


def test_a_step_record_is_kept_whose_table_a_later_step_replaced(store: Store) -> None:
    """As `dropped`, which two steps write: the manifest has the path of the last one."""
    add_run(store, "run", "f1", fingerprints={"filter": "f0", "label": "f1"})
    store.write_text("tables/songs/f0/part", "x")
    prune_warehouse(store, keep_runs=1, now=LATER)
    assert store.exists("tables/songs/f0")


def test_runs_without_tables_push_none_out(store: Store) -> None:
    add_run(store, "full", "f0")
    for number in range(20):  # as prune's own runs, and those that stopped at once
        store.write_json(f"runs/prune-{number}/manifest.json", {"tables": {}, "models": {}})
    store.write_text("runs/nothing/report.html", "")
    deleted = prune_warehouse(store, keep_runs=1, now=LATER)
    assert made(store) == {"f0"}
    assert len(deleted) == 21


def test_an_alive_run_keeps_what_it_reads_and_writes(store: Store) -> None:
    add_run(store, "newest", "f9", changed=9)
    add_run(store, "alive", "f1", state="running", fingerprints={"make": "f1", "next": "f2"})
    add_run(store, "earlier", "f2")
    add_run(store, "other", "f3")
    with keep_alive(store, "alive"):
        os.utime(f"{store.local_root}/runs/alive", (1, 1))
        prune_warehouse(store, keep_runs=1, now=LATER)
        assert made(store) == {"f9", "f1", "f2"}
        assert state_of(store, "alive") == "running"
    os.utime(f"{store.local_root}/runs/alive", (1, 1))
    prune_warehouse(store, keep_runs=1, now=LATER)
    assert made(store) == {"f9"}


@pytest.mark.parametrize("ends", [False, True])
def test_a_run_that_starts_during_prune_keeps_what_it_names(
    store: Store, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    add_run(store, "newest", "f9", changed=9)
    add_run(store, "old", "f1")
    list_records = garbage._step_records

    def start_a_run(store: Store) -> Iterator[str]:
        add_run(store, "late", "f5", fingerprints={"make": "f1"})
        if not ends:
            store.write_record("runs/late/alive.json", {"machine": "elsewhere"})
        yield from list_records(store)

    monkeypatch.setattr(garbage, "_step_records", start_a_run)
    prune_warehouse(store, keep_runs=1, now=LATER)
    root = Path(str(store.local_root))
    assert {path.name for path in root.glob("tables/songs/*")} == {"f9", "f5", "f1"}
    assert {path.name for path in root.glob("models/*")} == {"mood-f9", "mood-f5", "mood-f1"}


DAMAGED = ["", "{", "{}", "[]", "null", '{"tables": {"songs": 7}, "models": {}}', "\\xff", "[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("name", ["current.json", "runs/run/manifest.json"])
def test_prune_names_a_damaged_pointer_or_manifest_and_deletes_nothing(
    store: Store, name: str, content: str
) -> None:
    add_run(store, "run", "f0")
    add_run(store, "newer", "f1", changed=1)
    store.write_json("current.json", {"run_id": "run", "tables": {"songs": "tables/songs/f0"}})
    Path(f"{store.local_root}/{name}").write_text(content)
    with pytest.raises(UserError) as caught:
        prune_warehouse(store, keep_runs=1, now=LATER)
    advice = "publish again" if name == "current.json" else f"delete {store.uri}/runs/run"
    assert f"{store.uri}/{name} is damaged" in str(caught.value)
    assert advice in str(caught.value)
    assert made(store) == {"f0", "f1"}


def test_prune_deletes_what_was_set_aside_and_files_that_a_kill_left(store: Store) -> None:
    add_run(store, "run", "f0")
    left = ["tables/songs/.damaged/f0-12ab", "models/.damaged/mood-f0-12ab"]
    for path in left:
        store.write_text(f"{path}/part", "x")
    for file in ("current.json.12ab.writing", "steps/make/f0.json.12ab.writing"):
        store.write_text(file, "{")
        left.append(file)
    store.write_text("tables/README", "of someone")
    store.write_text("runs/README", "of someone")
    assert prune_warehouse(store, keep_runs=1) == []
    assert prune_warehouse(store, keep_runs=1, now=LATER) == sorted(left)
    assert made(store) == {"f0"}


# -- killed runs -------------------------------------------------------------------------------


def test_what_a_killed_run_left_is_cleaned_up_and_its_state_is_said(store: Store) -> None:
    add_run(store, "killed", "f0", state="running")
    add_run(store, "alive", "f1", state="running", fingerprints={"next": "f2"})
    store.write_record("runs/killed/alive.json", {"machine": alive._machine(), "pid": 1, "started": 0.0})
    store.write_text("runs/killed/.checkpoints/part", "x")
    for fingerprint in ("f0", "f2", "f3"):
        store.write_text(f"tables/songs/.writing/{fingerprint}-12ab/_temporary/0/part", "x")
        store.write_text(f"models/.writing/mood-{fingerprint}-12ab/mood.json", "x")
    with keep_alive(store, "alive"):
        assert clean_up(store) == ["killed"]
        assert clean_up(store) == []
    assert (state_of(store, "killed"), state_of(store, "alive")) == ("interrupted", "running")
    assert store.folders("tables/songs/.writing") == ["f2-12ab"]
    assert store.folders("models/.writing") == ["mood-f2-12ab"]
    assert not store.exists("runs/killed/alive.json")
    assert not store.exists("runs/killed/.checkpoints")
    assert made(store) == {"f0", "f1"}


def test_prune_also_corrects_manifests_of_runs_that_left_no_sign(store: Store) -> None:
    add_run(store, "killed", "f0", state="running")
    add_run(store, "failed", "f1", state="failed")
    prune_warehouse(store, keep_runs=5)
    assert (state_of(store, "killed"), state_of(store, "failed")) == ("interrupted", "failed")


def write_alive(store: Store, **process: Any) -> None:
    ours = psutil.Process()
    found = {"machine": alive._machine(), "pid": ours.pid, "started": ours.create_time(), **process}
    store.write_record("runs/run/alive.json", found)


def grow_old(store: Store, minutes: int) -> None:
    past = time.time() - 60 * minutes
    os.utime(f"{store.local_root}/runs/run/alive.json", (past, past))


def test_a_run_on_this_machine_is_alive_while_its_process_is(store: Store) -> None:
    assert not is_alive(store, "run")
    with keep_alive(store, "run"):
        grow_old(store, 10_000)  # as where the process was stopped for a week
        assert is_alive(store, "run")
    assert not is_alive(store, "run")
    write_alive(store, started=psutil.Process().create_time() - 3600)  # the same id, another process
    assert not is_alive(store, "run")


def test_a_run_whose_process_was_killed_is_not_alive(store: Store) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    write_alive(store, pid=process.pid, started=psutil.Process(process.pid).create_time())
    assert is_alive(store, "run")
    process.kill()
    deadline = time.monotonic() + 10
    while is_alive(store, "run"):  # nor is it alive while its parent has not asked how it ended
        assert time.monotonic() < deadline
    process.wait()
    assert not is_alive(store, "run")


@pytest.mark.parametrize("content", [None, b"", b"{", b"\x00" * 9])
def test_a_run_elsewhere_is_alive_until_it_is_silent(store: Store, content: bytes | None) -> None:
    write_alive(store, machine="another machine", pid=1)
    if content is not None:  # a damaged file could be of any machine
        Path(f"{store.local_root}/runs/run/alive.json").write_bytes(content)
    assert is_alive(store, "run")
    grow_old(store, 30)
    assert is_alive(store, "run")
    grow_old(store, 90)
    assert not is_alive(store, "run")


def test_a_run_says_again_that_it_is_alive(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "EVERY_SECONDS", 0.01)
    with keep_alive(store, "run"):
        grow_old(store, 90)
        deadline = time.monotonic() + 10
        while (age := time.time() - os.stat(f"{store.local_root}/runs/run/alive.json").st_mtime) > 60:
            assert time.monotonic() < deadline, age
            time.sleep(0.01)
    assert store.files("runs/run") == []
