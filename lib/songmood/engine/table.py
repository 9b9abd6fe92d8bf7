"""What a table is: the contract between the step that writes it and everyone who reads it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import types as T


@dataclass(frozen=True)
class Column:
    """A column of a table. `about` gives its meaning, with unit and range."""

    name: str
    type: T.DataType
    about: str


@dataclass(frozen=True)
class Table:
    """One Parquet table.

    `key` is unique and never null. `checks` are SQL conditions that must hold for every row (null counts
    as holding); a row that breaks one stops the run. `reason` names the column whose values are counted;
    `reason_weight` names a column of counts to add up in place of rows, and `example` one of which an
    example is kept for each reason. `distinct` names a column whose distinct values are counted.
    A `shared` table is written by several steps, each of which adds its own rows.
    `restricted` marks text under copyright, which is never shown whole or exported.
    `sorted_by` names columns in whose order rows are written, in small groups, so that a reader who looks for
    a few of their values reads little else.
    """

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    checks: tuple[str, ...] = ()
    reason: str | None = None
    reason_weight: str | None = None
    example: str | None = None
    distinct: str | None = None
    shared: bool = False
    restricted: bool = False
    sorted_by: tuple[str, ...] = ()

    @property
    def schema(self) -> T.StructType:
        """The columns as Spark has them."""
        return T.StructType([T.StructField(c.name, c.type) for c in self.columns])

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in order."""
        return [c.name for c in self.columns]
