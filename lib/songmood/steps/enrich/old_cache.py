"""The cache as songmood kept it before SQLite. Its answers are read once, and then are in answers.sqlite.

CACHE/answers/<first number>-<last number>.parquet   shards
CACHE/journal.jsonl                                  the newest answers, not yet in a shard, one in a line
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from songmood.engine.errors import UserError


def old_answers(folder: str | Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of each file, in the order of their numbers. Raises UserError if a shard cannot be read."""
    last = 0
    for shard in sorted(Path(folder, "answers").glob("*-*.parquet")):
        try:
            rows: list[dict[str, Any]] = pq.read_table(shard).to_pylist()
        except (OSError, pa.ArrowInvalid):
            raise UserError(
                f"the cache file {shard} is damaged: move it away, "
                "and services are asked again for what it held"
            ) from None
        yield rows
        last = max(last, int(shard.stem.split("-")[1]))
    journal = Path(folder, "journal.jsonl")
    if journal.exists():
        yield list(_journal_rows(journal, last))


def _journal_rows(journal: Path, last: int) -> Iterator[dict[str, Any]]:
    """The rows that are not in a shard. A line that a killed run left cut is left out."""
    with open(journal, "rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if line.endswith(b"\n") and row["number"] > last:
                yield row | {"fetched_at": datetime.fromisoformat(row["fetched_at"])}
