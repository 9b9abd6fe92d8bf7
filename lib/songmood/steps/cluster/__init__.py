"""cluster: groups of songs that are alike, and a map of all songs (paper 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import ClusterSettings


class Clustered(NamedTuple):
    """The cluster of each song, and the search for their number."""

    clusters: DataFrame
    cluster_selection: DataFrame
    notes: Notes


@step("cluster", "groups of songs, and their map")
def cluster_songs(
    moods: DataFrame,
    audio_features: DataFrame,
    embeddings: DataFrame,
    settings: ClusterSettings,
    seed: int,
    rows: Mapping[str, int],
) -> Clustered:
    """The tables `clusters` and `cluster_selection`, by the mood model or, without one, by the plain encoder."""
    from songmood.steps.cluster.clusters import (
        assign_clusters,
        cluster_selection,
        fit_clusters,
        song_features,
    )

    warnings: tuple[str, ...] = ()
    if rows["moods"]:
        features = song_features(moods, "hidden", audio_features)
    else:
        warnings = (
            "no moods in this run: clusters are made from the plain encoder's embeddings and audio features",
        )
        features = song_features(embeddings, "embedding", audio_features)
    fitted = fit_clusters(features, settings, seed)
    return Clustered(
        assign_clusters(features, fitted),
        cluster_selection(features, fitted),
        Notes((*warnings, *fitted.notes)),
    )
