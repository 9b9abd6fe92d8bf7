"""How a run is interrupted: by Ctrl-C, by SIGTERM, or because the process that started it has ended."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil
from pyspark import SparkContext

INTERRUPTED = "Interrupted. Run the same command again to resume."
# The file in which spark-submit.sh looks for the id of this process, to interrupt it.
_DRIVER_FILE = "SUBMIT_DRIVER_FILE"
_MOST_WAITED_S = 20.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_supervised() -> bool:
    """Whether spark-submit.sh waits for this process, and says itself that it was interrupted."""
    return _DRIVER_FILE in os.environ


def listen() -> None:
    """From now on, an interrupt raises KeyboardInterrupt in this process, once."""
    for number in _SIGNALS:
        is_nohup = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
        if not is_nohup:
            signal.signal(number, _interrupt)
    if name := os.environ.get(_DRIVER_FILE):
        file = Path(name)
        with suppress(OSError):  # without it, the script stops Java, and `_watch` sees that
            file.write_text(str(os.getpid()))
            atexit.register(file.unlink, missing_ok=True)
    threading.Thread(target=_watch, daemon=True).start()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:  # a second one would cut off what the first one asks for
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger().setLevel(logging.CRITICAL + 1)  # Py4J logs the call to Java that is cut off
    context = SparkContext._active_spark_context
    if context is not None:
        with suppress(Exception):  # Java may have ended
            context.cancelAllJobs()
            _wait_for_tasks(context)
    raise KeyboardInterrupt


def _wait_for_tasks(context: SparkContext) -> None:
    """Wait until canceled tasks have ended: until then they make files again that the run deletes."""
    deadline = time.monotonic() + _MOST_WAITED_S
    executors = context._jsc.sc().statusTracker().getExecutorInfos
    while any(executor.numRunningTasks() for executor in executors()) and time.monotonic() < deadline:
        time.sleep(0.1)


def _watch() -> None:
    """Interrupt this process when Java, which started it, has ended, or the script, which started Java."""
    with suppress(psutil.Error):
        java = psutil.Process(os.getppid())
        if java.name() != "java":
            return
        script = java.ppid()  # of a process that has ended, its children get another parent
        while os.getppid() == java.pid and (java.ppid() == script or not is_supervised()):
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
