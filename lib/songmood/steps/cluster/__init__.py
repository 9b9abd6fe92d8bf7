"""cluster: groups of songs that are alike, and a map of all songs (paper section 6, figures 2 and A.4).

A song's features are the final model's hidden layer, the plain encoder's reading of the lyrics, and the audio
features. UMAP brings them to ten dimensions, where K-Means groups them, and to two for the map.

features.py     the numbers that UMAP sees of a song
fit.py          UMAP and K-Means, on the driver, on a bounded sample; DBSCAN and HDBSCAN beside it
assign.py       the place and cluster of every song, on executors
profiles.py     what each cluster is
__init__.py     the step
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import ClusterSettings


class Clustered(NamedTuple):
    """The cluster of each song, the search for their number, and what each cluster is."""

    clusters: DataFrame
    cluster_selection: DataFrame
    cluster_profiles: DataFrame
    shared: tuple[DataFrame, ...]
    notes: Notes


@step("cluster", "groups of songs, and their map")
def cluster_songs(
    moods: DataFrame,
    audio_features: DataFrame,
    embeddings: DataFrame,
    tokens: DataFrame,
    settings: ClusterSettings,
    seed: int,
    rows: Mapping[str, int],
) -> Clustered:
    """The tables `clusters`, `cluster_selection` and `cluster_profiles`."""
    from songmood.steps.cluster.assign import assign_clusters, list_candidates
    from songmood.steps.cluster.features import song_features
    from songmood.steps.cluster.fit import fit_clusters
    from songmood.steps.cluster.profiles import describe_clusters

    warnings: tuple[str, ...] = ()
    if not rows["moods"]:
        warnings = ("no moods in this run: clusters are made from lyrics and audio features alone",)
    features = song_features(moods, embeddings, audio_features)
    fitted = fit_clusters(features, settings, seed)
    clusters = assign_clusters(features, fitted)
    return Clustered(
        clusters,
        list_candidates(features.sparkSession, fitted),
        describe_clusters(clusters, tokens, moods, audio_features, settings),
        (clusters,),
        Notes((*warnings, *fitted.notes), fitted.figures),
    )
