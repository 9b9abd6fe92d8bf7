"""index: words in, keywords and postings out; scikit-learn's TfidfVectorizer is the oracle."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import bm25s  # type: ignore[import-untyped]
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.feature_extraction.text import TfidfVectorizer

from conftest import as_rows
from songmood.engine.spark import ship
from songmood.settings import Settings
from songmood.steps.index.keywords import (
    diverse,
    fetch_term_vectors,
    list_keywords,
    rank_terms,
    with_keywords,
)
from songmood.steps.index.weights import index_by_song, index_by_term, place_postings, weigh_terms
from songmood.tables import EMBEDDINGS, KEYWORDS, LYRIC_INDEX, SONG_TERMS, TOKENS

Songs = dict[str, list[str]]
MakeTokens = Callable[[Songs], DataFrame]


@pytest.fixture(scope="module")
def tokens(table: Callable[..., DataFrame]) -> MakeTokens:
    """The table tokens, from words by song_id."""
    return lambda songs: table(TOKENS, *({"song_id": song, "tokens": words} for song, words in songs.items()))


def random_songs(count: int) -> Songs:
    chance = random.Random(3)
    words = [f"word{i}" for i in range(30)]
    return {f"song-{i:02}": chance.choices(words, range(30, 0, -1), k=15) for i in range(count)}


RIVER: Songs = {
    "a": ["river", "river", "moon"],
    "b": ["river", "stone"],
    "c": ["moon", "everywhere"],
    "d": ["everywhere", "once"],
    "e": ["everywhere"],
    "f": [],
}


def test_postings_of_each_word(tokens: MakeTokens, settings: Settings) -> None:
    index = index_by_term(place_postings(weigh_terms(tokens(RIVER), settings.index), settings.index))
    assert index.columns == LYRIC_INDEX.column_names
    rows = {row.term: row for row in index.collect()}
    assert sorted(rows) == ["everywhere", "moon", "river"]  # 'once' and 'stone' are in one song only
    assert rows["river"].document_frequency == 2
    assert [(p.song_id, p.tf) for p in rows["river"].postings] == [("b", 1), ("a", 2)]
    assert [round(p.weight, 3) for p in rows["river"].postings] == [1.0, 0.894]
    assert [p.song_id for p in rows["everywhere"].postings] == ["d", "e", "c"]  # d and e tie


def test_weights_are_those_of_tfidf_vectorizer(tokens: MakeTokens, settings: Settings) -> None:
    songs = random_songs(40)
    index_settings = settings.index.model_copy(update={"min_documents": 3, "max_document_share": 0.4})
    vectorizer = TfidfVectorizer(analyzer=lambda words: words, min_df=3, max_df=0.4)
    matrix = vectorizer.fit_transform(songs.values())
    terms = vectorizer.get_feature_names_out()
    expected = {
        (list(songs)[row], terms[column]): matrix[row, column]
        for row, column in zip(*matrix.nonzero(), strict=True)
    }
    assert 10 < len(terms) < 30
    term_weights = weigh_terms(tokens(songs), index_settings)
    got = {(row.song_id, row.term): row.weight for row in term_weights.collect()}
    assert got == pytest.approx(expected, abs=1e-12)
    index = index_by_term(place_postings(term_weights, index_settings)).collect()
    idf = {row.term: row.idf for row in index}
    assert idf == pytest.approx(dict(zip(terms, vectorizer.idf_, strict=True)), abs=1e-12)
    for row in index:
        postings = [(p.song_id, p.weight) for p in row.postings]
        assert postings == sorted(postings, key=lambda p: (-p[1], p[0]))
        assert dict(postings) == {song: got[song, row.term] for song, _ in postings}
        assert row.document_frequency == len(postings)


def test_song_terms_are_the_lyric_index_by_song(tokens: MakeTokens, settings: Settings) -> None:
    term_weights = weigh_terms(tokens(RIVER), settings.index)
    by_song = index_by_song(term_weights)
    rows = {row.song_id: dict(zip(row.terms, row.weights, strict=True)) for row in by_song.collect()}
    from_index: dict[str, dict[str, float]] = {}
    for row in index_by_term(place_postings(term_weights, settings.index)).orderBy("term").collect():
        for posting in row.postings:
            from_index.setdefault(posting.song_id, {})[row.term] = posting.weight
    assert rows == from_index
    assert {song: list(weights) for song, weights in rows.items()} == {
        **{"a": ["moon", "river"], "b": ["river"], "c": ["everywhere", "moon"]},
        **{"d": ["everywhere"], "e": ["everywhere"]},  # 'f' has no words
    }


def test_bm25_is_that_of_bm25s(tokens: MakeTokens, settings: Settings) -> None:
    songs = random_songs(500)
    frequent = settings.index.model_copy(update={"min_documents": 1, "max_document_share": 1.0})
    peer = bm25s.BM25(k1=settings.index.bm25_k1, b=settings.index.bm25_b, method="lucene")
    peer.index(list(songs.values()), show_progress=False)
    rows = weigh_terms(tokens(songs), frequent).toPandas()
    weights = rows.pivot_table("bm25", "song_id", "term", fill_value=0.0).reindex(songs, fill_value=0.0)
    for seed in ("song-00", "song-07", "song-123"):
        counts = Counter(songs[seed])
        ours = sum(count * weights[term] for term, count in counts.items())
        np.testing.assert_allclose(ours, peer.get_scores(songs[seed]), atol=1e-5)  # it has 32 bits


def test_postings_are_capped_by_weight_and_the_count_is_of_all(
    tokens: MakeTokens, settings: Settings
) -> None:
    songs = {f"s{i}": ["river", *(f"own{i}" for _ in range(i)), "moon"][: i + 2] for i in range(6)}
    few = settings.index.model_copy(update={"max_postings": 2, "max_document_share": 1.0, "min_documents": 1})
    postings = place_postings(weigh_terms(tokens(songs), few), few)
    rows = as_rows(postings.where("term = 'river'").orderBy("place"))
    assert [(r["place"], r["song_id"], r["document_frequency"]) for r in rows] == [(1, "s0", 6), (2, "s1", 6)]
    nested = index_by_term(postings).where("term = 'river'").first()
    assert nested is not None
    assert [p.song_id for p in nested.postings] == ["s0", "s1"]
    assert nested.document_frequency == 6


@pytest.fixture(scope="module")
def term_vectors(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Vectors of words: moon and star are alike, and so are oak and elm; 'unread' has none."""
    directions = {"moon": (1.0, 0.1), "star": (1.0, 0.0), "oak": (0.0, 1.0), "elm": (0.1, 1.0)}
    rows = [(term, [x, y]) for term, (x, y) in directions.items()]
    folder = tmp_path_factory.mktemp("vectors") / "term_vectors_of_test"
    fetch_term_vectors(spark.createDataFrame(rows, "term string, embedding array<float>"), folder)
    return ship(spark, folder)


def test_keywords_of_both_kinds(
    spark: SparkSession, table: Callable[..., DataFrame], settings: Settings, term_vectors: str
) -> None:
    terms = ["elm", "moon", "oak", "star", "unread"]
    rows = [
        ("a", terms, [1] * 5, [0.5, 0.1, 0.5, 0.2, 0.6], [1.0] * 5),
        ("b", ["moon"], [1], [1.0], [1.0]),
    ]
    kinds = "counts array<int>, weights array<double>, bm25 array<double>"
    songs = spark.createDataFrame(rows, f"song_id string, terms array<string>, {kinds}")
    embeddings = table(EMBEDDINGS, {"song_id": "a", "embedding": [1.0, 0.2]})
    few = settings.index.model_copy(update={"keywords_per_song": 2, "keyword_variety": 0.6})
    ranked = rank_terms(songs, embeddings, term_vectors, few).localCheckpoint()
    keywords = list_keywords(ranked)
    assert keywords.columns == KEYWORDS.column_names
    found = {(r.song_id, r.term): r for r in keywords.collect()}
    assert {key: (r.tfidf_rank, r.encoder_rank) for key, r in found.items()} == {
        ("a", "unread"): (1, None),
        ("a", "elm"): (2, None),  # as heavy as oak, and before it in the alphabet
        ("a", "oak"): (None, 2),  # elm is nearer to the lyrics, but also to moon
        ("a", "moon"): (None, 1),  # the nearest to the lyrics; star is too much like it
        ("b", "moon"): (1, None),  # no lyrics were read
    }
    assert found["a", "moon"].bert_similarity == pytest.approx(1.0, abs=0.03)
    assert found["b", "moon"].bert_similarity is None
    by_song = with_keywords(ranked)
    assert by_song.columns == SONG_TERMS.column_names
    flags = {r.song_id: r.keyword for r in by_song.collect()}
    assert flags == {"a": [False, True, True, False, False], "b": [False]}


def test_diverse_terms_are_near_the_text_and_unlike_one_another() -> None:
    vectors = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0], [-1.0, 0.0]])
    similarities = vectors @ np.array([0.9, 0.44])
    assert diverse(similarities, vectors, 4, 0.0) == [1, 0, 2, 3]  # the nearest ones
    assert len(diverse(similarities, vectors, 10, 0.7)) == 4  # more than there are (KeyBERT issue 84)
    assert diverse(similarities, vectors, 3, 0.5)[:2] == [1, 2]  # the first one is too much like the second
    assert diverse(similarities, vectors, 1, 1.0) == [1]  # the first is the nearest, however much they differ
    assert diverse(np.zeros(0), np.zeros((0, 2)), 3, 0.5) == []


@pytest.mark.parametrize("songs", [{}, {"a": []}, {"a": ["once"]}])
def test_nothing_to_index_gives_empty_tables(
    spark: SparkSession,
    tokens: MakeTokens,
    table: Callable[..., DataFrame],
    settings: Settings,
    songs: Songs,
    term_vectors: str,
) -> None:
    term_weights = weigh_terms(tokens(songs), settings.index)
    postings = place_postings(term_weights, settings.index)
    ranked = rank_terms(index_by_song(term_weights), table(EMBEDDINGS), term_vectors, settings.index)
    for frame in (postings, index_by_term(postings), list_keywords(ranked), with_keywords(ranked)):
        assert frame.collect() == []


def test_order_and_partitions_change_nothing(
    spark: SparkSession, tokens: MakeTokens, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("index.max_document_share=0.9").index
    songs = random_songs(25)

    def tables(tokens: DataFrame) -> list[list[dict[str, Any]]]:
        weights = weigh_terms(tokens, settings)
        made = place_postings(weights, settings), index_by_song(weights)
        return [as_rows(frame) for frame in made]

    expected = tables(tokens(songs))
    shuffled = tokens(dict(reversed(songs.items()))).repartition(6)
    spark.conf.set("spark.sql.shuffle.partitions", "5")
    try:
        assert tables(shuffled) == expected
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
