"""One Spark session for all tests, made on first use."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from songmood.engine.spark import keep_names
from songmood.engine.table import Table
from songmood.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent

# Two processes test at once, on two cores maybe: threads of torch in each would wait for one another's.
os.environ["OMP_NUM_THREADS"] = "1"
# Java's second compiler and its concurrent collector pay on long programs and many cores; on those of a
# minute they take a core of two for nothing. The first compiler alone has a code cache of 48 MB, which
# fills up.
LIGHT_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
os.environ["SPARK_SUBMIT_OPTS"] = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} {LIGHT_JAVA}"


# What runs in the background (nohup, &) ignores these signals, and so would the runs that tests interrupt. A
# handler is not passed on to them.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that at the end none of two processes waits for the other."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("songmood-tests")
        # Spark NLP's annotators, as spark-submit.sh gives them to a local run
        .config("spark.driver.extraClassPath", f"{ROOT}/.venv/ivy/jars/*")
        .config("spark.driver.memory", "2g")
        # one task for each shuffle of a tiny table
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.adaptive.enabled", "false")
        # compiling takes longer than running on a tiny table
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        # Spark takes a page of 64 MB for each sort and each joined table, however small
        .config("spark.buffer.pageSize", "1m")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.python.worker.reuse", "true")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # Spark keeps the plans and tasks of past queries for a page that no one looks at
        .config("spark.sql.ui.retainedExecutions", "1")
        .config("spark.ui.retainedJobs", "1")
        .config("spark.ui.retainedStages", "1")
        .config("spark.ui.retainedTasks", "10")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("spark")))
    )
    session = builder.getOrCreate()
    keep_names(session)
    session.sparkContext.setCheckpointDir(str(tmp_path_factory.mktemp("checkpoints")))
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def compiled(spark: SparkSession) -> Iterator[None]:
    """Spark compiles its plans, which pays where there are thousands of rows."""
    changes = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
    before = {name: spark.conf.get(name) for name in changes}
    for name, value in changes.items():
        spark.conf.set(name, value)
    yield
    for name, was in before.items():
        spark.conf.set(name, str(was))


@pytest.fixture
def settings() -> Settings:
    """The settings of conf/base.yaml."""
    return load_settings(ROOT / "conf" / "base.yaml")


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    """Settings of conf/base.yaml with some replaced: make_settings("label.min_tags=2", ...)."""
    return lambda *settings: load_settings(ROOT / "conf" / "base.yaml", [], settings)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout, where there is some."""
    folder = Path(os.environ.get("SONGMOOD_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set SONGMOOD_DATA to a folder that has it")
    return folder


@pytest.fixture(scope="session")
def table(spark: SparkSession) -> Callable[..., DataFrame]:
    """Makes a tiny table: table(MOODS, song_id="a", mood="sad"), or one row for each dictionary given.

    table(TAGS, {"song_id": "a", "tag": "happy"}, {"song_id": "b", "tag": "sad"}, weight=100): keyword
    arguments are values that all rows share. Columns that are not named are null; table(TAGS) has no rows.
    """

    def make(contract: Table, *rows: dict[str, Any], **shared: Any) -> DataFrame:
        given = [{**shared, **row} for row in rows] or ([shared] if shared else [])
        for row in given:
            unknown = set(row) - set(contract.column_names)
            assert not unknown, f"table {contract.name} has no column {unknown.pop()}"
        cells = [tuple(row.get(name) for name in contract.column_names) for row in given]
        return spark.createDataFrame(cells, contract.schema)

    return make


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an encoder with random weights, which is made in no time."""
    from tiny_encoder import write_tiny_encoder  # here and below: torch is only loaded where it is used

    return write_tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def quick() -> Settings:
    """Settings with which mood models learn tiny songs in seconds."""
    from mood_songs import QUICK

    return load_settings(ROOT / "conf" / "base.yaml", [], QUICK)


@pytest.fixture(scope="module")
def mood_tables(table: Callable[..., DataFrame], encoder: Path) -> dict[str, DataFrame]:
    """The tables that `train` reads, with 60 happy and 40 sad songs."""
    from mood_songs import song_tables

    return song_tables(table, encoder, {"happy": 60, "sad": 40})


def as_rows(frame: DataFrame) -> list[dict[str, Any]]:
    """A frame as a list of dictionaries in a fixed order, for comparison."""
    return sorted((row.asDict(recursive=True) for row in frame.collect()), key=repr)
