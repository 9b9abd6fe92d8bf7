"""An interrupt while Spark writes a table."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from songmood.engine import signals


@pytest.fixture
def handlers() -> Iterator[None]:
    """What this process does with signals, and what it logs, set back after the test."""
    before = {number: signal.getsignal(number) for number in signals._SIGNALS}
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_interrupt_waits_until_spark_writes_no_more(
    spark: SparkSession, handlers: None, tmp_path: Path
) -> None:
    table = tmp_path / "table"

    def slowly(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for _ in range(1000):
                yield batch
                time.sleep(0.05)

    def interrupt_once_written() -> None:
        while not list(table.rglob("*.parquet")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    signals.listen()
    threading.Thread(target=interrupt_once_written, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        spark.range(2).mapInPandas(slowly, "id long").write.parquet(str(table))
    assert list(table.rglob("*")) == []  # what was half written, Spark has deleted
    assert spark.range(3).count() == 3  # the connection that was cut off is not used again
