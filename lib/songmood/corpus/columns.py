"""What the values of a column tell about one another: the units of lengths, and how years are written."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.corpus.lengths import LengthUnits, length_shape, units_of_column

_FACTS = (
    "struct<length: struct<integer_minutes: double, integer_ms: double, decimal_minutes: double, "
    "decimal_ms: double, decimal_clock: boolean>, short_years: boolean>"
)


class ColumnFacts(NamedTuple):
    """What the values of the columns of one table tell.

    `short_years` says that years are written with two digits, so that 3 may be 2003.
    """

    length: LengthUnits = LengthUnits()
    short_years: bool = False


Facts = dict[str, ColumnFacts]  # by table: files whose paths differ in digits alone are one


def fit_facts(records: DataFrame) -> Facts:
    """The facts of each table of song records, from the texts of all lengths and years.

    Only counts come to the driver: about 60 rows for each table.
    """
    counted = (
        records.select(
            _table().alias("table"),
            length_shape("duration_s").alias("length"),
            F.col("year").rlike(r"^\s*\d\d\s*$").alias("short_year"),
        )
        .groupBy("table", "length", "short_year")
        .agg(F.count("*").alias("count"))
    )
    lengths: dict[str, list[tuple[str, int, bool, int]]] = defaultdict(list)
    short: dict[str, bool] = defaultdict(bool)
    for table, length, short_year, count in counted.collect():
        if length is not None:
            lengths[table].append((*length, count))
        short[table] |= bool(short_year)
    return {table: ColumnFacts(units_of_column(lengths[table]), short[table]) for table in short}


def facts_of_record(facts: Facts) -> Column:
    """The facts of the table that a record is from, as a struct."""
    known = {
        table: {"length": f.length._asdict(), "short_years": f.short_years} for table, f in facts.items()
    }
    literal = F.from_json(F.lit(json.dumps(known)), f"map<string, {_FACTS}>")
    return literal[_table()]


def _table() -> Column:
    return F.regexp_replace("source", r"\d+", "0")
