"""The section on clusters."""

from __future__ import annotations

from typing import Any

import pandas as pd

from songmood.report.formats import song_name

_SHOWN = 40  # of the largest clusters
_TERMS = 6  # of each


def profiles(clusters: pd.DataFrame, typical: pd.DataFrame) -> list[dict[str, Any]]:
    """The largest clusters, with their typical songs by name: cluster, place, artist, title."""
    names = {
        cluster: [song_name(song.title, song.artist) for song in songs.sort_values("place").itertuples()]
        for cluster, songs in typical.groupby("cluster")
    }
    largest = clusters.sort_values(["songs", "cluster"], ascending=[False, True]).head(_SHOWN)
    return [
        {
            "name": row["name"],
            "songs": row["songs"],
            "moods": sorted((row["mood_shares"] or {}).items(), key=lambda share: (-share[1], share[0])),
            "terms": ", ".join(term.replace("_", " ") for term in (row["terms"] or [])[:_TERMS]),
            "typical": names.get(row["cluster"], []),
        }
        for row in largest.to_dict("records")
    ]


def by_density(candidates: pd.DataFrame) -> list[dict[str, Any]]:
    """What DBSCAN and HDBSCAN found."""
    names = {"dbscan": "DBSCAN", "hdbscan": "HDBSCAN"}
    rows = candidates[candidates["algorithm"].isin(list(names))].sort_values("algorithm")
    return [
        {**{str(column): value for column, value in row.items()}, "algorithm": names[row["algorithm"]]}
        for row in rows.to_dict("records")
    ]
