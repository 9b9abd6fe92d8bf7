"""index: words in, keywords and postings out; scikit-learn's TfidfVectorizer is the oracle."""

import random
from collections.abc import Callable

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.feature_extraction.text import TfidfVectorizer

from conftest import as_rows
from songmood.settings import Settings
from songmood.steps.index import choose_keywords, compare_keywords, index_lyrics
from songmood.tables import LYRIC_INDEX

Rows = list[tuple[str, list[str]]]


def frame(spark: SparkSession, rows: Rows) -> DataFrame:
    return spark.createDataFrame(rows, "song_id string, tokens array<string>")


def random_songs(count: int) -> Rows:
    chance = random.Random(3)
    words = [f"word{i}" for i in range(30)]
    return [(f"song-{i:02}", chance.choices(words, range(30, 0, -1), k=15)) for i in range(count)]


RIVER: Rows = [
    ("a", ["river", "river", "moon"]),
    ("b", ["river", "stone"]),
    ("c", ["moon", "everywhere"]),
    ("d", ["everywhere", "once"]),
    ("e", ["everywhere"]),
    ("f", []),
]


def test_postings_of_each_word(spark: SparkSession, settings: Settings) -> None:
    index = index_lyrics(frame(spark, RIVER), settings.index).lyric_index
    assert index.columns == LYRIC_INDEX.column_names
    rows = {row.term: row for row in index.collect()}
    assert sorted(rows) == ["everywhere", "moon", "river"]  # 'once' and 'stone' are in one song only
    assert rows["river"].document_frequency == 2
    assert [(p.song_id, p.tf) for p in rows["river"].postings] == [("b", 1), ("a", 2)]
    assert [round(p.weight, 3) for p in rows["river"].postings] == [1.0, 0.894]
    assert [p.song_id for p in rows["everywhere"].postings] == ["d", "e", "c"]  # d and e tie


def test_weights_are_tfidf_vectorizers(spark: SparkSession, settings: Settings) -> None:
    songs = random_songs(40)
    settings = settings.index.model_copy(update={"min_documents": 3, "max_document_share": 0.4})
    vectorizer = TfidfVectorizer(analyzer=lambda words: words, min_df=3, max_df=0.4)
    matrix = vectorizer.fit_transform([words for _, words in songs])
    terms = vectorizer.get_feature_names_out()
    expected = {
        (songs[row][0], terms[column]): matrix[row, column]
        for row, column in zip(*matrix.nonzero(), strict=True)
    }
    assert 10 < len(terms) < 30
    index = index_lyrics(frame(spark, songs), settings)
    got = {(row.song_id, row.term): row.weight for row in index.term_weights.collect()}
    assert got == pytest.approx(expected, abs=1e-12)
    idf = {row.term: row.idf for row in index.lyric_index.collect()}
    assert idf == pytest.approx(dict(zip(terms, vectorizer.idf_, strict=True)), abs=1e-12)
    for row in index.lyric_index.collect():
        postings = [(p.song_id, p.weight) for p in row.postings]
        assert postings == sorted(postings, key=lambda p: (-p[1], p[0]))
        assert dict(postings) == {song: got[song, row.term] for song, _ in postings}
        assert row.document_frequency == len(postings)


def test_keywords_are_the_heaviest_words(spark: SparkSession, settings: Settings) -> None:
    settings = settings.index.model_copy(update={"keywords_per_song": 2, "max_document_share": 1.0})
    rows = [("a", ["oak", "elm", "ash", "fir"]), ("b", ["oak", "elm", "ash"]), ("c", ["oak", "fir", "fir"])]
    keywords = choose_keywords(index_lyrics(frame(spark, rows), settings).term_weights, settings)
    chosen: dict[str, list[str]] = {}
    for row in keywords.orderBy("song_id", F.desc("tfidf"), "term").collect():
        chosen.setdefault(row.song_id, []).append(row.term)
    # in two songs of three each: ash, elm and fir tie, and go by the alphabet; oak is in all
    assert chosen == {"a": ["ash", "elm"], "b": ["ash", "elm"], "c": ["fir", "oak"]}


def plain_embedding(term: Column) -> Column:
    """A stand-in for the encoder: moon lies one way, all other words the other."""
    return F.when(term == "moon", F.array(F.lit(0.6), F.lit(0.8))).otherwise(F.array(F.lit(1.0), F.lit(0.0)))


def test_similarity_of_keyword_and_song(spark: SparkSession) -> None:
    keywords = spark.createDataFrame(
        [("a", "moon", 0.9), ("a", "river", 0.4), ("b", "moon", 1.0)],
        "song_id string, term string, tfidf double",
    )
    embeddings = spark.createDataFrame(
        [("a", [0.0, 1.0], "x"), ("z", [1.0, 0.0], "y")],
        "song_id string, embedding array<float>, text_hash string",
    )
    rows = as_rows(compare_keywords(keywords, embeddings, plain_embedding))
    assert [(r["song_id"], r["term"], r["tfidf"]) for r in rows] == [
        ("a", "moon", 0.9),
        ("a", "river", 0.4),
        ("b", "moon", 1.0),
    ]
    assert [r["bert_similarity"] for r in rows] == [pytest.approx(0.8), 0.0, None]


@pytest.mark.parametrize("rows", [[], [("a", [])], [("a", ["once"])]])
def test_nothing_to_index_gives_empty_tables(spark: SparkSession, settings: Settings, rows: Rows) -> None:
    index = index_lyrics(frame(spark, rows), settings.index)
    embeddings = spark.createDataFrame([], "song_id string, embedding array<float>")
    keywords = compare_keywords(
        choose_keywords(index.term_weights, settings.index), embeddings, plain_embedding
    )
    assert keywords.columns == ["song_id", "term", "tfidf", "bert_similarity"]
    assert index.lyric_index.count() == keywords.count() == 0


def test_order_and_partitions_change_nothing(
    spark: SparkSession, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("index.max_document_share=0.9").index
    songs = random_songs(25)
    shuffled = frame(spark, songs[::-1]).repartition(6)
    once, again = index_lyrics(frame(spark, songs), settings), index_lyrics(shuffled, settings)
    spark.conf.set("spark.sql.shuffle.partitions", "5")
    try:
        repeated = as_rows(again.lyric_index), as_rows(choose_keywords(again.term_weights, settings))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
    assert repeated == (as_rows(once.lyric_index), as_rows(choose_keywords(once.term_weights, settings)))
