"""Samples by hash: the rows of the smallest hashes, without sending more to the driver than these."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from songmood.engine.spark import sampled


@pytest.fixture
def small_results(spark: SparkSession) -> Iterator[None]:
    """The driver takes no more than 4 MB from the tasks of a query."""
    conf = spark.sparkContext._jsc.sc().conf()  # type: ignore[attr-defined]
    conf.set("spark.driver.maxResultSize", "4m")
    yield
    conf.remove("spark.driver.maxResultSize")


@pytest.mark.parametrize("most", [1, 10, 150, 1000, 1001])
@pytest.mark.parametrize("partitions", [1, 7])
def test_the_rows_with_the_smallest_hashes(spark: SparkSession, most: int, partitions: int) -> None:
    rows = spark.range(1000).select(F.concat(F.lit("s"), "id").alias("song_id")).repartition(partitions)
    expected = rows.orderBy(F.xxhash64("song_id", F.lit(3)), "song_id").limit(most).collect()
    assert sampled(rows, "song_id", most, seed=3).rows.collect() == expected
    assert len(expected) == min(most, 1000)


def test_another_seed_draws_other_rows(spark: SparkSession) -> None:
    rows = spark.range(1000)
    assert set(sampled(rows, "id", 20, 1).rows.collect()) != set(sampled(rows, "id", 20, 2).rows.collect())


def test_no_rows(spark: SparkSession) -> None:
    sample = sampled(spark.range(0), "id", 5, 1)
    assert sample.rows.collect() == []
    assert sample.left_out("cap") == {"left_out": {"cap": 0}}


@pytest.mark.parametrize(("most", "left_out"), [(30, 70), (100, 0), (1000, 0)])
def test_it_says_how_many_rows_are_left_out(spark: SparkSession, most: int, left_out: int) -> None:
    assert sampled(spark.range(100), "id", most, 1).left_out("a.cap") == {"left_out": {"a.cap": left_out}}


@pytest.mark.usefixtures("small_results")
def test_partitions_do_not_multiply_what_the_driver_gets(spark: SparkSession) -> None:
    """2,000 rows of 10 KB in 20 partitions: 200 of them fit the driver, 100 from each partition do not."""
    hashes = [F.sha2(F.concat("id", F.lit(f"-{i}")), 256) for i in range(160)]  # nothing that compresses
    rows = spark.range(2000).repartition(20).withColumn("text", F.concat(*hashes))
    with pytest.raises(Exception, match="maxResultSize"):
        rows.orderBy(F.xxhash64("id", F.lit(1))).limit(200).collect()
    assert len(sampled(rows, "id", 200, 1).rows.collect()) == 200
