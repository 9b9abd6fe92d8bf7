"""topics: songs of three themes in, three topics out; gensim itself is the oracle."""

import random
from collections.abc import Iterator

import pytest
from gensim.models import CoherenceModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import ROOT, as_rows
from songmood import config
from songmood.config import load_config
from songmood.topics import FittedTopics, TopicTables, fit_topics, infer_topics, topic_weights

SEED = 7
THEMES = {"sea": 40, "fire": 30, "snow": 20}  # songs of each, all of whose words are the theme's own
Rows = list[tuple[str, list[str]]]


def songs() -> Rows:
    chance = random.Random(SEED)
    return [
        (f"{theme}-{i:02}", [f"{theme}{word}" for word in chance.choices(range(24), k=20)])
        for theme, count in THEMES.items()
        for i in range(count)
    ]


def frame(spark: SparkSession, rows: Rows) -> DataFrame:
    return spark.createDataFrame(rows, "song_id string, tokens array<string>")


@pytest.fixture(scope="module")
def conf() -> config.Topics:
    settings = ["topics.candidates=[5, 3, 2]", "topics.alpha=symmetric", "topics.terms_shown=4"]
    return load_config(ROOT / "conf" / "base.yaml", [], settings).topics


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, conf: config.Topics) -> FittedTopics:
    return fit_topics(frame(spark, songs()), conf, SEED)


@pytest.fixture(scope="module")
def tables(spark: SparkSession, fitted: FittedTopics, conf: config.Topics) -> Iterator[TopicTables]:
    result = infer_topics(frame(spark, songs()), fitted, conf.terms_shown)
    result.topics.persist()
    yield result
    result.topics.unpersist()


def test_each_theme_is_a_topic_the_commonest_first(fitted: FittedTopics, tables: TopicTables) -> None:
    assert fitted.problem is None
    assert [c.topics for c in fitted.selection] == [2, 3, 5]
    assert [c.chosen for c in fitted.selection] == [False, True, False]
    for row in tables.topics.collect():
        theme = list(THEMES).index(row.song_id.split("-")[0])
        assert max(range(3), key=lambda topic: row.topic_weights[topic]) == theme
        assert sum(row.topic_weights) == pytest.approx(1, abs=1e-6)


def test_top_terms_are_the_themes_words_heaviest_first(tables: TopicTables) -> None:
    rows = tables.topic_terms.orderBy("topic", "rank").collect()
    assert [(row.topic, row.rank) for row in rows] == [(t, r) for t in range(3) for r in range(1, 5)]
    for topic, theme in enumerate(THEMES):
        terms = [row for row in rows if row.topic == topic]
        assert all(row.term.startswith(theme) for row in terms)
        assert [row.weight for row in terms] == sorted((row.weight for row in terms), reverse=True)


def test_the_search_is_scored_as_gensim_does(
    spark: SparkSession, fitted: FittedTopics, tables: TopicTables
) -> None:
    tokens = frame(spark, songs())
    order = [r.tokens for r in tokens.orderBy(F.xxhash64("song_id", F.lit(SEED))).collect()]
    held_out, texts = order[:9], order[9:]
    lda = fitted.lda
    coherence = CoherenceModel(model=lda, texts=texts, coherence="c_v", processes=1).get_coherence()
    bound = lda.log_perplexity([lda.id2word.doc2bow(words) for words in held_out], total_docs=len(texts))
    rows = as_rows(tables.topic_selection)
    chosen = next(row for row in rows if row["chosen"])
    assert chosen["coherence"] == pytest.approx(coherence, abs=1e-6)
    assert chosen["perplexity"] == pytest.approx(bound, rel=1e-3)
    assert chosen["coherence"] == max(row["coherence"] for row in rows)
    assert {(row["model"], row["alpha"], row["eta"]) for row in rows} == {("lda", "symmetric", "auto")}


def test_weights_are_gensims_own(fitted: FittedTopics, tables: TopicTables) -> None:
    words = dict(songs())
    lda = fitted.lda
    for row in tables.topics.collect():
        counts = lda.id2word.doc2bow(words[row.song_id])
        expected = [weight for _, weight in lda.get_document_topics(counts, minimum_probability=0)]
        assert row.topic_weights == pytest.approx(expected, abs=2e-3)


def test_order_and_partitions_change_nothing(
    spark: SparkSession, fitted: FittedTopics, tables: TopicTables, conf: config.Topics
) -> None:
    shuffled = frame(spark, songs()[::-1]).repartition(5)
    again = fit_topics(shuffled, conf, SEED)
    assert again.selection == fitted.selection
    result = infer_topics(shuffled, again, conf.terms_shown)
    assert as_rows(result.topics) == as_rows(tables.topics)
    assert as_rows(result.topic_terms) == as_rows(tables.topic_terms)


def test_a_song_does_not_hang_on_the_songs_before_it(fitted: FittedTopics) -> None:
    words = ["sea1", "sea2", "fire3", "snow4", "snow4"]
    alone = topic_weights(fitted, words)
    topic_weights(fitted, ["fire5", "fire6"])
    assert topic_weights(fitted, words) == alone


def test_a_song_without_known_words_has_equal_weights(
    spark: SparkSession, fitted: FittedTopics, conf: config.Topics
) -> None:
    tokens = frame(spark, [("a", []), ("b", ["zeppelin"]), ("c", ["sea1", "sea2", "zeppelin"])])
    rows = {row.song_id: row.topic_weights for row in infer_topics(tokens, fitted, 4).topics.collect()}
    assert rows["a"] == rows["b"] == pytest.approx([1 / 3] * 3)
    assert rows["c"][0] > 0.5


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([], "lyrics/"),
        ([("a", []), ("b", [])], "lyrics/"),
        ([("a", ["tide"]), ("b", ["ember"])], "topics.min_documents"),
    ],
)
def test_nothing_to_fit_gives_empty_tables_and_says_why(
    spark: SparkSession, conf: config.Topics, rows: Rows, named: str
) -> None:
    tokens = frame(spark, rows)
    fitted = fit_topics(tokens, conf, SEED)
    assert fitted.problem is not None
    assert named in fitted.problem
    tables = infer_topics(tokens, fitted, conf.terms_shown)
    assert [table.count() for table in tables] == [0, 0, 0]


def test_a_handful_of_songs_will_do(spark: SparkSession, conf: config.Topics) -> None:
    few = conf.model_copy(update={"min_documents": 1, "max_document_share": 1.0, "candidates": (2,)})
    tokens = frame(spark, [("a", ["tide", "gull"]), ("b", ["ember"]), ("c", ["tide"])])
    fitted = fit_topics(tokens, few, SEED)
    assert fitted.selection[0].perplexity is None  # a tenth of three songs is none
    assert infer_topics(tokens, fitted, 4).topics.count() == 3


def test_fits_on_at_most_so_many_songs(spark: SparkSession, conf: config.Topics) -> None:
    bounded = conf.model_copy(update={"fit_songs": 20, "candidates": (2,), "min_documents": 1})
    fitted = fit_topics(frame(spark, songs()), bounded, SEED)
    assert fitted.lda.id2word.num_docs == 18  # of 20, two are held out
