"""Groups of songs that are alike, and a map of all songs (paper section 6, figures 2 and A.4).

Features are the final model's hidden layer and the audio features, or, without a model, the plain
encoder's embedding in place of the hidden layer. UMAP brings them to ten dimensions, where K-Means
groups them, and to two for the picture. UMAP and K-Means are fitted on the driver, on a bounded
sample; the fitted object is plain arrays, so executors need not compile UMAP.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from songmood.audio import AUDIO_FEATURES, continuous_features, one_hot_features
from songmood.layout import Layout, Matrix
from songmood.settings import ClusterSettings
from songmood.tables import CLUSTER_SELECTION, CLUSTERS

_FEWEST_FOR_UMAP = 5
_NEIGHBORS_ON_MAP = 5  # of a song beyond the sample: their weighted mean is its place


def song_features(songs: DataFrame, vector: str, audio: DataFrame) -> DataFrame:
    """What clusters are made of: song_id, vector (array<float>), and the twelve audio features or nulls.

    `songs` is `moods` with `vector` "hidden", or `embeddings` with `vector` "embedding".
    """
    features = songs.select("song_id", F.col(vector).alias("vector"))
    return features.join(audio.select("song_id", *AUDIO_FEATURES), "song_id", "left")


@dataclass(frozen=True)
class Encoding:
    """Turns songs into rows of numbers: what is continuous standardized, what is discrete one-hot.

    What a song lacks is the sample's mean, so that lacking it makes no two songs alike or unlike.
    """

    width: int  # of the vector
    scaler: StandardScaler
    shares: Matrix  # of each one-hot column in the sample

    @classmethod
    def fit(cls, songs: pd.DataFrame) -> Encoding:
        """Learn means and spreads from songs as `song_features` gives them."""
        width = max((len(vector) for vector in songs["vector"] if vector is not None), default=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a feature that no song has: mean of nothing
            scaler = StandardScaler().fit(_continuous(songs, width))
            shares = np.nan_to_num(np.nanmean(one_hot_features(songs), axis=0))
        return cls(width, scaler, shares)

    def transform(self, songs: pd.DataFrame) -> Matrix:
        """One row a song; no NaN."""
        continuous = np.nan_to_num(self.scaler.transform(_continuous(songs, self.width)))
        discrete = one_hot_features(songs)
        return np.hstack([continuous, np.where(np.isnan(discrete), self.shares, discrete)])


def _continuous(songs: pd.DataFrame, width: int) -> Matrix:
    """Vectors and continuous audio features side by side; NaN where a song has none."""
    nothing = np.full(width, np.nan)
    vectors = np.array([nothing if vector is None else vector for vector in songs["vector"]], dtype=float)
    return np.hstack([vectors, continuous_features(songs)])


class Candidate(NamedTuple):
    """A number of clusters that was tried: a row of the table cluster_selection."""

    k: int
    distortion: float
    silhouette: float | None
    chosen: bool


@dataclass(frozen=True)
class Clustering:
    """A fitted map of songs and its clusters: plain arrays, n songs of the sample.

    `embedding` is n x 10, `picture` n x 2, `centers` k x 10; clusters are numbered from 0, the
    largest first. `selection` is the table cluster_selection. `notes` says what a person should know.
    """

    encoding: Encoding
    song_ids: NDArray[np.object_]
    features: Matrix
    embedding: Matrix
    picture: Matrix
    centers: Matrix
    selection: list[Candidate]
    notes: tuple[str, ...] = ()


def fit_clusters(features: DataFrame, settings: ClusterSettings, seed: int) -> Clustering:
    """Fit UMAP and K-Means on at most `fit_songs` songs, sampled by hash.

    k is the candidate with the largest silhouette (the smaller of equals); distortion is K-Means'
    inertia. Candidates that leave fewer than `min_cluster_songs` songs a cluster are not tried.
    """
    order = F.xxhash64("song_id", F.lit(seed)), F.col("song_id")
    sample = features.orderBy(*order).limit(settings.fit_songs).toPandas()
    sample = sample.sort_values("song_id", ignore_index=True)
    if sample.empty:
        return _nothing(settings)
    encoding = Encoding.fit(sample)
    values = encoding.transform(sample)
    notes: list[str] = []
    # one thread: sums in another order would differ in their last digits from run to run
    with threadpool_limits(1):
        embedding, picture = _layouts(values, settings, seed, notes)
        centers, selection = _choose_k(embedding, settings, seed, notes)
    song_ids = sample["song_id"].to_numpy()
    return Clustering(encoding, song_ids, values, embedding, picture, centers, selection, tuple(notes))


def assign_clusters(features: DataFrame, fitted: Clustering) -> DataFrame:
    """The table clusters: place and cluster of every song.

    Songs of the sample keep their fitted coordinates. Another song's place is the mean of the five
    songs of the sample nearest by features, weighted by 1 / distance: where UMAP.transform starts
    from, without its optimization, which depends on what else is in the batch. The cluster is that of
    the nearest center in ten dimensions.
    """
    broadcast = features.sparkSession.sparkContext.broadcast(fitted)

    def place(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from _place(batches, broadcast)

    return features.mapInPandas(place, CLUSTERS.schema)


def cluster_selection(features: DataFrame, fitted: Clustering) -> DataFrame:
    """The table cluster_selection, as a frame of the session of `features`."""
    return features.sparkSession.createDataFrame(fitted.selection, CLUSTER_SELECTION.schema)


# -- fitting -----------------------------------------------------------------------------------


def _layouts(values: Matrix, settings: ClusterSettings, seed: int, notes: list[str]) -> tuple[Matrix, Matrix]:
    n = len(values)
    if n < _FEWEST_FOR_UMAP:
        notes.append(f"{n} songs are too few for a map: all are in one cluster, at one place")
        return np.zeros((n, settings.dimensions)), np.zeros((n, 2))
    neighbors = settings.neighbors
    if n < 4 * neighbors:
        neighbors = max(2, n // 4)
        notes.append(f"{n} songs are few for a map: it looks at {neighbors} neighbors of each")
    layout = Layout(values, neighbors)
    return (
        layout.in_dimensions(settings.dimensions, settings.min_distance, seed),
        layout.in_dimensions(2, settings.map_min_distance, seed),
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
                f"all {n} songs are in one cluster: too few for any of cluster.k_candidates "
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


def _nothing(settings: ClusterSettings) -> Clustering:
    return Clustering(
        encoding=Encoding(0, StandardScaler(), np.empty(0)),
        song_ids=np.array([], dtype=object),
        features=np.empty((0, 0)),
        embedding=np.empty((0, settings.dimensions)),
        picture=np.empty((0, 2)),
        centers=np.empty((0, settings.dimensions)),
        selection=[],
        notes=("no song has lyrics or a mood to make clusters of",),
    )


# -- on executors ------------------------------------------------------------------------------


def _place(batches: Iterable[pd.DataFrame], broadcast: Broadcast[Clustering]) -> Iterator[pd.DataFrame]:
    fitted = broadcast.value
    dimensions = fitted.embedding.shape[1]
    known = pd.Index(fitted.song_ids)
    fitted_places = np.hstack([fitted.embedding, fitted.picture])
    if known.empty:
        return
    nearest = KNeighborsRegressor(min(_NEIGHBORS_ON_MAP, len(known)), weights="distance")
    nearest.fit(fitted.features, fitted_places)
    with threadpool_limits(1):  # Spark gives each core a task of its own
        for songs in batches:
            if songs.empty:
                continue
            row = known.get_indexer(pd.Index(songs["song_id"]))
            places = fitted_places[row]
            beyond = row < 0
            if beyond.any():
                places[beyond] = nearest.predict(fitted.encoding.transform(songs[beyond]))
            umap, picture = places[:, :dimensions], places[:, dimensions:]
            distances = ((umap[:, None, :] - fitted.centers[None, :, :]) ** 2).sum(axis=2)
            yield pd.DataFrame(
                {
                    "song_id": songs["song_id"].to_numpy(),
                    "cluster": distances.argmin(axis=1).astype("int32"),
                    "x": picture[:, 0].astype("float32"),
                    "y": picture[:, 1].astype("float32"),
                    "umap": list(umap.astype("float32")),
                }
            )
