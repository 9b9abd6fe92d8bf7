"""What the manifest's step records say about tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

StepRecords = Sequence[Mapping[str, Any]]


def table_record(steps: StepRecords, table: str, step: str | None = None) -> Mapping[str, Any] | None:
    """The record of a table by the last step that wrote it, or by `step`; None if it was not written."""
    records = [
        record["tables"][table]
        for record in steps
        if table in record["tables"] and step in (None, record["step"])
    ]
    return records[-1] if records else None


def count_rows(steps: StepRecords, table: str) -> int | None:
    """The number of rows of a table; None if it was not written."""
    record = table_record(steps, table)
    return None if record is None else int(record["rows"])


def count_distinct(steps: StepRecords, table: str) -> int | None:
    """The number of distinct values of a table's distinct column; None if it was not written."""
    record = table_record(steps, table)
    return None if record is None else int(record["distinct"])


def count_reasons(steps: StepRecords, table: str, step: str | None = None) -> list[tuple[str, int]]:
    """The values of a table's reason column and their numbers of rows, most frequent first."""
    record = table_record(steps, table, step)
    return [] if record is None else sort_counts(record["reasons"])


def figures_of(steps: StepRecords, step: str) -> Mapping[str, Any]:
    """The figures that a step noted."""
    figures: list[Mapping[str, Any]] = [record["figures"] for record in steps if record["step"] == step]
    return figures[-1] if figures else {}


def sort_counts(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and their counts, the largest first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
