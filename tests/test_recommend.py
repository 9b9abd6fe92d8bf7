"""Recommendations: scikit-learn's cosine on the same weights is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics.pairwise import cosine_similarity

from conftest import ROOT, as_rows
from songmood.settings import Settings, load_settings
from songmood.steps import recommend
from songmood.tables import (
    CLUSTERS,
    DEDUPED,
    EMBEDDINGS,
    LYRIC_INDEX,
    MODEL_PREDICTIONS,
    MOODS,
    RECOMMENDATIONS,
    RETRIEVAL_METRICS,
)

WORDS = [
    "river",
    "road",
    "night",
    "rain",
    "moon",
    "train",
    "whiskey",
    "dance",
    "summer",
    "golden",
    "lonesome",
    "letter",
]
N = 30


def song_id(i: int) -> str:
    return f"s{i:02}"


def weights_of(n: int, seed: int = 1) -> pd.DataFrame:
    """Songs by words, each row of length 1, about half of the words in each song."""
    rng = np.random.default_rng(seed)
    raw = rng.uniform(0.2, 1, (n, len(WORDS))) * (rng.random((n, len(WORDS))) < 0.5)
    raw[:, 0] += 0.1  # no song without words
    return pd.DataFrame(
        raw / np.linalg.norm(raw, axis=1, keepdims=True), index=[song_id(i) for i in range(n)], columns=WORDS
    )


def index_frame(spark: SparkSession, weights: pd.DataFrame) -> DataFrame:
    rows = []
    for word in weights.columns:
        column = weights[word][weights[word] > 0].sort_values(ascending=False)
        postings = [(song, 1, float(weight)) for song, weight in column.items()]
        rows.append((word, len(postings), 1.0, postings))
    return spark.createDataFrame([row for row in rows if row[1]], LYRIC_INDEX.schema)


def deduped_frame(spark: SparkSession, names: dict[str, tuple[str | None, str | None]]) -> DataFrame:
    rows = [
        {"song_id": song, "artist": artist, "title": title, "version_count": 1}
        for song, (artist, title) in names.items()
    ]
    return spark.createDataFrame(
        [tuple(row.get(name) for name in DEDUPED.column_names) for row in rows], DEDUPED.schema
    )


def moods_frame(spark: SparkSession, hidden: dict[str, Any], moods: dict[str, str]) -> DataFrame:
    rows = [(song, moods[song], None, None, vector, "h", "m") for song, vector in hidden.items()]
    return spark.createDataFrame(rows, MOODS.schema)


def clusters_frame(spark: SparkSession, clusters: dict[str, int]) -> DataFrame:
    rows = [(song, cluster, 0.0, 0.0, [0.0]) for song, cluster in clusters.items()]
    return spark.createDataFrame(rows, CLUSTERS.schema)


class Corpus:
    """Thirty songs; s00 and s01 are one song under two ids."""

    def __init__(self, spark: SparkSession) -> None:
        rng = np.random.default_rng(2)
        self.weights = weights_of(N)
        self.hidden = {song: [float(v) for v in rng.normal(size=5)] for song in self.weights.index}
        self.moods = {song: ("happy", "sad")[i % 2] for i, song in enumerate(self.weights.index)}
        self.clusters = {song: i % 3 for i, song in enumerate(self.weights.index)}
        names: dict[str, tuple[str | None, str | None]] = {
            song: (f"Artist {i % 7}", f"Song {i}") for i, song in enumerate(self.weights.index)
        }
        names["s01"] = ("ARTIST 0", "song 0 (2011 Remaster)")
        names["s02"] = names["s03"] = (None, None)  # unknown names are not the same name
        self.index = index_frame(spark, self.weights)
        self.deduped = deduped_frame(spark, names)
        self.moods_table = moods_frame(spark, self.hidden, self.moods)
        self.clusters_table = clusters_frame(spark, self.clusters)
        self.vectors = recommend.hidden_vectors(self.moods_table)
        self.songs = recommend.weigh_songs(self.index, self.deduped)

    def oracle(self, weight: float, top_n: int) -> dict[str, list[tuple[str, float, float, float]]]:
        """Each song's best by scikit-learn: song_id, score, lexical, semantic."""
        ids = list(self.weights.index)
        lexical = cosine_similarity(self.weights.to_numpy())
        semantic = cosine_similarity(np.array([self.hidden[song] for song in ids], dtype="float32"))
        best = {}
        for i, seed in enumerate(ids):
            rows = [
                (song, (1 - weight) * lexical[i, j] + weight * semantic[i, j], lexical[i, j], semantic[i, j])
                for j, song in enumerate(ids)
                if i != j and lexical[i, j] > 0 and {seed, song} != {"s00", "s01"}
            ]
            best[seed] = sorted(rows, key=lambda row: (-row[1], row[0]))[:top_n]
        return best


@pytest.fixture(scope="module")
def corpus(spark: SparkSession) -> Corpus:
    return Corpus(spark)


@pytest.fixture(scope="module")
def base() -> Settings:
    return load_settings(ROOT / "conf" / "base.yaml")


@pytest.fixture(scope="module")
def recommended(corpus: Corpus, base: Settings) -> pd.DataFrame:
    pairs = recommend.compare_songs(corpus.songs, [corpus.vectors], base.recommend)
    ranked = recommend.rerank(pairs, base.recommend.semantic_weight, base.recommend.top_n)
    table = recommend.explain(ranked, corpus.songs, corpus.moods_table, corpus.clusters_table)
    assert set(table.columns) == set(RECOMMENDATIONS.column_names)
    rows: pd.DataFrame = table.toPandas().sort_values(["seed_song_id", "rank"], ignore_index=True)
    return rows


def test_songs_ranks_and_scores_are_those_of_scikit_learn(
    corpus: Corpus, base: Settings, recommended: pd.DataFrame
) -> None:
    best = corpus.oracle(base.recommend.semantic_weight, base.recommend.top_n)
    assert set(recommended["seed_song_id"]) == set(best)
    for seed, rows in recommended.groupby("seed_song_id"):
        expected = best[str(seed)]
        assert list(rows["rank"]) == list(range(1, base.recommend.top_n + 1))
        assert list(rows["song_id"]) == [row[0] for row in expected]
        for column, place in (("score", 1), ("lexical_score", 2), ("semantic_score", 3)):
            np.testing.assert_allclose(rows[column], [row[place] for row in expected], atol=1e-6)


def test_neither_the_seed_nor_the_same_song_under_another_id_is_recommended(
    recommended: pd.DataFrame,
) -> None:
    assert (recommended["seed_song_id"] != recommended["song_id"]).all()
    pairs = set(zip(recommended["seed_song_id"], recommended["song_id"], strict=True))
    assert not pairs & {("s00", "s01"), ("s01", "s00")}


def test_shared_terms_have_the_largest_products(corpus: Corpus, recommended: pd.DataFrame) -> None:
    for row in recommended.itertuples():
        products = corpus.weights.loc[row.seed_song_id] * corpus.weights.loc[row.song_id]
        best = sorted(products[products > 0].items(), key=lambda term: (-term[1], term[0]))[:5]
        assert list(row.shared_terms) == [term for term, _ in best]


def test_reasons_say_what_is_shared(corpus: Corpus, recommended: pd.DataFrame) -> None:
    seen = set()
    for row in recommended.itertuples():
        same_mood = corpus.moods[row.seed_song_id] == corpus.moods[row.song_id]
        same_cluster = corpus.clusters[row.seed_song_id] == corpus.clusters[row.song_id]
        assert (row.same_mood, row.same_cluster) == (same_mood, same_cluster)
        expected = ["shares " + ", ".join(list(row.shared_terms)[:3])]
        expected += [f"both {corpus.moods[row.seed_song_id]}"] * same_mood + ["same cluster"] * same_cluster
        assert row.reason.split("; ")[:-1] == expected
        assert row.reason.endswith(f"{row.semantic_score:.2f} alike to the mood model")
        seen.add((same_mood, same_cluster))
    assert len(seen) == 4


def test_blocks_order_and_partitions_change_nothing(
    spark: SparkSession, corpus: Corpus, base: Settings, make_settings: Callable[..., Settings]
) -> None:
    whole = recommend.compare_songs(corpus.songs, [corpus.vectors], base.recommend)
    shuffled = recommend.weigh_songs(
        corpus.index.repartition(3, "term"), corpus.deduped.repartition(2, "song_id")
    )
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    try:
        blocks = recommend.compare_songs(
            shuffled, [corpus.vectors], make_settings("recommend.block_songs=12").recommend
        )
        assert as_rows(blocks) == as_rows(whole)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")


def test_few_query_terms_bound_the_candidates_and_scores_stay_whole_cosines(
    corpus: Corpus, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("recommend.query_terms=2", "recommend.candidates=4").recommend
    pairs = recommend.compare_songs(corpus.songs, [corpus.vectors], settings).toPandas()
    assert pairs.groupby("seed_song_id").size().max() == 4
    for row in pairs.itertuples():
        seed, song = corpus.weights.loc[row.seed_song_id], corpus.weights.loc[row.song_id]
        heaviest = seed.nlargest(2).index
        assert row.candidate_score == pytest.approx((seed * song)[heaviest].sum())
        assert row.lexical_score == pytest.approx((seed * song).sum())


def test_equal_scores_go_by_song_id_and_a_missing_vector_counts_as_nothing(
    spark: SparkSession, base: Settings
) -> None:
    weights = pd.DataFrame(1.0, index=["d", "b", "c", "a"], columns=["rain"])
    songs = recommend.weigh_songs(
        index_frame(spark, weights), deduped_frame(spark, {song: ("A", song) for song in weights.index})
    )
    rows = [("a", [1.0, 0.0], "h", "m"), ("b", [1.0, 0.0], "h", "m"), ("c", [0.0, 0.0], "h", "m")]
    vectors = recommend.embedding_vectors(spark.createDataFrame(rows, EMBEDDINGS.schema))
    pairs = recommend.compare_songs(songs, [vectors], base.recommend)
    by_words = [
        r["song_id"] for r in recommend.rerank(pairs, 0.0, 10).orderBy("seed_song_id", "rank").collect()
    ]
    assert "".join(by_words) == "bcd" + "acd" + "abd" + "abc"
    ranked = as_rows(recommend.rerank(pairs, 0.5, 10).where("seed_song_id = 'a'"))
    found = {row["song_id"]: (row["rank"], row["semantic_score"], row["score"]) for row in ranked}
    assert found == {"b": (1, 1.0, 1.0), "c": (2, None, 0.5), "d": (3, None, 0.5)}
    explained = recommend.explain(
        recommend.rerank(pairs, 0.5, 10), songs, spark.createDataFrame([], MOODS.schema),
        spark.createDataFrame([], CLUSTERS.schema),
    )  # fmt: skip
    reasons = {(r["seed_song_id"], r["song_id"]): r for r in explained.collect()}
    assert reasons["a", "b"]["reason"] == "shares rain; 1.00 alike to the encoder"
    assert reasons["a", "c"]["reason"] == "shares rain"
    assert reasons["a", "b"]["same_mood"] is None
    assert reasons["a", "b"]["same_cluster"] is None


def test_precision_is_counted_among_held_out_songs_alone(
    spark: SparkSession, corpus: Corpus, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("recommend.semantic_weight=1").recommend
    held = [song_id(i) for i in range(16)]
    held_out = spark.createDataFrame(
        [(song, corpus.moods[song]) for song in held], "song_id string, mood string"
    )
    # a model that knows the moods of the held-out songs, and holds the others to be all alike
    knowing = {song: [1.0, 0.0] if corpus.moods[song] == "sad" else [0.0, 1.0] for song in held}
    hidden = {song: knowing.get(song, [1.0, 1.0]) for song in corpus.weights.index}
    rows = [(song, vector, "h", "m") for song, vector in corpus.hidden.items()]
    models = [
        recommend.embedding_vectors(spark.createDataFrame(rows, EMBEDDINGS.schema)),
        recommend.hidden_vectors(moods_frame(spark, hidden, corpus.moods)),
    ]
    table = recommend.measure_precision(corpus.songs, held_out, models, settings, seed=7)
    assert table.schema == RETRIEVAL_METRICS.schema
    metrics = {row["model"]: row for row in as_rows(table)}
    assert set(metrics) == {"chance", "tfidf", "tfidf + encoder", "tfidf + mood model"}
    # s00 and s01 are one song and cannot find each other; they differ in mood here
    assert metrics["chance"]["value"] == pytest.approx(7 / 15)
    # 7 of 10 are of the seed's mood for each seed, since only 7 others are: the best there can be
    assert metrics["tfidf + mood model"]["value"] == pytest.approx(0.7)
    assert metrics["tfidf + mood model"]["n_queries"] == 16
    for row in metrics.values():
        assert row["metric"] == "precision_by_mood"
        assert row["k"] == 10
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert [metrics[m]["semantic_weight"] for m in ("chance", "tfidf", "tfidf + encoder")] == [None, 0.0, 1.0]
    shuffled = recommend.measure_precision(
        corpus.songs.orderBy("weights"), held_out.repartition(3), models, settings, seed=7
    )
    assert as_rows(shuffled) == as_rows(table)
    # the words' precision by hand
    lexical = pd.DataFrame(cosine_similarity(corpus.weights), corpus.weights.index, corpus.weights.index)
    by_hand = []
    for seed in held:
        others = [s for s in held if lexical.loc[seed, s] and s != seed and {s, seed} != {"s00", "s01"}]
        best = sorted(others, key=lambda s: (-lexical.loc[seed, s], s))[:10]
        by_hand.append(np.mean([corpus.moods[s] == corpus.moods[seed] for s in best]))
    assert metrics["tfidf"]["value"] == pytest.approx(float(np.mean(by_hand)))


def test_held_out_songs_are_those_that_training_tested_on(spark: SparkSession) -> None:
    rows = [
        (model, song, split, mood, "sad", {"sad": 1.0}, None)
        for model in ("majority", "fusion")
        for song, split, mood in (("a", "test", "happy"), ("b", "validation", "sad"), ("c", "test", "sad"))
    ]
    predictions = spark.createDataFrame(rows, MODEL_PREDICTIONS.schema)
    assert as_rows(recommend.held_out_songs(predictions)) == [
        {"song_id": "a", "mood": "happy"},
        {"song_id": "c", "mood": "sad"},
    ]


def test_without_an_index_or_labels_the_tables_are_empty(spark: SparkSession, base: Settings) -> None:
    songs = recommend.weigh_songs(
        spark.createDataFrame([], LYRIC_INDEX.schema), spark.createDataFrame([], DEDUPED.schema)
    )
    vectors = recommend.embedding_vectors(spark.createDataFrame([], EMBEDDINGS.schema))
    pairs = recommend.compare_songs(songs, [vectors], base.recommend)
    assert as_rows(recommend.rerank(pairs, 0.5, 10)) == []
    held_out = recommend.held_out_songs(spark.createDataFrame([], MODEL_PREDICTIONS.schema))
    assert as_rows(recommend.measure_precision(songs, held_out, [vectors], base.recommend, seed=7)) == []
