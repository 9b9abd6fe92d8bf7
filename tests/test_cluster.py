"""Clusters: the map is judged by trustworthiness, K-Means by blobs whose number is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.manifold import trustworthiness

from conftest import ROOT, as_rows
from songmood.audio import AUDIO_FEATURES
from songmood.settings import Settings, load_settings
from songmood.steps.cluster import Clustering, assign_clusters, cluster_selection, fit_clusters, song_features
from songmood.tables import AUDIO, CLUSTER_SELECTION, CLUSTERS, EMBEDDINGS, MOODS

SIZES = (40, 30, 20)  # three blobs of songs


def moods_frame(spark: SparkSession, hidden: dict[str, list[float] | None]) -> DataFrame:
    rows = [(song_id, "happy", None, None, vector, "h", "m") for song_id, vector in hidden.items()]
    return spark.createDataFrame(rows, MOODS.schema)


def audio_frame(spark: SparkSession, song_ids: list[str]) -> DataFrame:
    rows = [
        (song_id, *(0 if name in ("key", "mode") else 4 if name == "time_signature" else 0.5
                    for name in AUDIO_FEATURES), "file")
        for song_id in song_ids
    ]  # fmt: skip
    return spark.createDataFrame(rows, AUDIO.schema)


def blobs() -> dict[str, list[float] | None]:
    rng = np.random.default_rng(3)
    songs: dict[str, list[float] | None] = {}
    for blob, size in enumerate(SIZES):
        center = np.eye(3)[blob] * 20
        for i in range(size):
            songs[f"{'cab'[blob]}{i:02}"] = [float(v) for v in np.tile(center, 2) + rng.normal(size=6)]
    return songs


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    hidden = blobs()
    # every other song has audio features
    return song_features(moods_frame(spark, hidden), "hidden", audio_frame(spark, list(hidden)[::2]))


SETTINGS = ("cluster.k_candidates=[2, 3, 9, 50]", "cluster.min_cluster_songs=3", "cluster.neighbors=8")


@pytest.fixture(scope="module")
def fitted(features: DataFrame) -> Clustering:
    settings = load_settings(ROOT / "conf" / "base.yaml", [], SETTINGS)
    return fit_clusters(features, settings.cluster, seed=7)


@pytest.fixture(scope="module")
def clusters(features: DataFrame, fitted: Clustering) -> pd.DataFrame:
    return assign_clusters(features, fitted).toPandas().set_index("song_id").sort_index()


def test_the_map_keeps_neighbors_together(fitted: Clustering) -> None:
    assert trustworthiness(fitted.features, fitted.embedding, n_neighbors=5) > 0.75
    assert trustworthiness(fitted.features, fitted.picture, n_neighbors=5) > 0.75


def test_k_is_the_number_of_blobs_and_too_large_a_k_is_not_tried(
    features: DataFrame, fitted: Clustering
) -> None:
    selection = cluster_selection(features, fitted)
    assert selection.schema == CLUSTER_SELECTION.schema
    rows = as_rows(selection)
    assert [row["k"] for row in rows] == [2, 3, 9]  # 50 would leave 1.8 songs a cluster
    assert [row["k"] for row in rows if row["chosen"]] == [3]
    assert rows[0]["distortion"] > rows[1]["distortion"] > rows[2]["distortion"] > 0


def test_clusters_are_the_blobs_numbered_largest_first(clusters: pd.DataFrame) -> None:
    for number, letter in enumerate("cab"):
        members = clusters[clusters.index.str.startswith(letter)]
        assert set(members["cluster"]) == {number}
        assert len(members) == SIZES[number]


def test_songs_of_the_sample_keep_their_fitted_places(clusters: pd.DataFrame, fitted: Clustering) -> None:
    assert list(clusters.index) == list(fitted.song_ids)
    np.testing.assert_array_equal(clusters[["x", "y"]].to_numpy(), fitted.picture.astype("float32"))
    np.testing.assert_array_equal(np.stack(clusters["umap"]), fitted.embedding.astype("float32"))


def test_order_and_partitions_of_the_input_change_nothing(
    features: DataFrame, fitted: Clustering, make_settings: Callable[..., Settings]
) -> None:
    shuffled = features.repartition(3).orderBy("vector")
    again = fit_clusters(shuffled, make_settings(*SETTINGS).cluster, seed=7)
    assert as_rows(assign_clusters(shuffled, again)) == as_rows(assign_clusters(features, fitted))
    assert again.selection == fitted.selection


def test_songs_beyond_the_sample_land_in_their_blob(
    features: DataFrame, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(*SETTINGS, "cluster.fit_songs=45").cluster
    sampled = fit_clusters(features, settings, seed=7)
    assert len(sampled.song_ids) == 45
    placed = assign_clusters(features, sampled)
    assert placed.schema == CLUSTERS.schema
    table = placed.toPandas()
    assert len(table) == sum(SIZES)
    assert table.groupby(table["song_id"].str[0])["cluster"].nunique().eq(1).all()
    assert table["cluster"].nunique() == 3
    assert all(len(place) == settings.dimensions for place in table["umap"])
    # where a song is put does not depend on its batch
    assert as_rows(assign_clusters(features.repartition(5), sampled)) == as_rows(placed)


@pytest.mark.parametrize(("n", "part"), [(0, "no song"), (3, "one cluster"), (12, "neighbors")])
def test_few_songs_are_clustered_and_said_to_be_few(
    spark: SparkSession, settings: Settings, n: int, part: str
) -> None:
    hidden: dict[str, list[float] | None] = {f"s{i:02}": [float(i), i * i / 7] for i in range(n)}
    songs = song_features(moods_frame(spark, hidden), "hidden", audio_frame(spark, []))
    fitted = fit_clusters(songs, settings.cluster, seed=7)
    assert part in fitted.notes[0]
    table = assign_clusters(songs, fitted).toPandas()
    assert sorted(table["song_id"]) == sorted(hidden)
    assert set(table["cluster"]) <= {0}  # base.yaml asks for ten songs a cluster
    assert table[["x", "y"]].notna().all().all()
    assert [row["chosen"] for row in as_rows(cluster_selection(songs, fitted))] == [True] * (n > 0)


def test_plain_embeddings_serve_where_there_is_no_model(
    spark: SparkSession, make_settings: Callable[..., Settings]
) -> None:
    rows = [(song_id, vector, "h", "m") for song_id, vector in blobs().items()]
    rows.append(("nothing", None, "h", "m"))
    songs = song_features(
        spark.createDataFrame(rows, EMBEDDINGS.schema), "embedding", audio_frame(spark, ["nothing"])
    )
    fitted = fit_clusters(songs, make_settings(*SETTINGS).cluster, seed=7)
    table = assign_clusters(songs, fitted).toPandas()
    assert len(table) == sum(SIZES) + 1
    blob_songs = table[table["song_id"] != "nothing"]
    assert blob_songs.groupby(blob_songs["song_id"].str[0])["cluster"].nunique().eq(1).all()


def test_songs_all_alike_are_one_cluster(spark: SparkSession, make_settings: Callable[..., Settings]) -> None:
    hidden: dict[str, list[float] | None] = {f"s{i}": [1.0, 2.0] for i in range(30)}
    songs = song_features(moods_frame(spark, hidden), "hidden", audio_frame(spark, []))
    fitted = fit_clusters(songs, make_settings(*SETTINGS).cluster, seed=7)
    table = assign_clusters(songs, fitted).toPandas()
    assert len(table) == 30
    assert np.isfinite(np.stack(table["umap"])).all()
