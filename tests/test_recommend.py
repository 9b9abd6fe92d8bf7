"""Recommendations: an exhaustive search by scikit-learn's cosines is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from scipy.optimize import minimize
from sklearn.metrics import ndcg_score
from sklearn.metrics.pairwise import cosine_similarity

from conftest import as_rows
from songmood.audio import AUDIO_FEATURES
from songmood.settings import RecommendSettings, Settings
from songmood.steps.recommend import measure, recommend_songs
from songmood.steps.recommend.find import Finder, fetch_recall, find_recommendations
from songmood.steps.recommend.lists import choose
from songmood.steps.recommend.mix import find_weights
from songmood.steps.recommend.parts import (
    AUDIO,
    CLUSTER,
    LYRICS,
    MOOD,
    PARTS,
    WORDS,
    Scale,
    similarity,
    standardized,
)
from songmood.steps.recommend.reasons import sentence, shared_sound
from songmood.steps.recommend.songs import song_parts
from songmood.steps.recommend.store import Blend, Store, fetch_store
from songmood.tables import (
    AUDIO as AUDIO_TABLE,
)
from songmood.tables import (
    CLUSTER_PROFILES,
    CLUSTERS,
    DEDUPED,
    EMBEDDINGS,
    LYRIC_INDEX,
    MIX_CURVES,
    MODEL_PREDICTIONS,
    MOODS,
    RECOMMENDATIONS,
    RETRIEVAL_METRICS,
    SONG_TERMS,
    TAGS,
    TOKENS,
)

MakeTable = Callable[..., DataFrame]
MakeSettings = Callable[..., Settings]

VOCABULARY = pd.Index(sorted(f"word{i:03}" for i in range(120)), name="term")
N = 240
CLUSTER_NAMES = {number: f"cluster {number}" for number in range(6)}
ALL = ("recommend.near_songs=100000", "recommend.vector_candidates=100000", "recommend.cell_songs=40")
NO_RULES = ("recommend.max_per_artist=100000",)


def song_id(i: int) -> str:
    return f"s{i:03}"


class Corpus:
    """Songs with all parts, but every fifth without lyrics, and every seventh without audio features."""

    def __init__(self, table: MakeTable, count: int = N, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.ids = [song_id(i) for i in range(count)]
        raw = rng.uniform(0.2, 1, (count, len(VOCABULARY))) * (rng.random((count, len(VOCABULARY))) < 0.15)
        raw[::5] = 0
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        self.words = np.divide(raw, lengths, out=np.zeros_like(raw), where=lengths > 0)
        self.embedding = rng.normal(size=(count, 12)) + 3  # all in about one direction, as real ones are
        self.hidden = rng.normal(size=(count, 5)) + 1
        self.clusters = np.arange(count) % 6
        self.moods = np.array(["happy", "sad"])[np.arange(count) % 2]
        with_lyrics = [i for i in range(count) if i % 5]
        self.deduped = table(
            DEDUPED,
            *(
                {"song_id": s, "artist": f"Artist {i // 4}", "title": f"Title {i}", "year": 1960 + i % 50}
                for i, s in enumerate(self.ids)
            ),
            version_count=1,
        )
        self.song_terms = table(
            SONG_TERMS, *({"song_id": self.ids[i], **terms_of(self.words[i])} for i in with_lyrics)
        )
        self.embeddings = table(
            EMBEDDINGS,
            *({"song_id": self.ids[i], "embedding": self.embedding[i].tolist()} for i in with_lyrics),
        )
        self.moods_table = table(
            MOODS,
            *(
                {"song_id": s, "mood": m, "probabilities": {m: 0.9}, "hidden": h.tolist()}
                for s, m, h in zip(self.ids, self.moods.tolist(), self.hidden, strict=True)
            ),
        )
        self.audio = {
            s: {name: audio_value(rng, name) for name in AUDIO_FEATURES}
            for i, s in enumerate(self.ids)
            if i % 7
        }
        self.audio_table = table(AUDIO_TABLE, *({"song_id": s, **row} for s, row in self.audio.items()))
        self.clusters_table = table(
            CLUSTERS, *({"song_id": s, "cluster": i % 6} for i, s in enumerate(self.ids)), x=0.0, y=0.0
        )

    def songs(self, works: DataFrame) -> DataFrame:
        return song_parts(
            *(self.deduped, self.song_terms, self.embeddings, self.moods_table),
            *(self.audio_table, self.clusters_table, works, ["Various Artists"]),
        )


def terms_of(weights: Any) -> dict[str, Any]:
    places = np.flatnonzero(weights)
    terms = [str(VOCABULARY[place]) for place in places]
    values = [float(weights[place]) for place in places]
    return {
        "terms": terms,
        "counts": [1] * len(terms),
        "weights": values,
        "bm25": [2 * value for value in values],
        "keyword": [place % 2 == 0 for place in range(len(terms))],
    }


def audio_value(rng: Any, name: str) -> float | int:
    if name in ("key", "mode", "time_signature"):
        return int(rng.integers(2))
    return float(rng.uniform(0, 1))


@pytest.fixture(scope="module")
def corpus(table: MakeTable) -> Corpus:
    return Corpus(table)


@pytest.fixture(scope="module")
def no_works(spark: SparkSession) -> DataFrame:
    return works_table(spark, {})


def works_table(spark: SparkSession, works: dict[str, list[int]], unlisted: Sequence[str] = ()) -> DataFrame:
    rows = [(song, numbers, song not in unlisted) for song, numbers in works.items()]
    return spark.createDataFrame(rows, "song_id string, works array<bigint>, listed boolean")


def make_store(
    songs: DataFrame, settings: RecommendSettings, folder: Path, weights: dict[str, float] | None = None
) -> Store:
    """A store of songs, with weights that sum to 1."""
    sample = songs.toPandas().sort_values("song_id", ignore_index=True)
    scale = Scale.fit(sample, VOCABULARY, settings.words == "bm25", seed=7)
    given = weights or {str(part): weight for part, weight in settings.weights.items()}
    total = sum(given.values())
    blend = Blend({part: given.get(part, 0.0) / total for part in PARTS}, scale)
    fetch_store(songs, len(sample), sample, VOCABULARY, CLUSTER_NAMES, blend, settings, 7, folder)
    return Store(folder)


def recommend_all(store: Store, settings: RecommendSettings) -> pd.DataFrame:
    """The rows of all songs, by seed and rank, made without Spark."""
    finder = Finder(store, settings)
    rows = [finder.recommend(cell, np.arange(first, end)) for cell, (first, _, end) in enumerate(store.cells)]
    return pd.concat(rows).sort_values(["seed_song_id", "rank"], ignore_index=True)


# -- parts -------------------------------------------------------------------------------------------------


def test_similarities_are_those_of_scikit_learn_and_what_a_song_lacks_takes_no_side(
    corpus: Corpus, no_works: DataFrame
) -> None:
    facts = corpus.songs(no_works).toPandas().sort_values("song_id", ignore_index=True)
    scale = Scale.fit(facts, VOCABULARY, bm25=False, seed=7)
    songs = scale.arrays(facts, VOCABULARY, bm25=False)
    has_lyrics = np.arange(N) % 5 > 0
    both = has_lyrics[:, None] & has_lyrics
    expected = {
        WORDS: np.where(both, cosine_similarity(corpus.words), np.nan),
        LYRICS: np.where(
            both, cosine_similarity(corpus.embedding - corpus.embedding[has_lyrics].mean(axis=0)), np.nan
        ),
        MOOD: cosine_similarity(corpus.hidden - corpus.hidden.mean(axis=0)),
        CLUSTER: (corpus.clusters[:, None] == corpus.clusters).astype(float),
    }
    for part, values in expected.items():
        np.testing.assert_allclose(similarity(songs, songs, part), values, atol=1e-5, err_msg=part)
    apart = ~np.eye(N, dtype=bool)
    for part in PARTS:
        values = standardized(songs, songs, part, scale)
        known = apart & ~np.isnan(similarity(songs, songs, part))
        assert abs(values[known].mean()) < 0.05, part
        assert abs(values[known].std() - 1) < 0.05, part
        assert (values[~songs.has(part)] == 0).all(), part
    assert not songs.has(AUDIO)[::7].any()
    assert songs.has(AUDIO).sum() == len(corpus.audio)


def test_a_part_that_no_song_has_adds_nothing(table: MakeTable, no_works: DataFrame) -> None:
    deduped = table(DEDUPED, {"song_id": "a"}, {"song_id": "b"}, artist="A", version_count=1)
    empty = (table(contract) for contract in (SONG_TERMS, EMBEDDINGS, MOODS, AUDIO_TABLE, CLUSTERS))
    facts = song_parts(deduped, *empty, no_works, []).toPandas()
    scale = Scale.fit(facts, VOCABULARY, bm25=False, seed=7)
    songs = scale.arrays(facts, VOCABULARY, bm25=False)
    for part in PARTS:
        assert not songs.has(part).any()
        assert (standardized(songs, songs, part, scale) == 0).all()


def test_nobody_is_not_an_artist(table: MakeTable, no_works: DataFrame, settings: Settings) -> None:
    names = {"a": "Bo", "b": "BO!", "c": "Various Artists", "d": "traditional", "e": " ", "f": None}
    deduped = table(DEDUPED, *({"song_id": s, "artist": name} for s, name in names.items()), version_count=1)
    empty = (table(contract) for contract in (SONG_TERMS, EMBEDDINGS, MOODS, AUDIO_TABLE, CLUSTERS))
    rows = song_parts(deduped, *empty, no_works, settings.dedupe.nameless_artists).collect()
    found = {row.song_id: row.artist for row in rows}
    assert found == {"a": "bo", "b": "bo", "c": None, "d": None, "e": None, "f": None}


# -- the search --------------------------------------------------------------------------------------------


def exhaustive(corpus: Corpus, store: Store, facts: pd.DataFrame) -> np.ndarray:
    """The score of each song for each seed, from all parts of all songs."""
    scale = Scale.fit(facts, VOCABULARY, bm25=False, seed=7)
    songs = scale.arrays(facts, VOCABULARY, bm25=False)
    weights = store.about["weights"]
    return np.asarray(sum(weights[part] * standardized(songs, songs, part, scale) for part in PARTS))


def test_without_caps_the_lists_are_those_of_an_exhaustive_search(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(*ALL, *NO_RULES).recommend
    songs = corpus.songs(no_works)
    store = make_store(songs, settings, tmp_path / "songs")
    assert len(store.cells) > 3
    facts = songs.toPandas().sort_values("song_id", ignore_index=True)
    scores = exhaustive(corpus, store, facts)
    rows = recommend_all(store, settings)
    assert len(rows) == N * settings.top_n
    for seed, group in rows.groupby("seed_song_id"):
        own = corpus.ids.index(str(seed))
        expected = sorted((j for j in range(N) if j != own), key=lambda j: (-scores[own, j], j))
        assert list(group["song_id"]) == [corpus.ids[j] for j in expected[: settings.top_n]]
        np.testing.assert_allclose(group["score"], scores[own, expected[: settings.top_n]], atol=1e-5)


def test_words_alone_rank_as_the_tfidf_cosine_and_bm25_as_its_sum(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    oracles = {"tfidf": cosine_similarity(corpus.words), "bm25": (corpus.words > 0) @ (2 * corpus.words).T}
    for words, oracle in oracles.items():
        settings = make_settings(*ALL, *NO_RULES, f"recommend.words={words}", "recommend.query_terms=1000")
        store = make_store(corpus.songs(no_works), settings.recommend, tmp_path / words, {WORDS: 1.0})
        rows = recommend_all(store, settings.recommend)
        rows = rows[rows["seed_song_id"] == song_id(1)]
        others = [j for j in range(N) if j != 1 and j % 5]
        best = sorted(others, key=lambda j: (-oracle[1, j], j))[: len(rows)]
        assert list(rows["song_id"]) == [song_id(j) for j in best]
        np.testing.assert_allclose(rows["words_similarity"].astype(float), oracle[1, best], atol=1e-6)


def test_each_source_finds_candidates_and_what_the_caps_lose_is_measured(
    spark: SparkSession, corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    from songmood.engine.spark import ship

    off = "recommend.word_candidates=0", "recommend.keyword_candidates=0", "recommend.vector_candidates=0"
    capped = ("recommend.near_songs=60", "recommend.cell_songs=20", "recommend.exact_seeds=80")
    losses = {}
    for name, sources in {
        "words": (off[1], off[2]),
        "keywords": (off[0], off[2]),
        "vectors": (*off[:2], "recommend.vector_candidates=15"),
        "all": (),
    }.items():
        settings = make_settings(*capped, *sources).recommend
        folder = tmp_path / name
        store = make_store(corpus.songs(no_works), settings, folder)
        search = Finder(store, settings).search
        pairs = search.candidates(0, np.arange(*store.cells[0, [0, 2]]))
        assert len(pairs.seed)
        assert (np.diff(pairs.seed * 10.0 - pairs.score / 100) >= 0).all()  # by seed, the best first
        (metric,) = fetch_recall(spark, folder, ship(spark, folder), settings, seed=7)
        assert (metric.relevance, metric.metric, metric.k) == ("exact", "recall", settings.top_n)
        losses[name] = metric.value
    assert max(losses["words"], losses["keywords"], losses["vectors"]) < losses["all"] < 1


def test_partitions_order_and_executors_change_nothing(
    spark: SparkSession, corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    from songmood.engine.spark import ship

    settings = make_settings("recommend.cell_songs=40", "recommend.near_songs=100").recommend
    first = make_store(corpus.songs(no_works), settings, tmp_path / "first")
    shuffled = corpus.songs(no_works).repartition(3, "artist").orderBy("album", "year")
    make_store(shuffled, settings, tmp_path / "second")
    found = find_recommendations(spark, tmp_path / "second", ship(spark, tmp_path / "second"), settings)
    assert found.schema == RECOMMENDATIONS.schema
    rows = found.toPandas().sort_values(["seed_song_id", "rank"], ignore_index=True)
    expected = recommend_all(first, settings)
    assert list(rows["song_id"]) == list(expected["song_id"])
    np.testing.assert_allclose(rows["score"], expected["score"], atol=1e-6)
    assert list(rows["reason"]) == list(expected["reason"])


# -- filters and rules -------------------------------------------------------------------------------------


def test_filters_act_before_the_best_are_cut(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    few = ("recommend.word_candidates=12", "recommend.keyword_candidates=5", "recommend.vector_candidates=12")
    years = corpus.deduped.toPandas().set_index("song_id")["year"]
    moods = dict(zip(corpus.ids, corpus.moods, strict=True))
    settings = make_settings(*few, *NO_RULES, "recommend.same_mood=true", "recommend.max_years_apart=9")
    store = make_store(corpus.songs(no_works), settings.recommend, tmp_path / "songs")
    rows = recommend_all(store, settings.recommend)
    assert rows.groupby("seed_song_id").size().min() == settings.recommend.top_n
    for row in rows.itertuples():
        assert moods[row.seed_song_id] == moods[row.song_id]
        assert abs(years[row.seed_song_id] - years[row.song_id]) <= 9


def test_filters_that_leave_few_songs_still_fill_the_lists(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Songs of a decade, of which there are few in each cell (faiss issue 1016, cuvs issue 481)."""
    few = ("recommend.cell_songs=10", "recommend.near_songs=20", *NO_RULES, "recommend.max_years_apart=9")
    settings = make_settings(*few, "recommend.word_candidates=0", "recommend.keyword_candidates=0").recommend
    store = make_store(corpus.songs(no_works), settings, tmp_path / "songs")
    assert len(store.cells) > 10
    rows = recommend_all(store, settings)
    years = corpus.deduped.toPandas().set_index("song_id")["year"]
    assert rows.groupby("seed_song_id").size().min() == settings.top_n
    assert (abs(years[rows["seed_song_id"]].to_numpy() - years[rows["song_id"]].to_numpy()) <= 9).all()
    assert not rows.duplicated(["seed_song_id", "song_id"]).any()  # voyager issue 68


def test_songs_without_a_word_in_common_are_compared_by_the_rest(
    table: MakeTable, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    """The product of their words has no number at all (sparse_dot_topn issue 49)."""
    ids = [song_id(i) for i in range(4)]
    words = [np.eye(len(VOCABULARY))[i] for i in range(4)]
    songs = song_parts(
        table(DEDUPED, *({"song_id": s} for s in ids), version_count=1),
        table(SONG_TERMS, *({"song_id": s, **terms_of(w)} for s, w in zip(ids, words, strict=True))),
        table(EMBEDDINGS, *({"song_id": s, "embedding": [float(i), 1.0]} for i, s in enumerate(ids))),
        *(table(contract) for contract in (MOODS, AUDIO_TABLE, CLUSTERS)),
        no_works,
        [],
    )
    settings = make_settings().recommend
    rows = recommend_all(make_store(songs, settings, tmp_path / "songs"), settings)
    assert len(rows) == 12  # each of the other three; fewer than asked for (bm25s issue 116)


def test_songs_are_compared_by_common_parts_only(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    """With weights for words and audio, every 35th song has neither; every seventh has words alone."""
    settings = make_settings("recommend.top_n=230", *ALL, *NO_RULES).recommend
    store = make_store(corpus.songs(no_works), settings, tmp_path / "songs", {WORDS: 0.5, AUDIO: 0.5})
    rows = recommend_all(store, settings)
    found = dict(list(rows.groupby("seed_song_id")["song_id"]))
    assert not {song_id(i) for i in range(0, N, 35)} & set(found)
    by_audio = {song_id(i) for i in range(N) if i % 7}
    assert set(found[song_id(5)]) <= by_audio  # no lyrics; a score of 0 would come before a negative one
    assert len(found[song_id(5)]) > 150


def test_where_words_alone_count_cells_are_by_hash(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings("recommend.cell_songs=10").recommend
    store = make_store(corpus.songs(no_works), settings, tmp_path / "songs", {WORDS: 1.0})
    assert 6 <= len(store.cells) <= 8  # 240 songs, at most about four times ten in each
    assert recommend_all(store, settings)["score"].notna().all()


def test_the_heaviest_words_are_those_of_the_weights(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    for words in ("tfidf", "bm25"):  # a seed of BM25 has counts, which are all 1 here
        settings = make_settings(f"recommend.words={words}", "recommend.query_terms=3").recommend
        store = make_store(corpus.songs(no_works), settings, tmp_path / words)
        row = int(np.flatnonzero(store.fetch_text("song_id", np.arange(N)) == song_id(1))[0])
        chosen = Finder(store, settings).search._heaviest(np.array([row]))
        assert set(chosen.indices) == set(np.argsort(-corpus.words[1])[:3])


def test_a_source_of_candidates_can_be_off(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    words_only = ("recommend.vector_candidates=0", "recommend.same_mood=true")
    settings = make_settings(*words_only).recommend
    store = make_store(corpus.songs(no_works), settings, tmp_path / "songs")
    rows = recommend_all(store, settings)
    assert rows["words_similarity"].notna().all()
    assert (rows["words_similarity"] > 0).all()


@pytest.mark.parametrize(("popularity", "above"), [("popular", True), ("deep_cuts", False)])
def test_popularity_is_above_or_below_the_median(
    corpus: Corpus,
    no_works: DataFrame,
    make_settings: MakeSettings,
    tmp_path: Path,
    popularity: str,
    above: bool,
) -> None:
    from pyspark.sql import functions as F

    settings = make_settings(f"recommend.popularity={popularity}").recommend
    known = F.substring("song_id", 2, 3).cast("bigint")
    songs = corpus.songs(no_works).withColumn("popularity", F.when(known != 100, known))
    rows = recommend_all(make_store(songs, settings, tmp_path / "songs"), settings)
    found = rows["song_id"].str[1:].astype(int)
    assert ((found > 120) == above).all()  # the median of 0 to 239 without 100
    assert 100 not in set(found)


def test_a_list_has_each_work_once_and_none_that_is_the_seeds(
    spark: SparkSession, corpus: Corpus, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings("recommend.top_n=20").recommend
    works = {song_id(i): [i // 4] for i in range(N)}  # 60 works of four songs, which have one artist
    unlisted = [song_id(i) for i in range(3, N, 4)]
    songs = corpus.songs(works_table(spark, works, unlisted))
    rows = recommend_all(make_store(songs, settings, tmp_path / "songs"), settings)
    assert set(rows["seed_song_id"]) == set(corpus.ids)  # also those that are not listed
    assert not set(rows["song_id"]) & set(unlisted)
    for seed, group in rows.groupby("seed_song_id"):
        found = [works[song][0] for song in group["song_id"]]
        assert len(found) == len(set(found)) == 20
        assert works[str(seed)][0] not in found


def choose_from(settings: RecommendSettings, **changes: Any) -> list[int]:
    """The choice among six songs: artists 0, 0, 0, 1, 1 and none; the second is a work with the fourth."""
    given: dict[str, Any] = {
        "scores": np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
        "works": {1: {7}, 3: {7}, 5: {9}},
        "seed_works": set(),
        "likeness": None,
        **changes,
    }
    artists = [0, 0, 0, 1, 1, -1]
    return choose(
        list(range(6)),
        given["scores"],
        frozenset(given["seed_works"]),
        lambda song: frozenset(given["works"].get(song, ())),
        artists.__getitem__,
        given["likeness"],
        settings,
    )


def test_the_rules_of_a_list(make_settings: MakeSettings) -> None:
    plain = make_settings("recommend.top_n=4").recommend
    assert choose_from(plain) == [0, 1, 4, 5]  # 2 is the artist's third, 3 a work with 1
    assert choose_from(plain, seed_works={9}) == [0, 1, 4]
    assert choose_from(make_settings("recommend.max_per_artist=3").recommend) == [0, 1, 2, 4, 5]
    assert choose_from(make_settings("recommend.max_per_artist=1").recommend) == [0, 3, 5]
    assert choose_from(make_settings("recommend.min_score=2").recommend) == [0, 1, 4]
    assert choose_from(make_settings("recommend.min_score=9").recommend) == []


def test_variety_prefers_songs_unlike_those_of_the_list(make_settings: MakeSettings) -> None:
    def likeness(songs: Sequence[int]) -> Any:
        """The first three are alike, and unlike all others."""
        kind = np.array([0, 0, 0, 1, 2, 3])[list(songs)]
        return 6.0 * (kind[:, None] == kind)

    most = "recommend.max_per_artist=9", "recommend.top_n=3"
    settings = make_settings("recommend.variety=0.5", *most).recommend
    assert choose_from(settings, likeness=likeness, works={}) == [0, 3, 4]
    assert choose_from(make_settings(*most).recommend, likeness=likeness, works={}) == [0, 1, 2]


def test_variety_leaves_no_list_short(make_settings: MakeSettings) -> None:
    """The best 50 songs are of one artist, more than variety looks at."""
    settings = make_settings("recommend.variety=0.5", "recommend.top_n=5").recommend
    chosen = choose(
        list(range(60)),
        np.arange(60, 0, -1.0),
        frozenset(),
        lambda song: frozenset(),
        lambda song: 0 if song < 50 else song,
        lambda songs: np.zeros((len(songs), len(songs))),
        settings,
    )
    assert chosen == [0, 1, 50, 51, 52]


# -- reasons -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            (
                ["river", "broken_heart", "night", "road"],
                1.4,
                "sad",
                "sad",
                (0.91, 0.84),
                ["calm", "slow"],
                "sad: sea",
            ),
            "Both sing of river, broken heart and night. Their lyrics read alike. Both are sad (0.91 and "
            "0.84). Both sound calm and slow. Both are in the cluster 'sad: sea'.",
        ),
        (
            (["river"], 0.2, "sad", "happy", (0.9, 0.8), ["calm"], None),
            "Both sing of river. Both sound calm.",
        ),
        (
            ([], float("nan"), None, None, (float("nan"),) * 2, [], None),
            "Nothing of what they share has a name.",
        ),
    ],
)
def test_reasons_are_sentences(given: tuple[Any, ...], expected: str) -> None:
    terms, lyrics, mood, seed_mood, probabilities, sound, cluster = given
    assert sentence(terms, lyrics, mood, seed_mood, probabilities, sound, cluster) == expected


def test_shared_sound_is_what_both_have_much_or_little_of() -> None:
    names = sorted(set(AUDIO_FEATURES) - {"key", "mode", "time_signature"})
    values = {
        "energy": (-1.0, -1.2),  # both calm
        "tempo": (2.0, 2.1),  # both fast, which is more unusual
        "valence": (1.0, 1.9),  # too far apart
        "loudness": (0.1, 0.2),  # as most songs
        "danceability": (-2.0, -2.0),  # no word
        "acousticness": (float("nan"), 1.0),
    }
    rows = [np.array([[values.get(name, (0.0, 0.0))[side] for name in names]]) for side in (0, 1)]
    assert shared_sound(*rows) == [["fast", "calm"]]


def test_shared_terms_have_the_largest_products(
    corpus: Corpus, no_works: DataFrame, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings().recommend
    rows = recommend_all(make_store(corpus.songs(no_works), settings, tmp_path / "songs"), settings)
    weights = pd.DataFrame(corpus.words, corpus.ids, list(VOCABULARY))
    for row in rows.head(200).itertuples():
        products = weights.loc[row.seed_song_id] * weights.loc[row.song_id]
        best = sorted(products[products > 0].items(), key=lambda term: (-round(term[1], 7), term[0]))[:5]
        assert list(row.shared_terms) == [term for term, _ in best]
    lists = rows.set_index("seed_song_id")
    assert pd.isna(lists.loc[song_id(0), "words_similarity"]).all()  # no lyrics: by mood and sound
    assert (lists.loc[song_id(0), "score"] > 0).all()


# -- the weights -------------------------------------------------------------------------------------------


def test_the_weights_have_the_smallest_loss() -> None:
    rng = np.random.default_rng(5)
    relevant = rng.random((60, 80)) < 0.3
    parts = {
        "good": rng.normal(size=(60, 80)) + 1.2 * relevant,
        "fair": rng.normal(size=(60, 80)) + 0.4 * relevant,
        "bad": rng.normal(size=(60, 80)) - 0.5 * relevant,
    }
    candidates = rng.random((60, 80)) < 0.9
    start = dict.fromkeys(parts, 0.1)
    mix = find_weights(parts, candidates, [relevant], start, start_seeds=0)
    assert mix is not None

    def loss(weights: Any) -> float:  # as it is defined, seed by seed
        total = []
        for i in range(60):
            scores = sum(w * parts[p][i] for w, p in zip(weights, parts, strict=True))[candidates[i]]
            wanted = relevant[i][candidates[i]]
            total.append(-(scores - np.log(np.exp(scores).sum()))[wanted].mean())
        return float(np.mean(total))

    best = minimize(loss, [0.1, 0.1, 0.1], bounds=[(0, None)] * 3)
    np.testing.assert_allclose(list(mix.weights.values()), best.x, atol=0.01)
    assert mix.weights["bad"] == 0
    chosen = {point.part: point for point in mix.curves if point.chosen}
    assert set(chosen) == set(parts)
    for point in mix.curves:
        assert point.loss >= chosen[point.part].loss - 1e-6
    # many seeds' worth of trust in the start: it stays
    held = find_weights(parts, candidates, [relevant], start, start_seeds=1e6)
    assert held is not None
    np.testing.assert_allclose(list(held.weights.values()), 0.1, atol=0.01)


def test_without_relevant_songs_there_are_no_weights() -> None:
    parts = {"words": np.ones((3, 3))}
    every = np.ones((3, 3), bool)
    for relevant in (np.zeros((3, 3), bool), every):  # nothing to find, and nothing else to find
        assert find_weights(parts, every, [relevant], {"words": 1.0}, 50) is None


# -- measures ----------------------------------------------------------------------------------------------


def test_precision_recall_and_ndcg_are_those_of_the_best_ten() -> None:
    rng = np.random.default_rng(6)
    scores = rng.random((40, 40))
    relevant = rng.random((40, 40)) < 0.2
    candidates = ~np.eye(40, dtype=bool)
    artists = pd.Series([f"a{i % 9}" for i in range(40)])
    other = {"songmood": scores, "tfidf": rng.random((40, 40))}
    rows = list(measure.measure(other, "mood", relevant, candidates, artists, ["tfidf"], 200, 7))
    found = {(row.model, row.metric): row for row in rows}
    precision, recall, ndcg = [], [], []
    for i in range(40):
        kept = np.flatnonzero(candidates[i])
        top = kept[np.argsort(-scores[i, kept])[:10]]
        precision.append(relevant[i, top].mean())
        recall.append(relevant[i, top].sum() / relevant[i, kept].sum())
        ndcg.append(ndcg_score([relevant[i, kept]], [scores[i, kept]], k=10))
    for metric, values in {"precision": precision, "recall": recall, "ndcg": ndcg}.items():
        row = found["songmood", metric]
        assert row.value == pytest.approx(np.mean(values))
        assert row.n_queries == 40
        assert row.ci_low < row.value < row.ci_high  # type: ignore[operator]
    gain = found["songmood", "precision_gain_over_tfidf"]
    assert gain.value == pytest.approx(np.mean(precision) - found["tfidf", "precision"].value)
    assert not list(measure.measure(other, "mood", relevant & False, candidates, artists, [], 10, 7))


def test_coverage_hubness_variety_and_repeats() -> None:
    scores = np.tile(np.arange(12.0), (12, 1))  # each list has the last ten songs
    one_work = np.eye(12, dtype=bool)
    one_work[11, 10] = one_work[10, 11] = True
    same = np.zeros((12, 12))
    rows = measure.describe_lists({"popularity": scores}, ~np.eye(12, dtype=bool), one_work, same)
    found = {row.metric: row.value for row in rows}
    assert found == {"coverage": pytest.approx(11 / 12), "hubness": 11 / 12, "variety": 1.0, "repeats": 1.0}


def test_what_is_relevant() -> None:
    facts = pd.DataFrame(
        {
            "song_id": ["a", "b", "c", "d"],
            "label": ["sad", "sad", "happy", "sad"],
            "artist": ["bo", "bo", None, None],
            "album": ["x", None, "x", None],
            "works": [[1], None, [1, 2], [3]],
        }
    )
    assert measure.same_mood(facts)[0].tolist() == [True, True, False, True]
    assert measure.same_artist_or_album(facts)[0].tolist() == [True, True, True, False]
    assert not measure.same_artist_or_album(facts)[3].any()
    assert measure.same_work(facts)[0].tolist() == [True, False, True, False]
    tags = pd.DataFrame(
        [("a", "folk", 100), ("b", "folk", 80), ("b", "live", 80), ("c", "rock", 100)],
        columns=["song_id", "tag", "weight"],
    )
    assert measure.tags_alike(tags, facts["song_id"], 0.7)[0].tolist() == [True, True, False, False]
    assert not measure.tags_alike(tags[:0], facts["song_id"], 0.7).any()
    apart = measure.halves(pd.Series(["bo", "bo", *map(str, range(40))]))
    assert not apart[0, 1]
    assert (apart == apart.T).all()
    assert 0.3 < apart.mean() < 0.6


# -- the step ----------------------------------------------------------------------------------------------


class Labelled:
    """Songs of two moods. The final model has learned from all labels, and its hidden layers say them."""

    def __init__(self, table: MakeTable, says: float) -> None:
        rng = np.random.default_rng(8)
        self.corpus = corpus = Corpus(table, seed=8)
        held_out = [i for i in range(N) if i % 2]
        label = np.array(["happy", "sad"])[(np.arange(N) // 2) % 2]
        sign = np.where(label == "sad", 1.0, -1.0)[:, None]
        self.moods = table(
            MOODS,
            *(
                {"song_id": s, "mood": m, "probabilities": {m: 0.9}, "hidden": (3 * k + h).tolist()}
                for s, m, k, h in zip(corpus.ids, label.tolist(), sign, corpus.hidden, strict=True)
            ),
        )
        measured = says * sign + rng.normal(size=(N, 5))
        self.predictions = table(
            MODEL_PREDICTIONS,
            *(
                {
                    "song_id": corpus.ids[i],
                    "mood": str(label[i]),
                    "split": ("test", "validation")[i // 4 % 2],
                    "probabilities": {"happy": 0.5, "sad": 0.5},
                    "hidden": measured[i].tolist(),
                }
                for i in held_out
            ),
            model="fusion",
        )
        clusters = (
            {"song_id": s, "cluster": int(k == "sad")} for s, k in zip(corpus.ids, label, strict=True)
        )
        self.clusters = table(CLUSTERS, *clusters, x=0.0, y=0.0)


def run_step(
    spark: SparkSession, table: MakeTable, corpus: Corpus, settings: Settings, scratch: Path, **tables: Any
) -> Any:
    scratch.mkdir(exist_ok=True)
    given = {
        "deduped": corpus.deduped,
        "tokens": table(TOKENS),
        "lyric_index": table(LYRIC_INDEX, *({"term": term} for term in VOCABULARY)),
        "song_terms": corpus.song_terms,
        "embeddings": corpus.embeddings,
        "moods": corpus.moods_table,
        "audio_features": corpus.audio_table,
        "clusters": corpus.clusters_table,
        "cluster_profiles": table(CLUSTER_PROFILES, *({"cluster": n, "name": f"c{n}"} for n in range(6))),
        "tags": table(TAGS),
        "model_predictions": table(MODEL_PREDICTIONS),
        **tables,
    }
    return recommend_songs.function(
        spark=spark,
        **given,
        settings=settings.recommend,
        label_settings=settings.label,
        dedupe_settings=settings.dedupe,
        seed=7,
        rows=dict.fromkeys(given, 1),
        scratch=scratch,
    )


@pytest.mark.parametrize(("says", "low", "high"), [(0.0, 0.35, 0.65), (3.0, 0.95, 1.0)])
def test_precision_is_that_of_the_measured_model_and_no_label_leaks_by_the_final_one(
    spark: SparkSession,
    table: MakeTable,
    settings: Settings,
    tmp_path: Path,
    says: float,
    low: float,
    high: float,
) -> None:
    labelled = Labelled(table, says)
    tables = {"moods": labelled.moods, "clusters": labelled.clusters}
    result = run_step(
        *(spark, table, labelled.corpus, settings, tmp_path / f"scratch{says:.0f}"),
        **tables,
        model_predictions=labelled.predictions,
    )
    assert result.retrieval_metrics.schema == RETRIEVAL_METRICS.schema
    rows = result.retrieval_metrics.where("relevance = 'mood' AND metric = 'precision'").collect()
    precision = {row.model: row.value for row in rows}
    assert low <= precision["songmood"] <= high
    assert 0.3 < precision["chance"] < 0.7
    assert result.mix_curves.schema == MIX_CURVES.schema
    assert result.mix_curves.where("chosen").count() == 5
    weights = result.notes.figures["weights"]
    assert sum(weights.values()) == pytest.approx(1)


def test_songs_without_recommendations_have_a_reason(
    spark: SparkSession, table: MakeTable, make_settings: MakeSettings, tmp_path: Path
) -> None:
    rows = ({"song_id": s, "title": s, "artist": s} for s in ("a", "b", "c"))
    corpus = Corpus(table, count=8)
    tables = {
        "deduped": table(DEDUPED, *rows, version_count=1),
        "song_terms": table(SONG_TERMS),
        "embeddings": table(
            EMBEDDINGS,
            {"song_id": "a", "embedding": [1.0, 0.0]},
            {"song_id": "b", "embedding": [0.0, 1.0]},
        ),
        "moods": table(MOODS),
        "audio_features": table(AUDIO_TABLE),
        "clusters": table(CLUSTERS),
    }
    reasons = {}
    strict = {"strict": "recommend.min_score=9", "without lyrics": "recommend.weights.lyrics=0"}
    for name, setting in {"plain": "recommend.top_n=10", **strict}.items():
        result = run_step(spark, table, corpus, make_settings(setting), tmp_path / name, **tables)
        missing = {row.song_id: row.reason for row in result.songs_without_recommendations.collect()}
        reasons[name] = missing
    assert reasons == {
        "plain": {"c": "nothing_known"},
        "strict": {"a": "none_allowed", "b": "none_allowed", "c": "nothing_known"},
        "without lyrics": {"a": "none_allowed", "b": "none_allowed", "c": "nothing_known"},
    }


def test_an_empty_corpus_gives_empty_tables(
    spark: SparkSession, table: MakeTable, settings: Settings, tmp_path: Path
) -> None:
    empty = {
        name: table(contract)
        for name, contract in {
            "deduped": DEDUPED,
            "song_terms": SONG_TERMS,
            "embeddings": EMBEDDINGS,
            "moods": MOODS,
            "audio_features": AUDIO_TABLE,
            "clusters": CLUSTERS,
            "lyric_index": LYRIC_INDEX,
        }.items()
    }
    result = run_step(spark, table, Corpus(table, count=1), settings, tmp_path / "empty", **empty)
    assert as_rows(result.recommendations) == []
    assert as_rows(result.songs_without_recommendations) == []
    assert as_rows(result.mix_curves) == []
    assert any("nothing is recommended" in warning for warning in result.notes.warnings)


@given(st.lists(st.text(max_size=8), max_size=4), st.text(max_size=8) | st.none())
@hypothesis_settings(max_examples=50, deadline=None)
def test_any_text_makes_a_reason(terms: list[str], mood: str | None) -> None:
    text = sentence(terms, 0.0, mood, mood, (0.5, 0.5), [], None)
    assert text.endswith(".")
