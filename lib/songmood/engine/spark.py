"""The Spark session, sending folders to executors, and drawing samples."""

from __future__ import annotations

import atexit
import math
import re
import shutil
import signal
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pyspark import Accumulator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.engine.errors import UserError, explain
from songmood.engine.terminal import progress_bar

_LOOK_S = 0.5  # seconds from one look at a job's progress to the next
_shipped: dict[tuple[str, str], Path] = {}  # (application, name) -> the folder that has this name there


def open_session(name: str) -> SparkSession:
    """The Spark session of spark-submit. Raises UserError if Spark does not start."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        session = SparkSession.builder.appName(name).getOrCreate()
    except Exception as error:  # Java's, of many kinds
        raise UserError(f"Spark does not start: {explain(error)}") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, on_interrupt)  # Spark has set its own
    keep_names(session)
    return session


def keep_names(session: SparkSession) -> None:
    """Keep the Java classes that PySpark asks for by a short name at each call of a function.

    Otherwise Java looks through every jar of the class path to learn that there is no package `functions`.
    """
    for name in ("functions", "PythonUtils", "SparkSession", "org"):
        setattr(session._jvm, name, getattr(session._jvm, name))


class Sample(NamedTuple):
    """Rows drawn from a frame of `of` rows."""

    rows: DataFrame
    of: int
    most: int

    def left_out(self, cap: str) -> dict[str, Any]:
        """A figure for the manifest: how many rows the setting `cap` left out."""
        return {"left_out": {cap: max(0, self.of - self.most)}}


def sampled(frame: DataFrame, key: str, most: int, seed: int) -> Sample:
    """At most `most` rows of a frame, drawn by a hash of their key and the seed, in the order of that hash.

    Rows whose hash is too large for them to be drawn are left out first. Otherwise each partition would send
    `most` rows, to one task or to the driver. Counts the frame.
    """
    place, of = F.xxhash64(key, F.lit(seed)), frame.count()
    rank = (place / 2.0**64 + 0.5) * of  # about the row's rank among all
    likely = frame.where(rank <= most + 8 * math.sqrt(most) + 64) if of > most else frame
    return Sample(likely.orderBy(place, key).limit(most), of, most)


@contextmanager
def progress(spark: SparkSession, title: str, total: int, unit: str) -> Iterator[Accumulator[int]]:
    """Show how far a job has got. Its tasks add to the accumulator what they do; it counts when they end."""
    done, is_over = spark.sparkContext.accumulator(0), threading.Event()

    def watch() -> None:
        with progress_bar(title, total, unit) as bar:
            while not is_over.wait(_LOOK_S):
                bar.update(done.value - bar.n)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield done
    finally:
        is_over.set()
        watcher.join()


def ship(spark: SparkSession, folder: Path) -> str:
    """Send a folder to every executor, where `SparkFiles.get(name)` finds it. Returns the name.

    It travels as an archive, because Spark sends folders on local[*] only. Raises UserError if another
    folder of the same name was sent before.
    """
    context = spark.sparkContext
    name = re.sub(r"[^\w.-]", "_", folder.name)  # it becomes a part of an address
    key = (context.applicationId, name)
    if key not in _shipped:
        temporary = tempfile.mkdtemp(prefix="ship-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        archive = Path(temporary, f"{name}.zip")
        with zipfile.ZipFile(archive, "w") as packed:  # not compressed: weights do not compress
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                packed.write(file, file.relative_to(folder))
        context.addArchive(f"{archive.as_uri()}#{name}")
        _shipped[key] = folder
    if _shipped[key] != folder:
        raise UserError(f"two different folders named {name} cannot be sent to executors in one run")
    return name
