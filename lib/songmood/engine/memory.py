"""The memory that a run takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def peak_memory(every_seconds: float = 1.0) -> Iterator[Callable[[], int]]:
    """Watch the memory of driver, JVM and local workers together; yields the peak so far, in MB.

    What processes share counts once (PSS), where the system tells: forked workers share most of theirs.
    To tell takes the system a tenth of a second of a core, so it is asked only when what the processes
    hold each (RSS) has grown.
    """
    root = psutil.Process()
    parent = root.parent()
    if parent is not None and parent.name() == "java":  # spark-submit starts the driver from its JVM
        root = parent
    done = threading.Event()

    def total(memory: Callable[[psutil.Process], int]) -> int:
        found = 0
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                found += memory(process)
        return found

    def shared_once(process: psutil.Process) -> int:
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.rss))

    most = peak = 0

    def look() -> None:
        nonlocal most, peak
        held = total(lambda process: process.memory_info().rss)
        if held > 1.01 * most:
            most = held
            peak = max(peak, total(shared_once) // 2**20)

    def watch() -> None:
        while not done.wait(every_seconds):
            look()

    look()  # so that there is a peak from the first
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: peak
    finally:
        done.set()
        watcher.join()
