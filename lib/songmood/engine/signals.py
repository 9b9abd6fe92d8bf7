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
from select import select
from socket import socket
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


def _interrupt(_number: int, frame: FrameType | None) -> None:
    for number in _SIGNALS:  # a second one would cut off what the first one asks for
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger().setLevel(logging.CRITICAL + 1)  # Py4J logs the call to Java that is cut off
    context = SparkContext._active_spark_context
    if context is not None:
        # a thread of its own has a connection of its own to Java: this one's may wait for an answer
        ending = threading.Thread(target=_end_jobs, args=(context, _connection_of_call(frame)), daemon=True)
        ending.start()
        ending.join(_MOST_WAITED_S)
    raise KeyboardInterrupt


def _end_jobs(context: SparkContext, call: socket | None) -> None:
    """Cancel Spark's jobs and wait until their tasks, and the call to Java that ran them, have ended.

    Until then they make files again that the run deletes. The call goes on between two jobs, and while it
    moves files into place.
    """
    with suppress(Exception):  # Java may have ended
        scheduler = context._jsc.sc().taskScheduler()
        while True:
            context.cancelAllJobs()
            answered = call is None or select([call], [], [], 0.1)[0]
            running = scheduler.runningTasksByExecutors().values().toSet()  # a number for each executor
            if answered and running.mkString() in ("", "0"):
                return
            time.sleep(0.1)


def _connection_of_call(frame: FrameType | None) -> socket | None:
    """The connection on which this thread waits for Java; None if it does not wait."""
    while frame is not None:
        if frame.f_code.co_name == "send_command" and frame.f_globals["__name__"].startswith("py4j."):
            connection: socket = frame.f_locals["self"].socket
            return connection
        frame = frame.f_back
    return None


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
