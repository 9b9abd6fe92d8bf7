"""Recommendations: scikit-learn's cosine on the same weights is the oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics.pairwise import cosine_similarity

from conftest import ROOT, as_rows
from songmood.settings import Settings, load_settings
from songmood.steps.recommend.compare import (
    compare_songs,
    embedding_vectors,
    hidden_vectors,
    songs_to_compare,
)
from songmood.steps.recommend.explain import explain_recommendations
from songmood.steps.recommend.precision import held_out_songs, measure_precision
from songmood.steps.recommend.rank import rerank
from songmood.steps.recommend.works import find_works, lyric_keys, work_names
from songmood.steps.text import prepare_tokens
from songmood.tables import (
    CLUSTERS,
    DEDUPED,
    EMBEDDINGS,
    MODEL_PREDICTIONS,
    MOODS,
    RECOMMENDATIONS,
    RETRIEVAL_METRICS,
    SONG_TERMS,
    TOKENS,
)

MakeTable = Callable[..., DataFrame]

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
    raw[:, 0] += 0.1  # every song has a word
    return pd.DataFrame(
        raw / np.linalg.norm(raw, axis=1, keepdims=True), index=[song_id(i) for i in range(n)], columns=WORDS
    )


def song_terms(table: MakeTable, weights: pd.DataFrame) -> DataFrame:
    rows = []
    for song, row in weights.iterrows():
        words = row[row > 0].sort_index()
        rows.append({"song_id": song, "terms": list(words.index), "weights": [float(w) for w in words]})
    return table(SONG_TERMS, *rows)


def named(table: MakeTable, names: dict[str, tuple[str | None, str | None]]) -> DataFrame:
    """The table deduped, from artists and titles by song_id."""
    rows = ({"song_id": s, "artist": artist, "title": title} for s, (artist, title) in names.items())
    return table(DEDUPED, *rows, version_count=1)


def moods_table(table: MakeTable, hidden: dict[str, Any], moods: dict[str, str]) -> DataFrame:
    rows = ({"song_id": song, "mood": moods[song], "hidden": vector} for song, vector in hidden.items())
    return table(MOODS, *rows)


def once(ranked: list[Any], song_of: Callable[[Any], str]) -> list[Any]:
    """Without the later of s00 and s01."""
    pair = [row for row in ranked if song_of(row) in ("s00", "s01")]
    return [row for row in ranked if row not in pair[1:]]


class Corpus:
    """Thirty songs; s00 and s01 are one song under two ids."""

    def __init__(self, table: MakeTable) -> None:
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
        self.song_terms = song_terms(table, self.weights)
        self.deduped = named(table, names)
        self.moods_table = moods_table(table, self.hidden, self.moods)
        rows = ({"song_id": song, "cluster": cluster} for song, cluster in self.clusters.items())
        self.clusters_table = table(CLUSTERS, *rows, x=0.0, y=0.0, umap=[0.0])
        self.vectors = hidden_vectors(self.moods_table)
        self.works = find_works(self.song_terms, self.deduped, table(TOKENS), most_listed=10)
        self.songs = songs_to_compare(self.song_terms, self.works)

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
            best[seed] = once(sorted(rows, key=lambda row: (-row[1], row[0])), lambda row: row[0])[:top_n]
        return best


@pytest.fixture(scope="module")
def corpus(table: MakeTable) -> Corpus:
    return Corpus(table)


@pytest.fixture(scope="module")
def base() -> Settings:
    return load_settings(ROOT / "conf" / "base.yaml")


@pytest.fixture(scope="module")
def recommended(corpus: Corpus, base: Settings) -> pd.DataFrame:
    pairs = compare_songs(corpus.songs, N, [corpus.vectors], base.recommend)
    ranked = rerank(pairs, base.recommend.semantic_weight, base.recommend.top_n)
    explained = explain_recommendations(ranked, corpus.song_terms, corpus.moods_table, corpus.clusters_table)
    assert set(explained.columns) == set(RECOMMENDATIONS.column_names)
    rows: pd.DataFrame = explained.toPandas().sort_values(["seed_song_id", "rank"], ignore_index=True)
    return rows


def test_ranks_and_scores_are_those_of_scikit_learn(
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


def test_reasons_name_what_is_shared(corpus: Corpus, recommended: pd.DataFrame) -> None:
    seen = set()
    for row in recommended.itertuples():
        same_mood = corpus.moods[row.seed_song_id] == corpus.moods[row.song_id]
        same_cluster = corpus.clusters[row.seed_song_id] == corpus.clusters[row.song_id]
        assert (row.same_mood, row.same_cluster) == (same_mood, same_cluster)
        expected = ["shares " + ", ".join(list(row.shared_terms)[:3])]
        expected += [f"both {corpus.moods[row.seed_song_id]}"] * same_mood + ["same cluster"] * same_cluster
        assert row.reason.split("; ")[:-1] == expected
        assert row.reason.endswith(f"; cosine {row.semantic_score:.2f} in the mood model")
        seen.add((same_mood, same_cluster))
    assert len(seen) == 4


def test_blocks_order_and_partitions_change_nothing(
    spark: SparkSession, corpus: Corpus, base: Settings, make_settings: Callable[..., Settings]
) -> None:
    whole = compare_songs(corpus.songs, N, [corpus.vectors], base.recommend)
    shuffled = songs_to_compare(
        corpus.song_terms.repartition(3, "terms"), corpus.works.repartition(2, "song_id")
    )
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    try:
        blocks = compare_songs(
            shuffled, N, [corpus.vectors], make_settings("recommend.block_songs=12").recommend
        )
        assert as_rows(blocks) == as_rows(whole)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")


def test_few_query_terms_bound_the_candidates_and_scores_stay_whole_cosines(
    corpus: Corpus, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("recommend.query_terms=2", "recommend.candidates=4").recommend
    pairs = compare_songs(corpus.songs, N, [corpus.vectors], settings).toPandas()
    assert pairs.groupby("seed_song_id").size().max() == 4
    for row in pairs.itertuples():
        seed, song = corpus.weights.loc[row.seed_song_id], corpus.weights.loc[row.song_id]
        heaviest = seed.nlargest(2).index
        assert row.candidate_score == pytest.approx((seed * song)[heaviest].sum())
        assert row.lexical_score == pytest.approx((seed * song).sum())


def test_equal_scores_go_by_song_id_and_a_missing_vector_counts_as_nothing(
    table: MakeTable, base: Settings
) -> None:
    terms = song_terms(table, pd.DataFrame(1.0, index=["d", "b", "c", "a"], columns=["rain"]))
    works = find_works(terms, named(table, {song: ("A", song) for song in "abcd"}), table(TOKENS), 10)
    songs = songs_to_compare(terms, works)
    directions = {"a": [1.0, 0.0], "b": [1.0, 0.0], "c": [0.0, 0.0]}
    rows = ({"song_id": song, "embedding": vector} for song, vector in directions.items())
    vectors = embedding_vectors(table(EMBEDDINGS, *rows))
    pairs = compare_songs(songs, 4, [vectors], base.recommend)
    by_words = [r["song_id"] for r in rerank(pairs, 0.0, 10).orderBy("seed_song_id", "rank").collect()]
    assert "".join(by_words) == "bcd" + "acd" + "abd" + "abc"
    ranked = as_rows(rerank(pairs, 0.5, 10).where("seed_song_id = 'a'"))
    found = {row["song_id"]: (row["rank"], row["semantic_score"], row["score"]) for row in ranked}
    assert found == {"b": (1, 1.0, 1.0), "c": (2, None, 0.5), "d": (3, None, 0.5)}
    explained = explain_recommendations(rerank(pairs, 0.5, 10), terms, table(MOODS), table(CLUSTERS))
    reasons = {(r["seed_song_id"], r["song_id"]): r for r in explained.collect()}
    assert reasons["a", "b"]["reason"] == "shares rain; cosine 1.00 in the encoder"
    assert reasons["a", "c"]["reason"] == "shares rain"
    assert reasons["a", "b"]["same_mood"] is None
    assert reasons["a", "b"]["same_cluster"] is None


def test_precision_is_measured_among_held_out_songs_only(
    spark: SparkSession, table: MakeTable, corpus: Corpus, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("recommend.semantic_weight=1").recommend
    held = [song_id(i) for i in range(16)]
    held_out = spark.createDataFrame(
        [(song, corpus.moods[song]) for song in held], "song_id string, mood string"
    )
    # a model that sees the moods of the held-out songs, and no difference between the rest
    perfect = {song: [1.0, 0.0] if corpus.moods[song] == "sad" else [0.0, 1.0] for song in held}
    hidden = {song: perfect.get(song, [1.0, 1.0]) for song in corpus.weights.index}
    rows = ({"song_id": song, "embedding": vector} for song, vector in corpus.hidden.items())
    models = [
        embedding_vectors(table(EMBEDDINGS, *rows)),
        hidden_vectors(moods_table(table, hidden, corpus.moods)),
    ]
    measured = as_rows(measure_precision(corpus.songs, held_out, 16, models, settings, seed=7))
    metrics = {row["model"]: row for row in measured}
    assert set(metrics) == {"chance", "tfidf", "tfidf + encoder", "tfidf + mood model"}
    # s00 and s01 are one song and cannot find each other; they differ in mood here
    assert metrics["chance"]["value"] == pytest.approx(7 / 15)
    # only 7 of the 10 can have the seed's mood, because only 7 more held-out songs have it
    assert metrics["tfidf + mood model"]["value"] == pytest.approx(0.7)
    assert metrics["tfidf + mood model"]["n_queries"] == 16
    for row in metrics.values():
        assert row["metric"] == "precision_by_mood"
        assert row["k"] == 10
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert [metrics[m]["semantic_weight"] for m in ("chance", "tfidf", "tfidf + encoder")] == [None, 0.0, 1.0]
    shuffled = measure_precision(
        corpus.songs.orderBy("weights"), held_out.repartition(3), 16, models, settings, seed=7
    )
    assert shuffled.schema == RETRIEVAL_METRICS.schema
    assert as_rows(shuffled) == measured
    # the precision of words alone, by hand
    lexical = pd.DataFrame(cosine_similarity(corpus.weights), corpus.weights.index, corpus.weights.index)
    by_hand = []
    for seed in held:
        others = [s for s in held if lexical.loc[seed, s] and s != seed and {s, seed} != {"s00", "s01"}]
        best = once(sorted(others, key=lambda s: (-lexical.loc[seed, s], s)), str)[:10]
        by_hand.append(np.mean([corpus.moods[s] == corpus.moods[seed] for s in best]))
    assert metrics["tfidf"]["value"] == pytest.approx(float(np.mean(by_hand)))


def test_held_out_songs_are_those_that_models_were_tested_on(table: MakeTable) -> None:
    songs = (
        {"song_id": "a", "split": "test", "mood": "happy"},
        {"song_id": "b", "split": "validation", "mood": "sad"},
        {"song_id": "c", "split": "test", "mood": "sad"},
    )
    rows = ({"model": model, **song} for model in ("majority", "fusion") for song in songs)
    assert as_rows(held_out_songs(table(MODEL_PREDICTIONS, *rows))) == [
        {"song_id": "a", "mood": "happy"},
        {"song_id": "c", "mood": "sad"},
    ]


def test_without_terms_or_labels_the_tables_are_empty(table: MakeTable, base: Settings) -> None:
    works = find_works(table(SONG_TERMS), table(DEDUPED), table(TOKENS), 10)
    songs = songs_to_compare(table(SONG_TERMS), works)
    vectors = embedding_vectors(table(EMBEDDINGS))
    pairs = compare_songs(songs, 0, [vectors], base.recommend)
    assert as_rows(rerank(pairs, 0.5, 10)) == []
    held_out = held_out_songs(table(MODEL_PREDICTIONS))
    assert as_rows(measure_precision(songs, held_out, 0, [vectors], base.recommend, seed=7)) == []


# -- one work under several titles and artists ------------------------------------------------------

BO = "Bo"
SAME_WORK: list[tuple[tuple[str | None, str | None], tuple[str | None, str | None]]] = [
    ((BO, "Stay"), (BO, "Stay (Live at the Hall)")),
    ((BO, "Stay"), (BO, "Stay - Acoustic Version")),
    ((BO, "Stay"), (BO, "Stay (Ann Remix) [2015 Remaster]")),
    ((BO, "Stay"), ("BO", "stay acoustic")),
    ((BO, "Stay (Demo)"), (BO, "Stay - Live")),
    ((BO, "Stay"), ("Ann feat. Bo", "Stay")),
    ((BO, "Stay"), ("Ann", "Stay (feat. Bo)")),
    ((BO, "Stay"), ("Ann & Bo", "Stay (Instrumental)")),
    ((BO, "Stay"), ("The Karaoke Crew", "Bo - Stay (Karaoke Version)")),
    ((BO, "Stay"), ("Cy", "Bo:Stay")),
    ((BO, "Walls, Pt. 2"), (BO, "Walls (Part II) - Live")),
    ((None, "Stay"), (None, "Stay (Live)")),
    ((BO, "Остаться"), (BO, "Остаться (Live)")),
]
OTHER_WORK: list[tuple[tuple[str | None, str | None], tuple[str | None, str | None]]] = [
    ((BO, "Stay"), ("Cy", "Stay (Live)")),
    ((BO, "Stay"), (BO, "Stay With Me")),
    ((BO, "Walls, Pt. 1"), (BO, "Walls, Pt. 2")),
    ((BO, "Live and Let Go"), (BO, "Let Go")),
    ((BO, "Live"), (BO, "Demo")),
    ((BO, "Stay"), (None, "Stay")),
    ((None, None), (None, None)),
    ((BO, ""), (BO, "")),
]


@pytest.mark.parametrize(("left", "right"), SAME_WORK)
def test_versions_of_an_artist_have_a_name_in_common(
    left: tuple[str | None, str | None], right: tuple[str | None, str | None]
) -> None:
    assert set(work_names(*left)) & set(work_names(*right))


@pytest.mark.parametrize(("left", "right"), OTHER_WORK)
def test_other_songs_have_no_name_in_common(
    left: tuple[str | None, str | None], right: tuple[str | None, str | None]
) -> None:
    assert not set(work_names(*left)) & set(work_names(*right))


@given(st.text(max_size=40) | st.none(), st.text(max_size=40) | st.none())
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_names_are_read(artist: str | None, title: str | None) -> None:
    names = work_names(artist, title)
    assert names == sorted(set(names))
    assert all(name.split("\n")[0] for name in names)


VERSE, CHORUS, BRIDGE = (
    line.split()
    for line in (
        "winter river carries morning letters under silent bridges toward golden harbors",
        "lonesome whistle crossing empty valley never answer brother",
        "candle burning window painted shadow dancing kitchen floor",
    )
)
OTHER = [word[::-1] for word in (*VERSE, *CHORUS, *BRIDGE)]
SUNG = [*VERSE, *CHORUS, *BRIDGE, *CHORUS]
LYRICS = {
    "seed": SUNG,
    "chorus once": [*VERSE, *CHORUS, *BRIDGE],
    "chorus often": [*VERSE, *CHORUS * 3, *BRIDGE, *CHORUS * 4],
    "without a verse": [*CHORUS, *BRIDGE, *CHORUS],
    "other words": [*VERSE[:-3], "across", "purple", "meadows", *CHORUS, "yonder", *BRIDGE],
    "other": OTHER,
    "same words": sorted(SUNG, key=lambda word: word[::-1]),  # in another order, it is another text
    "parts of two": [*BRIDGE, *OTHER[:10]],
    "of a phrase": ["burning", "candle", "candle_burning"],
    "empty": [],
}
ALIKE = {"seed", "chorus once", "chorus often", "without a verse", "other words"}


def test_lyrics_are_one_work_if_they_are_nearly_equal(table: MakeTable) -> None:
    tokens = table(TOKENS, *({"song_id": song, "tokens": words} for song, words in LYRICS.items()))
    for order in (tokens, tokens.orderBy("tokens").repartition(3)):
        works: dict[str, set[int]] = {}
        for row in lyric_keys(order).collect():
            works.setdefault(row.song_id, set()).add(row.work)
        assert works.keys() == ALIKE
        assert all(works["seed"] & works[song] for song in ALIKE)


@pytest.mark.usefixtures("compiled")
def test_real_lyrics_are_one_work_only_where_the_song_is_one(
    spark: SparkSession, shared_data: Path, base: Settings
) -> None:
    file = shared_data / "public-domain" / "lyrics" / "public_domain.jsonl"
    songs = [json.loads(line) for line in file.read_text().splitlines()]
    # a version of each song: without its last verse, and with its first one after every other
    texts = {song["song_id"]: song["lyrics"] for song in songs}
    for song, text in list(texts.items()):
        verses = text.split("\n\n")
        texts[f"{song} again"] = "\n\n".join(
            f"{verse}\n\n{verses[0]}" for verse in verses[: len(verses) - 1 or 1]
        )
    lyrics = spark.createDataFrame(list(texts.items()), "song_id string, lyrics string")
    tokens = prepare_tokens(lyrics, base.text).select("song_id", "tokens").localCheckpoint()
    keys = lyric_keys(tokens).toPandas()
    found = {
        work: {song.removesuffix(" again") for song in rows} for work, rows in keys.groupby("work")["song_id"]
    }
    again = {song for songs in found.values() if len(songs) == 1 for song in songs}
    assert len(again) >= 0.99 * len(songs)
    names = {song["song_id"]: song["title"] for song in songs}
    merged = [sorted({names[song] for song in songs}) for songs in found.values() if len(songs) > 1]
    assert all(len(titles) == 1 for titles in merged)  # one song is there twice


def recommend(
    table: MakeTable, settings: Settings, songs: dict[str, tuple[str, str]], lyrics: dict[str, list[str]]
) -> dict[str, list[str]]:
    """The list of each song, from its artist and title and from its words."""
    tokens = table(TOKENS, *({"song_id": song, "tokens": words} for song, words in lyrics.items()))
    terms = index_songs_by_words(table, lyrics)
    section = settings.recommend
    works = find_works(terms, named(table, dict(songs)), tokens, section.candidates // section.top_n)
    pairs = compare_songs(
        songs_to_compare(terms, works), len(songs), [embedding_vectors(table(EMBEDDINGS))], section
    )
    rows = rerank(pairs, 0.0, section.top_n).orderBy("seed_song_id", "rank").collect()
    lists: dict[str, list[str]] = {song: [] for song in songs}
    for row in rows:
        lists[row.seed_song_id].append(row.song_id)
    return lists


def index_songs_by_words(table: MakeTable, lyrics: dict[str, list[str]]) -> DataFrame:
    rows = []
    for song, words in lyrics.items():
        terms = sorted(set(words))
        weights = [1.0 / np.sqrt(len(terms))] * len(terms)
        rows.append({"song_id": song, "terms": terms, "weights": [float(weight) for weight in weights]})
    return table(SONG_TERMS, *rows)


def test_a_list_has_each_work_once_and_none_that_is_the_seeds(table: MakeTable, base: Settings) -> None:
    rng = np.random.default_rng(4)
    versions = ("", " (Live)", " - Acoustic", " (Cy Remix)", " [Demo]")
    songs, lyrics, work_of = {}, {}, {}
    for work in range(14):
        words = [f"w{word}" for word in rng.permutation(60)[:24]]
        for number, version in enumerate(versions):
            song = f"{work:02}-{number}"
            songs[song] = (f"Artist {work}", f"Song {work}{version}")
            lyrics[song] = [*words, f"own{work}", f"own{work}"][number:]
            work_of[song] = work
        cover = f"{work:02}-cover"
        songs[cover], lyrics[cover], work_of[cover] = (
            (f"Cover {work}", f"Title {work}"),
            [*words[1:], "cover"],
            work,
        )
    for seed, others in recommend(table, base, songs, lyrics).items():
        works = [work_of[song] for song in others]
        assert work_of[seed] not in works
        assert len(works) == len(set(works)) == base.recommend.top_n


def test_lists_are_full_beside_a_song_with_hundreds_of_versions(table: MakeTable, base: Settings) -> None:
    common = [f"c{n}" for n in range(12)]
    songs, lyrics = {}, {}
    for n in range(300):  # more than there are candidates, and more similar than the others
        songs[f"v{n:03}"] = (f"Artist {n}", f"Carol {n}")
        lyrics[f"v{n:03}"] = [*common, "snow", "bells", f"x{n}"]
    for n in range(14):
        songs[f"o{n:02}"] = (f"Other {n}", f"Other {n}")
        lyrics[f"o{n:02}"] = [f"y{n}", *common[n % 12 :: 5], f"z{n}", *common[:2][:: -1 if n % 2 else 1]]
    lists = recommend(table, base, songs, lyrics)
    for seed, others in lists.items():
        assert len(others) == base.recommend.top_n
        assert sum(song.startswith("v") for song in others) <= (not seed.startswith("v"))
