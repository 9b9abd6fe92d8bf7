"""The place and cluster of every song, on executors, and the tables of the step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession

from songmood.projection import Matrix
from songmood.steps.cluster.features import Encoding
from songmood.tables import CLUSTER_SELECTION, CLUSTERS

_NEIGHBORS_ON_MAP = 5  # the weighted mean of their places is the place of a song beyond the sample


class Candidate(NamedTuple):
    """A number of clusters that was tried: a row of the table cluster_selection."""

    algorithm: str
    k: int
    distortion: float | None
    silhouette: float | None
    stability: float | None
    noise: float
    chosen: bool


@dataclass(frozen=True)
class Clustering:
    """A fitted map of songs and its clusters, as plain arrays, so that executors need not import UMAP.

    Of the n songs in the sample, `features` is n x features, `embedding` n x 10 and `picture` n x 2.
    `centers` is k x 10; clusters are numbered from 0, the largest first. `selection` is the table
    cluster_selection. `notes` are warnings for the user, `figures` are for the manifest.
    """

    encoding: Encoding
    song_ids: NDArray[np.object_]
    features: Matrix
    embedding: Matrix
    picture: Matrix
    centers: Matrix
    selection: list[Candidate]
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def assign_clusters(features: DataFrame, fitted: Clustering) -> DataFrame:
    """The table `clusters`: the place and cluster of every song.

    Songs of the sample keep their fitted coordinates. The place of another song is the mean of the
    places of the five songs of the sample that are nearest by features, weighted by 1 / distance:
    UMAP.transform starts there, too, and then optimizes, which makes the result depend on the rest of
    the batch. The cluster is that of the nearest center in ten dimensions.
    """
    broadcast = features.sparkSession.sparkContext.broadcast(fitted)

    def place(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from _place(batches, broadcast)

    return features.mapInPandas(place, CLUSTERS.schema)


def list_candidates(spark: SparkSession, fitted: Clustering) -> DataFrame:
    """The table `cluster_selection`: every number of clusters that was tried."""
    return spark.createDataFrame(fitted.selection, CLUSTER_SELECTION.schema)


def _place(batches: Iterable[pd.DataFrame], broadcast: Broadcast[Clustering]) -> Iterator[pd.DataFrame]:
    fitted = broadcast.value
    dimensions = fitted.embedding.shape[1]
    sample = pd.Index(fitted.song_ids)
    sample_places = np.hstack([fitted.embedding, fitted.picture])
    for songs in batches:
        if songs.empty or sample.empty:
            continue
        row = sample.get_indexer(pd.Index(songs["song_id"]))
        places = sample_places[row]
        beyond = row < 0
        if beyond.any():
            places[beyond] = _between(songs[beyond], fitted, sample_places)
        umap, picture = places[:, :dimensions], places[:, dimensions:]
        distances = ((umap[:, None, :] - fitted.centers[None, :, :]) ** 2).sum(axis=2)
        yield pd.DataFrame(
            {
                "song_id": songs["song_id"].to_numpy(),
                "cluster": distances.argmin(axis=1).astype("int32"),
                "x": picture[:, 0].astype("float32"),
                "y": picture[:, 1].astype("float32"),
                "umap": list(umap.astype("float32")),
                "distance": np.sqrt(distances.min(axis=1)).astype("float32"),
            }
        )


def _between(songs: pd.DataFrame, fitted: Clustering, sample_places: Matrix) -> Matrix:
    """The places of songs beyond the sample. The import takes seconds, and most runs have no such songs."""
    from sklearn.neighbors import KNeighborsRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    neighbors = min(_NEIGHBORS_ON_MAP, len(sample_places))
    nearest = KNeighborsRegressor(neighbors, weights="distance").fit(fitted.features, sample_places)
    with threadpool_limits(1):  # Spark gives each core a task of its own
        return np.asarray(nearest.predict(fitted.encoding.transform(songs)))
