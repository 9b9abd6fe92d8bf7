"""cluster: groups of songs that are alike, and a map of all songs (paper section 6, figures 2 and A.4).

A song's features are the final model's hidden layer and the audio features, or, without a model, the
plain encoder's embedding in place of the hidden layer. UMAP brings them to ten dimensions, where K-Means
groups them, and to two for the map.

features.py     the numbers that UMAP sees of a song
fit.py          UMAP and K-Means, on the driver, on a bounded sample
assign.py       the place and cluster of every song, on executors
__init__.py     the step
"""

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
    """The tables `clusters` and `cluster_selection`."""
    from songmood.steps.cluster.assign import assign_clusters, list_candidates
    from songmood.steps.cluster.features import song_features
    from songmood.steps.cluster.fit import fit_clusters

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
        list_candidates(features.sparkSession, fitted),
        Notes((*warnings, *fitted.notes), fitted.figures),
    )
