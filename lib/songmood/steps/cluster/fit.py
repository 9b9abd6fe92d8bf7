"""UMAP and K-Means on the driver, on a bounded sample of songs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from songmood.audio import AudioEncoding
from songmood.engine.spark import sampled
from songmood.projection import NeighborGraph
from songmood.settings import ClusterSettings
from songmood.steps.cluster.assign import Candidate, Clustering
from songmood.steps.cluster.features import Encoding, Matrix

_FEWEST_FOR_UMAP = 5
_STARTS = 5  # of K-Means for each k and seed; the best one is kept


def fit_clusters(features: DataFrame, settings: ClusterSettings, seed: int) -> Clustering:
    """Fit UMAP and K-Means on at most `fit_songs` songs, sampled by hash.

    Of the candidates for k whose silhouette is at most `silhouette_margin` below the best one's, and which
    two seeds agree about (an adjusted Rand index of `min_stability`), the largest is chosen: the paper wants
    many clusters. Where seeds agree about none, the silhouette alone decides. Candidates that leave fewer
    than `min_cluster_songs` songs for each cluster are not tried. DBSCAN and HDBSCAN are measured beside it.
    """
    drawn = sampled(features, "song_id", settings.fit_songs, seed)
    sample = drawn.rows.toPandas().sort_values("song_id", ignore_index=True)
    if sample.empty:
        return _without_songs(settings)
    weights = {str(part): weight for part, weight in settings.weights.items()}
    encoding = Encoding.fit(sample, weights)
    values = encoding.transform(sample)
    notes: list[str] = []
    # one thread: sums in another order would differ in their last digits from run to run
    with threadpool_limits(1):
        embedding, picture = _project(values, settings, seed, notes)
        centers, selection = _choose_k(embedding, settings, seed, notes)
        selection += _by_density(embedding, settings, seed)
        figures = {
            **_trust(values, embedding, picture, settings, seed),
            **drawn.left_out("cluster.fit_songs"),
        }
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
    if not candidates:
        if n >= _FEWEST_FOR_UMAP:
            notes.append(
                f"all {n} songs are in one cluster: they are too few for any of cluster.k_candidates "
                f"with cluster.min_cluster_songs={settings.min_cluster_songs}"
            )
        center = embedding.mean(axis=0, keepdims=True)
        return center, [Candidate("kmeans", 1, _distortion(embedding, center), None, None, 0.0, True)]
    fits, tried = {}, {}
    for k in candidates:
        fits[k], other = (KMeans(k, n_init=_STARTS, random_state=seed + i).fit(embedding) for i in (0, 1))
        distortion = _distortion(embedding, fits[k].cluster_centers_[fits[k].labels_])
        silhouette = _silhouette(embedding, fits[k].labels_, settings, seed)
        stability = float(adjusted_rand_score(fits[k].labels_, other.labels_))
        tried[k] = Candidate("kmeans", k, distortion, silhouette, stability, 0.0, False)
    chosen = choose_k(list(tried.values()), settings)
    tried[chosen] = tried[chosen]._replace(chosen=True)
    return _largest_first(fits[chosen]), list(tried.values())


def choose_k(tried: Sequence[Candidate], settings: ClusterSettings) -> int:
    """The largest k that is nearly as good as the best, and stable; see `fit_clusters`."""
    stable = [one for one in tried if (one.stability or 0.0) >= settings.min_stability]
    if not stable:
        return max(tried, key=lambda one: (one.silhouette or -1.0, -one.k)).k
    best = max(one.silhouette or -1.0 for one in stable)
    return max(one.k for one in stable if (one.silhouette or -1.0) >= best - settings.silhouette_margin)


def _by_density(embedding: Matrix, settings: ClusterSettings, seed: int) -> list[Candidate]:
    """What DBSCAN and HDBSCAN find: they choose the number of clusters, and leave songs out as noise.

    DBSCAN's radius is at the knee of the distances to the neighbor of number `min_cluster_songs`.
    """
    n, least = len(embedding), settings.min_cluster_songs
    if n < max(2 * least, _FEWEST_FOR_UMAP) or len(np.unique(embedding, axis=0)) < 2:
        return []
    distances = np.sort(NearestNeighbors(n_neighbors=least).fit(embedding).kneighbors()[0][:, -1])
    straight = np.linspace(distances[0], distances[-1], n)
    radius = float(distances[np.argmax(straight - distances)]) or float(distances[-1]) or 1.0
    found = {
        "dbscan": DBSCAN(eps=radius, min_samples=least).fit_predict(embedding),
        "hdbscan": HDBSCAN(min_cluster_size=max(2, least), copy=True).fit_predict(embedding),
    }
    rows = []
    for algorithm, labels in found.items():
        known = labels >= 0
        k = len(np.unique(labels[known]))
        silhouette = _silhouette(embedding[known], labels[known], settings, seed) if k > 1 else None
        rows.append(Candidate(algorithm, k, None, silhouette, None, float(1 - known.mean()), False))
    return rows


def _silhouette(
    embedding: Matrix, labels: NDArray[np.integer], settings: ClusterSettings, seed: int
) -> float | None:
    """The mean silhouette of a sample of songs; None where it has one cluster, or only songs alone."""
    n = len(labels)
    try:
        return float(
            silhouette_score(
                embedding, labels, sample_size=min(n, settings.silhouette_songs), random_state=seed
            )
        )
    except ValueError:
        return None


def _trust(
    values: Matrix, embedding: Matrix, picture: Matrix, settings: ClusterSettings, seed: int
) -> dict[str, float]:
    """How far the songs that are near in ten and in two dimensions are near by features, 0 to 1."""
    n = len(values)
    if n < 4 * settings.neighbors:
        return {}
    rows = np.random.default_rng(seed).permutation(n)[: settings.silhouette_songs]
    return {
        name: round(float(trustworthiness(values[rows], places[rows], n_neighbors=settings.neighbors)), 4)
        for name, places in {"trustworthiness": embedding, "trustworthiness_of_map": picture}.items()
    }


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
        encoding=Encoding({}, {}, AudioEncoding.empty()),
        song_ids=np.array([], dtype=object),
        features=np.empty((0, 0)),
        embedding=np.empty((0, settings.dimensions)),
        picture=np.empty((0, 2)),
        centers=np.empty((0, settings.dimensions)),
        selection=[],
        notes=("no song has lyrics or a mood, so there are no clusters",),
    )
