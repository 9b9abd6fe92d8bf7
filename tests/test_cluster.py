"""Clusters: the map is judged by trustworthiness, K-Means by blobs whose number is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.manifold import trustworthiness

from conftest import ROOT, as_rows
from songmood.audio import AUDIO_FEATURES
from songmood.settings import Settings, load_settings
from songmood.steps.cluster.assign import Candidate, Clustering, assign_clusters, list_candidates
from songmood.steps.cluster.features import Encoding, song_features
from songmood.steps.cluster.fit import choose_k, fit_clusters
from songmood.steps.cluster.profiles import describe_clusters
from songmood.tables import (
    AUDIO,
    CLUSTER_PROFILES,
    CLUSTER_SELECTION,
    CLUSTERS,
    EMBEDDINGS,
    MOODS,
    TOKENS,
)

SIZES = (40, 30, 20)  # three blobs of songs


MakeTable = Callable[..., DataFrame]
Vectors = dict[str, list[float]]
DISCRETE = {"key": 0, "mode": 0, "time_signature": 4}


def features_of(table: MakeTable, hidden: Vectors, with_audio: Iterable[str] = ()) -> DataFrame:
    """The features of songs with these hidden layers; some of them have audio features, all the same."""
    moods = table(MOODS, *({"song_id": song_id, "hidden": vector} for song_id, vector in hidden.items()))
    audio = {name: DISCRETE.get(name, 0.5) for name in AUDIO_FEATURES}
    audio_features = table(AUDIO, *({"song_id": song_id, **audio} for song_id in with_audio))
    return song_features(moods, table(EMBEDDINGS), audio_features)


def blobs() -> Vectors:
    rng = np.random.default_rng(3)
    songs: Vectors = {}
    for blob, size in enumerate(SIZES):
        center = np.eye(3)[blob] * 20
        for i in range(size):
            songs[f"{'cab'[blob]}{i:02}"] = [float(v) for v in np.tile(center, 2) + rng.normal(size=6)]
    return songs


@pytest.fixture(scope="module")
def features(table: MakeTable) -> DataFrame:
    hidden = blobs()
    return features_of(table, hidden, with_audio=list(hidden)[::2])


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
    spark: SparkSession, fitted: Clustering
) -> None:
    selection = list_candidates(spark, fitted)
    assert selection.schema == CLUSTER_SELECTION.schema
    rows = as_rows(selection)
    kmeans = sorted((row for row in rows if row["algorithm"] == "kmeans"), key=lambda row: row["k"])
    assert [row["k"] for row in kmeans] == [2, 3, 9]  # 50 would leave 1.8 songs for each cluster
    assert [(row["algorithm"], row["k"]) for row in rows if row["chosen"]] == [("kmeans", 3)]
    assert kmeans[0]["distortion"] > kmeans[1]["distortion"] > kmeans[2]["distortion"] > 0
    assert kmeans[1]["stability"] == 1
    found = {row["algorithm"]: row for row in rows}
    for algorithm in ("dbscan", "hdbscan"):
        assert 3 <= found[algorithm]["k"] <= 5
        assert found[algorithm]["silhouette"] > 0.5
        assert 0 <= found[algorithm]["noise"] < 0.3


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([(4, 0.50, 0.9), (8, 0.46, 0.9), (16, 0.30, 0.9)], 8),  # nearly as good, and more clusters
        ([(4, 0.40, 0.9), (8, 0.50, 0.9), (16, 0.48, 0.6)], 8),  # seeds do not agree about 16
        ([(4, 0.50, 0.1), (8, 0.60, 0.2), (16, 0.59, 0.3)], 8),  # seeds agree about none
        ([(4, None, 0.9)], 4),
    ],
)
def test_the_rule_for_k(
    settings: Settings, tried: list[tuple[int, float | None, float]], chosen: int
) -> None:
    rows = [
        Candidate("kmeans", k, 1.0, silhouette, stability, 0.0, False) for k, silhouette, stability in tried
    ]
    assert choose_k(rows, settings.cluster) == chosen


def test_each_part_varies_by_its_weight_and_a_gap_is_the_mean(
    table: MakeTable, make_settings: Callable[..., Settings]
) -> None:
    rng = np.random.default_rng(3)
    ids = [f"s{i:02}" for i in range(60)]
    audio = [{name: float(rng.uniform()) for name in AUDIO_FEATURES} | DISCRETE for _ in ids]
    for i, row in enumerate(audio):
        row["key"] = i % 12
    songs = song_features(
        table(MOODS, *({"song_id": s, "hidden": rng.normal(size=66).tolist()} for s in ids[:50])),
        table(EMBEDDINGS, *({"song_id": s, "embedding": rng.normal(size=5).tolist()} for s in ids)),
        table(AUDIO, *({"song_id": s, **row} for s, row in zip(ids, audio, strict=True))),
    ).toPandas()
    rows = Encoding.fit(songs, {"mood": 2.0, "lyrics": 0.5, "audio": 1.0}).transform(songs)
    mood, lyrics, sound = np.split(rows, [66, 71], axis=1)
    missing = songs["hidden"].isna().to_numpy()
    assert (mood[missing] == 0).all()
    assert (mood[~missing] ** 2).sum(axis=1).mean() == pytest.approx(2.0)
    assert (lyrics**2).sum(axis=1).mean() == pytest.approx(0.5)
    assert (sound**2).sum(axis=1).mean() == pytest.approx(1.0)
    assert np.abs(rows.mean(axis=0)).max() < 0.2


def test_profiles_say_what_a_cluster_is(table: MakeTable, settings: Settings) -> None:
    clusters = table(
        CLUSTERS,
        {"song_id": "a", "cluster": 0, "distance": 0.5},
        {"song_id": "b", "cluster": 0, "distance": 0.1},
        {"song_id": "c", "cluster": 1, "distance": 0.0},
        {"song_id": "d", "cluster": 1, "distance": 0.2},
        {"song_id": "e", "cluster": 2, "distance": 0.0},
        {"song_id": "f", "cluster": 3, "distance": 0.0},
    )
    words = {
        "a": ["river", "river", "love"],
        "b": ["river", "broken_heart", "love"],
        "c": ["party", "love"],
        "d": ["party", "dance", "love", "love"],
    }
    tokens = table(TOKENS, *({"song_id": s, "tokens": t} for s, t in words.items()))
    moods = table(
        MOODS,
        *({"song_id": s, "mood": m} for s, m in {"a": "sad", "b": "sad", "c": "happy", "d": "sad"}.items()),
        {"song_id": "e", "mood": None},
        {"song_id": "f", "mood": None},
    )
    audio = table(AUDIO, {"song_id": "a", "energy": 0.2}, {"song_id": "b", "energy": 0.4})
    found = describe_clusters(clusters, tokens, moods, audio, settings.cluster)
    assert set(found.columns) == set(CLUSTER_PROFILES.column_names)
    rows = {row.cluster: row for row in found.collect()}
    assert rows[0].name == "sad: broken heart, river, love"
    assert rows[1].name == "mixed moods: dance, party, love"
    assert rows[0].terms == ["broken_heart", "river", "love"]
    assert rows[0].typical_songs == ["b", "a"]
    assert rows[0].mood_shares == {"sad": 1.0}
    assert rows[1].mood_shares == {"happy": 0.5, "sad": 0.5}
    assert rows[0].sound == {"energy": pytest.approx(0.3)}
    assert rows[2].name == "cluster 2"  # nothing is known of its songs
    assert rows[2].terms == []


def test_clusters_of_one_name_are_told_apart(table: MakeTable, settings: Settings) -> None:
    clusters = table(CLUSTERS, *({"song_id": s, "cluster": i, "distance": 0.0} for i, s in enumerate("abc")))
    moods = table(MOODS, *({"song_id": s, "mood": "sad"} for s in "abc"))
    rows = describe_clusters(clusters, table(TOKENS), moods, table(AUDIO), settings.cluster).collect()
    assert {row.cluster: row.name for row in rows} == {0: "sad", 1: "sad (2)", 2: "sad (3)"}


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
    shuffled = features.repartition(3).orderBy("hidden")
    again = fit_clusters(shuffled, make_settings(*SETTINGS).cluster, seed=7)
    assert as_rows(assign_clusters(shuffled, again)) == as_rows(assign_clusters(features, fitted))
    assert again.selection == fitted.selection


def test_songs_beyond_the_sample_land_in_their_blob(
    features: DataFrame, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(*SETTINGS, "cluster.fit_songs=45").cluster
    sampled = fit_clusters(features, settings, seed=7)
    assert len(sampled.song_ids) == 45
    assert sampled.figures["left_out"] == {"cluster.fit_songs": sum(SIZES) - 45}
    assert 0.75 < sampled.figures["trustworthiness"] <= 1
    placed = assign_clusters(features, sampled)
    assert placed.schema == CLUSTERS.schema
    clusters = placed.toPandas()
    assert len(clusters) == sum(SIZES)
    assert clusters.groupby(clusters["song_id"].str[0])["cluster"].nunique().eq(1).all()
    assert clusters["cluster"].nunique() == 3
    assert all(len(place) == settings.dimensions for place in clusters["umap"])
    # the place of a song does not depend on its batch
    assert as_rows(assign_clusters(features.repartition(5), sampled)) == as_rows(placed)


@pytest.mark.parametrize(("n", "part"), [(0, "no song"), (3, "one cluster"), (12, "neighbors")])
def test_a_few_songs_are_clustered_with_a_warning(
    spark: SparkSession, table: MakeTable, settings: Settings, n: int, part: str
) -> None:
    hidden: Vectors = {f"s{i:02}": [float(i), i * i / 7] for i in range(n)}
    songs = features_of(table, hidden)
    fitted = fit_clusters(songs, settings.cluster, seed=7)
    assert part in fitted.notes[0]
    clusters = assign_clusters(songs, fitted).toPandas()
    assert sorted(clusters["song_id"]) == sorted(hidden)
    assert set(clusters["cluster"]) <= {0}  # base.yaml requires ten songs for each cluster
    assert clusters[["x", "y"]].notna().all().all()
    assert [row["chosen"] for row in as_rows(list_candidates(spark, fitted))] == [True] * (n > 0)


def test_plain_embeddings_serve_where_there_is_no_model(
    table: MakeTable, make_settings: Callable[..., Settings]
) -> None:
    rows = [{"song_id": song_id, "embedding": vector} for song_id, vector in blobs().items()]
    audio = {name: DISCRETE.get(name, 0.5) for name in AUDIO_FEATURES}
    songs = song_features(table(MOODS), table(EMBEDDINGS, *rows), table(AUDIO, song_id="nothing", **audio))
    fitted = fit_clusters(songs, make_settings(*SETTINGS).cluster, seed=7)
    clusters = assign_clusters(songs, fitted).toPandas()
    assert len(clusters) == sum(SIZES) + 1
    blob_songs = clusters[clusters["song_id"] != "nothing"]
    assert blob_songs.groupby(blob_songs["song_id"].str[0])["cluster"].nunique().eq(1).all()


def test_equal_songs_all_get_a_place(table: MakeTable, make_settings: Callable[..., Settings]) -> None:
    songs = features_of(table, {f"s{i}": [1.0, 2.0] for i in range(30)})
    fitted = fit_clusters(songs, make_settings(*SETTINGS).cluster, seed=7)
    clusters = assign_clusters(songs, fitted).toPandas()
    assert len(clusters) == 30
    assert np.isfinite(np.stack(clusters["umap"])).all()
