"""UMAP (McInnes et al. 2018) on the driver: points in few dimensions, where neighbors stay neighbors."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]


class NeighborGraph:
    """Points and the `neighbors` nearest of each, itself among them, from which projections are made.

    The neighbors are exact, and found once for all projections: UMAP's own search would compile for
    nine seconds.
    """

    def __init__(self, points: Matrix, neighbors: int, metric: str = "euclidean") -> None:
        from sklearn.neighbors import NearestNeighbors

        self._points, self._metric = points, metric
        search = NearestNeighbors(n_neighbors=neighbors, metric=metric).fit(points)
        self._distances, self._nearest = search.kneighbors(points)

    def project(self, dimensions: int, min_distance: float, seed: int) -> Matrix:
        """Coordinates of each point, (points, dimensions); the same for the same seed, in one thread."""
        with warnings.catch_warnings():
            # a seed means one thread, and new points cannot be placed: both are intended
            warnings.simplefilter("ignore")
            projection = _umap().UMAP(
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
            return np.asarray(projection.fit_transform(self._points), dtype=float)


def _umap() -> Any:
    """The package umap, set to keep the machine code that it compiles: seven seconds at the first use only.

    Imported here, because the import takes seconds, and executors import modules that import this one.
    Numba keeps the code beside umap's files, or in the user's cache folder, for this version and CPU.
    """
    import umap
    from umap import layouts, umap_

    for function in (
        umap_.smooth_knn_dist,
        umap_.compute_membership_strengths,
        layouts._nb_optimize_layout_euclidean_single_epoch,
    ):
        function.enable_caching()
    return umap
