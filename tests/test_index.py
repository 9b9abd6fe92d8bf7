"""index: words in, keywords and postings out; scikit-learn's TfidfVectorizer is the oracle."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.feature_extraction.text import TfidfVectorizer

from conftest import as_rows
from songmood.settings import Settings
from songmood.steps.index import (
    choose_keywords,
    compare_keywords,
    index_by_song,
    index_by_term,
    weigh_terms,
)
from songmood.tables import EMBEDDINGS, LYRIC_INDEX, SONG_TERMS, TOKENS

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
    index = index_by_term(weigh_terms(tokens(RIVER), settings.index))
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
    index = index_by_term(term_weights).collect()
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
    assert by_song.columns == SONG_TERMS.column_names
    rows = {row.song_id: dict(zip(row.terms, row.weights, strict=True)) for row in by_song.collect()}
    from_index: dict[str, dict[str, float]] = {}
    for row in index_by_term(term_weights).orderBy("term").collect():
        for posting in row.postings:
            from_index.setdefault(posting.song_id, {})[row.term] = posting.weight
    assert rows == from_index
    assert {song: list(weights) for song, weights in rows.items()} == {
        **{"a": ["moon", "river"], "b": ["river"], "c": ["everywhere", "moon"]},
        **{"d": ["everywhere"], "e": ["everywhere"]},  # 'f' has no words
    }


def test_keywords_are_the_heaviest_words(tokens: MakeTokens, settings: Settings) -> None:
    index_settings = settings.index.model_copy(update={"keywords_per_song": 2, "max_document_share": 1.0})
    songs = {"a": ["oak", "elm", "ash", "fir"], "b": ["oak", "elm", "ash"], "c": ["oak", "fir", "fir"]}
    keywords = choose_keywords(weigh_terms(tokens(songs), index_settings), index_settings)
    chosen: dict[str, list[str]] = {}
    for row in keywords.orderBy("song_id", F.desc("tfidf"), "term").collect():
        chosen.setdefault(row.song_id, []).append(row.term)
    # in two songs of three each: ash, elm and fir tie, and go by the alphabet; oak is in all
    assert chosen == {"a": ["ash", "elm"], "b": ["ash", "elm"], "c": ["fir", "oak"]}


def plain_embedding(term: Column) -> Column:
    """A stand-in for the encoder: moon has one direction, and every other word another."""
    return F.when(term == "moon", F.array(F.lit(0.6), F.lit(0.8))).otherwise(F.array(F.lit(1.0), F.lit(0.0)))


def test_similarity_of_keyword_and_song(spark: SparkSession, table: Callable[..., DataFrame]) -> None:
    keywords = spark.createDataFrame(
        [("a", "moon", 0.9), ("a", "river", 0.4), ("b", "moon", 1.0)],
        "song_id string, term string, tfidf double",
    )
    embeddings = table(
        EMBEDDINGS,
        {"song_id": "a", "embedding": [0.0, 1.0]},
        {"song_id": "z", "embedding": [1.0, 0.0]},
    )
    rows = as_rows(compare_keywords(keywords, embeddings, plain_embedding))
    assert [(r["song_id"], r["term"], r["tfidf"]) for r in rows] == [
        ("a", "moon", 0.9),
        ("a", "river", 0.4),
        ("b", "moon", 1.0),
    ]
    assert [r["bert_similarity"] for r in rows] == [pytest.approx(0.8), 0.0, None]


@pytest.mark.parametrize("songs", [{}, {"a": []}, {"a": ["once"]}])
def test_nothing_to_index_gives_empty_tables(
    tokens: MakeTokens, table: Callable[..., DataFrame], settings: Settings, songs: Songs
) -> None:
    term_weights = weigh_terms(tokens(songs), settings.index)
    keywords = compare_keywords(
        choose_keywords(term_weights, settings.index), table(EMBEDDINGS), plain_embedding
    )
    assert keywords.columns == ["song_id", "term", "tfidf", "bert_similarity"]
    assert keywords.collect() == []
    assert index_by_term(term_weights).collect() == index_by_song(term_weights).collect() == []


def test_order_and_partitions_change_nothing(
    spark: SparkSession, tokens: MakeTokens, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("index.max_document_share=0.9").index
    songs = random_songs(25)

    def tables(tokens: DataFrame) -> list[list[dict[str, Any]]]:
        weights = weigh_terms(tokens, settings)
        made = index_by_term(weights), index_by_song(weights), choose_keywords(weights, settings)
        return [as_rows(frame) for frame in made]

    expected = tables(tokens(songs))
    shuffled = tokens(dict(reversed(songs.items()))).repartition(6)
    spark.conf.set("spark.sql.shuffle.partitions", "5")
    try:
        assert tables(shuffled) == expected
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
