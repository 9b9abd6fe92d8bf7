"""The section on recommendations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from songmood.report.formats import song_name


def seeds(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Each seed song, which is the row with rank 0, with the songs recommended for it."""
    ordered = rows.sort_values(["seed_song_id", "rank"])
    return [
        {"name": _name(songs.iloc[0]), "songs": [_song(row) for _, row in songs.iloc[1:].iterrows()]}
        for _, songs in ordered.groupby("seed_song_id")
    ]


def _song(row: pd.Series) -> dict[str, Any]:
    return {
        "name": _name(row),
        "score": row["score"],
        "lexical": row["lexical_score"],
        "reason": row["reason"],
    }


def _name(row: pd.Series) -> str:
    return song_name(row["title"], row["artist"])
