"""UMAP and K-Means on the driver, on a bounded sample of songs."""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from songmood.engine.spark import sampled
from songmood.projection import NeighborGraph
from songmood.settings import ClusterSettings
from songmood.steps.cluster.assign import Candidate, Clustering
from songmood.steps.cluster.features import Encoding, Matrix

_FEWEST_FOR_UMAP = 5


def fit_clusters(features: DataFrame, settings: ClusterSettings, seed: int) -> Clustering:
    """Fit UMAP and K-Means on at most `fit_songs` songs, sampled by hash.

    k is the candidate with the largest silhouette (the smaller of equals); distortion is K-Means'
    inertia. Candidates that leave fewer than `min_cluster_songs` songs for each cluster are not tried.
    """
    drawn = sampled(features, "song_id", settings.fit_songs, seed)
    sample = drawn.rows.toPandas().sort_values("song_id", ignore_index=True)
    if sample.empty:
        return _without_songs(settings)
    encoding = Encoding.fit(sample)
    values = encoding.transform(sample)
    notes: list[str] = []
    # one thread: sums in another order would differ in their last digits from run to run
    with threadpool_limits(1):
        embedding, picture = _project(values, settings, seed, notes)
        centers, selection = _choose_k(embedding, settings, seed, notes)
    figures = drawn.left_out("cluster.fit_songs")
    song_ids = sample["song_id"].to_numpy()
    return Clustering(
        encoding, song_ids, values, embedding, picture, centers, selection, tuple(notes), figures
    )


def _project(values: Matrix, settings: ClusterSettings, seed: int, notes: list[str]) -> tuple[Matrix, Matrix]:
    n = len(values)
    if n < _FEWEST_FOR_UMAP:
        notes.append(f"{n} songs are too few for a map: all are in one cluster, at one place")
        return np.zeros((n, settings.dimensions)), np.zeros((n, 2))
    neighbors = settings.neighbors
    if n < 4 * neighbors:
        neighbors = max(2, n // 4)
        notes.append(f"{n} songs are few for a map: UMAP looks at {neighbors} neighbors of each song")
    graph = NeighborGraph(values, neighbors)
    return (
        graph.project(settings.dimensions, settings.min_distance, seed),
        graph.project(2, settings.map_min_distance, seed),
    )


def _choose_k(
    embedding: Matrix, settings: ClusterSettings, seed: int, notes: list[str]
) -> tuple[Matrix, list[Candidate]]:
    n, distinct = len(embedding), len(np.unique(embedding, axis=0))
    candidates = [
        k for k in sorted(set(settings.k_candidates)) if k * settings.min_cluster_songs <= n and k < distinct
    ]
    fits = {k: KMeans(k, n_init=10, random_state=seed).fit(embedding) for k in candidates}
    silhouettes = {
        k: float(
            silhouette_score(
                embedding, fit.labels_, sample_size=min(n, settings.silhouette_songs), random_state=seed
            )
        )
        for k, fit in fits.items()
    }
    if not fits:
        if n >= _FEWEST_FOR_UMAP:
            notes.append(
                f"all {n} songs are in one cluster: they are too few for any of cluster.k_candidates "
                f"with cluster.min_cluster_songs={settings.min_cluster_songs}"
            )
        center = embedding.mean(axis=0, keepdims=True)
        return center, [Candidate(1, _distortion(embedding, center), None, True)]
    best = max(candidates, key=lambda k: (silhouettes[k], -k))
    return _largest_first(fits[best]), [
        Candidate(k, _distortion(embedding, fit.cluster_centers_[fit.labels_]), silhouettes[k], k == best)
        for k, fit in fits.items()
    ]


def _distortion(embedding: Matrix, centers: Matrix) -> float:
    """Sum of squared distances to each song's center; scikit-learn's own varies in its last digits."""
    return float(((embedding - centers) ** 2).sum())


def _largest_first(fit: KMeans) -> Matrix:
    """Centers by falling number of songs, then by the smallest song_id: songs are in that order here."""
    labels, first, sizes = np.unique(fit.labels_, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    return np.asarray(fit.cluster_centers_[labels[order]], dtype=float)


def _without_songs(settings: ClusterSettings) -> Clustering:
    return Clustering(
        encoding=Encoding(0, np.empty(0), np.empty(0), np.empty(0)),
        song_ids=np.array([], dtype=object),
        features=np.empty((0, 0)),
        embedding=np.empty((0, settings.dimensions)),
        picture=np.empty((0, 2)),
        centers=np.empty((0, settings.dimensions)),
        selection=[],
        notes=("no song has lyrics or a mood, so there are no clusters",),
    )
