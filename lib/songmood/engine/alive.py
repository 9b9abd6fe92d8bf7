"""Which runs are alive: a run that is alive reads and writes what must not be deleted.

A run has the file runs/<run_id>/alive.json from its start to its end and writes it anew each minute. On the
machine that the file names, the process that it names says whether the run is alive. For any other machine,
or another container, the file's age says so. The limit is long, because clocks differ and compiled code can
keep a process from writing for minutes. So a run that was killed elsewhere counts as alive for an hour: that
delays a deletion, whereas the opposite error would break a run.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil

from songmood.engine.store import Store

FILE = "alive.json"
EVERY_SECONDS = 60.0
SILENCE = timedelta(hours=1)


@contextmanager
def keep_alive(store: Store, run_id: str) -> Iterator[None]:
    """Show that a run is alive, until the block ends."""
    process = psutil.Process()
    text = {"machine": _machine(), "pid": process.pid, "started": process.create_time()}
    path = f"runs/{run_id}/{FILE}"
    ended = threading.Event()

    def write_again() -> None:
        while not ended.wait(EVERY_SECONDS):
            with suppress(OSError):  # the run itself finds out whether the warehouse can be written
                store.write_record(path, text)

    store.write_record(path, text)
    writer = threading.Thread(target=write_again, daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
        with suppress(OSError):
            store.delete(path)


def is_alive(store: Store, run_id: str) -> bool:
    """Whether a run goes on, here or on another machine."""
    path = f"runs/{run_id}/{FILE}"
    changed = store.changed_at(path)
    if changed is None:
        return False
    found = store.read_record(path)
    if found is not None and found["machine"] == _machine():
        return _is_running(found)
    return datetime.now(timezone.utc) - changed < SILENCE


def _is_running(found: dict[str, Any]) -> bool:
    try:
        process = psutil.Process(found["pid"])
        # the number of a process that ended is given to another one; a correction of the clock moves times
        same = abs(process.create_time() - found["started"]) < 60
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _machine() -> str:
    """This machine, from its start to its end; in a container, the container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
