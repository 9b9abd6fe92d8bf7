"""UMAP (McInnes et al. 2018) of what fits on the driver: songs near each other stay so, in few dimensions."""

from __future__ import annotations

import warnings
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]


class Layout:
    """Points and the `neighbors` nearest of each, itself among them, laid out as often as asked.

    The neighbors are exact, and searched for once: UMAP's own search would compile for nine seconds,
    and once for each layout.
    """

    def __init__(self, points: Matrix, neighbors: int, metric: str = "euclidean") -> None:
        from sklearn.neighbors import NearestNeighbors

        self._points, self._metric = points, metric
        search = NearestNeighbors(n_neighbors=neighbors, metric=metric).fit(points)
        self._distances, self._nearest = search.kneighbors(points)

    def in_dimensions(self, dimensions: int, min_distance: float, seed: int) -> Matrix:
        """A row of coordinates for each point; the same for the same seed, in one thread."""
        import umap  # here: its import compiles for seconds, and executors read modules that import this

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a seed means one thread, that new points have no place
            layout = umap.UMAP(
                n_components=dimensions,
                n_neighbors=self._nearest.shape[1],
                min_dist=min_distance,
                metric=self._metric,
                # the spectral start needs more points than dimensions
                init="spectral" if len(self._points) > dimensions + 2 else "random",
                random_state=seed,
                n_jobs=1,
                precomputed_knn=(self._nearest, self._distances),
            )
            return np.asarray(layout.fit_transform(self._points), dtype=float)
