"""The section on sources: how many songs each one had tags, audio features or lyrics for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.report.records import sort_counts

_PARTS = ("tags", "audio_features", "lyrics")


def summarize_sources(tables: Mapping[str, DataFrame]) -> DataFrame:
    """part (tags, audio_features, lyrics), source, status ('found', or why not), songs."""
    found = [
        tables[part].select("song_id", F.lit(part).alias("part"), "source", F.lit("found").alias("status"))
        for part in _PARTS
    ]
    part, source = (F.split("source", ":", 2)[place] for place in (0, 1))
    missing = tables["enrichment_failures"].select(
        "song_id", part.alias("part"), source.alias("source"), "status"
    )
    results = reduce(DataFrame.union, [*found, missing])
    return results.groupBy("part", "source", "status").agg(F.count_distinct("song_id").alias("songs"))


def source_rows(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each part and source: songs requested, songs found, and counts of the other statuses."""
    rows = []
    for (part, source), statuses in counts.groupby(["part", "source"]):
        songs = dict(zip(statuses["status"], statuses["songs"].tolist(), strict=True))
        requested, found = sum(songs.values()), songs.pop("found", 0)
        rows.append(
            {
                "part": part,
                "source": source,
                "requested": requested,
                "found": found,
                "reasons": sort_counts(songs),
            }
        )
    return sorted(rows, key=lambda row: (_PARTS.index(row["part"]), -row["requested"], row["source"]))
