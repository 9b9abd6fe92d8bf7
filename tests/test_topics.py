"""topics: songs of three themes in, three topics out; gensim itself is the oracle."""

import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import ROOT, as_rows
from songmood.settings import TopicsSettings, load_settings
from songmood.steps.topics import FittedTopics, TopicTables, fit_topics, infer_topics
from songmood.steps.topics.gsdmm import ALPHA, BETA, Gsdmm
from songmood.steps.topics.lda import Lda
from songmood.tables import EMBEDDINGS

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


def fit(tokens: DataFrame, settings: TopicsSettings, embeddings: DataFrame | None = None) -> FittedTopics:
    if embeddings is None:
        embeddings = tokens.sparkSession.createDataFrame([], EMBEDDINGS.schema)
    return fit_topics(tokens, embeddings, settings, SEED)


def infer(
    tokens: DataFrame, fitted: FittedTopics, settings: TopicsSettings, embeddings: DataFrame | None = None
) -> TopicTables:
    if embeddings is None:
        embeddings = tokens.sparkSession.createDataFrame([], EMBEDDINGS.schema)
    return infer_topics(tokens, embeddings, fitted, settings)


def lda_of(fitted: FittedTopics) -> Any:
    assert isinstance(fitted.model, Lda)
    return fitted.model.model


@pytest.fixture(scope="module")
def settings() -> TopicsSettings:
    settings = ("candidates=[5, 3, 2]", "alphas=[symmetric]", "max_document_shares=[0.4]", "terms_shown=4")
    return load_settings(ROOT / "conf" / "base.yaml", [], [f"topics.{value}" for value in settings]).topics


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, settings: TopicsSettings) -> FittedTopics:
    return fit(frame(spark, songs()), settings)


@pytest.fixture(scope="module")
def tables(spark: SparkSession, fitted: FittedTopics, settings: TopicsSettings) -> Iterator[TopicTables]:
    result = infer(frame(spark, songs()), fitted, settings)
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
    lda = lda_of(fitted)
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
    lda = lda_of(fitted)
    for row in tables.topics.collect():
        counts = lda.id2word.doc2bow(words[row.song_id])
        expected = [weight for _, weight in lda.get_document_topics(counts, minimum_probability=0)]
        assert row.topic_weights == pytest.approx(expected, abs=2e-3)


def test_order_and_partitions_change_nothing(
    spark: SparkSession, fitted: FittedTopics, tables: TopicTables, settings: TopicsSettings
) -> None:
    shuffled = frame(spark, songs()[::-1]).repartition(5)
    again = fit(shuffled, settings)
    assert again.selection == fitted.selection
    result = infer(shuffled, again, settings)
    assert as_rows(result.topics) == as_rows(tables.topics)
    assert as_rows(result.topic_terms) == as_rows(tables.topic_terms)


def test_a_song_does_not_hang_on_the_songs_before_it(fitted: FittedTopics) -> None:
    words = ["sea1", "sea2", "fire3", "snow4", "snow4"]
    assert fitted.model is not None
    alone = fitted.model.weigh(words, None)
    fitted.model.weigh(["fire5", "fire6"], None)
    assert fitted.model.weigh(words, None) == alone


def test_a_song_without_known_words_has_equal_weights(
    spark: SparkSession, fitted: FittedTopics, settings: TopicsSettings
) -> None:
    tokens = frame(spark, [("a", []), ("b", ["zeppelin"]), ("c", ["sea1", "sea2", "zeppelin"])])
    rows = {row.song_id: row.topic_weights for row in infer(tokens, fitted, settings).topics.collect()}
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
    spark: SparkSession, settings: TopicsSettings, rows: Rows, named: str
) -> None:
    tokens = frame(spark, rows)
    fitted = fit(tokens, settings)
    assert fitted.problem is not None
    assert named in fitted.problem
    tables = infer(tokens, fitted, settings)
    assert [table.count() for table in tables] == [0, 0, 0]


def test_a_handful_of_songs_will_do(spark: SparkSession, settings: TopicsSettings) -> None:
    few = settings.model_copy(update={"min_documents": 1, "max_document_shares": (1.0,), "candidates": (2,)})
    tokens = frame(spark, [("a", ["tide", "gull"]), ("b", ["ember"]), ("c", ["tide"])])
    fitted = fit(tokens, few)
    assert fitted.selection[0].perplexity is None  # a tenth of three songs is none
    assert infer(tokens, fitted, settings).topics.count() == 3


def test_fits_on_at_most_so_many_songs(spark: SparkSession, settings: TopicsSettings) -> None:
    bounded = settings.model_copy(update={"fit_songs": 20, "candidates": (2,), "min_documents": 1})
    fitted = fit(frame(spark, songs()), bounded)
    assert fitted.model is not None
    assert fitted.model.dictionary.num_docs == 18  # of 20, two are held out


# -- the other models ------------------------------------------------------------------------------


def readings(spark: SparkSession, rows: Rows) -> DataFrame:
    """Each theme's songs lie around a direction of their own."""
    chance = random.Random(SEED)
    found = []
    for song_id, _ in rows:
        place = [0.3 * chance.gauss(0, 1) / 4 for _ in range(8)]
        place[list(THEMES).index(song_id.split("-")[0])] += 1
        length = math.sqrt(sum(x * x for x in place))
        found.append((song_id, [x / length for x in place], None, None))
    return spark.createDataFrame(found, EMBEDDINGS.schema)


@pytest.mark.parametrize("model", ["gsdmm", "dense"])
def test_other_models_find_the_themes_too(spark: SparkSession, settings: TopicsSettings, model: str) -> None:
    tokens, embeddings = frame(spark, songs()), readings(spark, songs())
    alone = settings.model_copy(update={"models": (model,), "min_topic_songs": 5, "gsdmm_topics": 12})
    fitted = fit(tokens, alone, embeddings)
    assert [(c.model, c.topics, c.chosen) for c in fitted.selection] == [(model, 3, True)]
    assert fitted.selection[0].coherence is not None
    assert (fitted.selection[0].perplexity is None) == (model == "dense")
    tables = infer(tokens, fitted, alone, embeddings)
    for row in tables.topics.collect():
        theme = list(THEMES).index(row.song_id.split("-")[0])
        assert max(range(3), key=lambda topic: row.topic_weights[topic]) == theme
        assert sum(row.topic_weights) == pytest.approx(1, abs=1e-6)
    for row in tables.topic_terms.collect():
        assert row.term.startswith(list(THEMES)[row.topic])
    again = fit(frame(spark, songs()[::-1]).repartition(5), alone, embeddings.repartition(3))
    assert again.selection == fitted.selection


def test_the_most_coherent_of_all_models_is_chosen(spark: SparkSession, settings: TopicsSettings) -> None:
    every = {"models": ("lda", "gsdmm", "dense"), "min_topic_songs": 5, "candidates": (2, 3)}
    grid = {"alphas": ("symmetric", 0.5), "max_document_shares": (0.5, 1.0), "gsdmm_topics": 12}
    tried = settings.model_copy(update={**every, **grid})
    fitted = fit(frame(spark, songs()), tried, readings(spark, songs()))
    assert len(fitted.selection) == 2 * (2 * 2 + 2)
    assert len({candidate[:6] for candidate in fitted.selection}) == len(fitted.selection)
    (chosen,) = [candidate for candidate in fitted.selection if candidate.chosen]
    assert chosen.coherence == max(c.coherence for c in fitted.selection if c.coherence is not None)


def test_a_vocabulary_too_small_for_its_topics_is_not_chosen(
    spark: SparkSession, settings: TopicsSettings
) -> None:
    chance = random.Random(SEED)
    rows = [
        (
            f"s{i:02}",
            [*chance.sample([f"w{n}" for n in range(60)], 20), *("abcdefghij" if i % 10 < 2 else "")],
        )
        for i in range(90)
    ]
    tried = {"candidates": (2,), "max_document_shares": (0.25, 1.0)}
    fitted = fit(frame(spark, rows), settings.model_copy(update=tried))
    small, whole = fitted.selection
    assert small.coherence is not None
    assert whole.coherence is not None
    assert small.coherence > whole.coherence  # ten words that stand together, for two topics' twenty each
    assert (small.chosen, whole.chosen) == (False, True)


@pytest.mark.parametrize("model", ["gsdmm", "dense"])
def test_other_models_with_too_few_songs(spark: SparkSession, settings: TopicsSettings, model: str) -> None:
    few = settings.model_copy(update={"models": (model,), "min_documents": 1, "max_document_shares": (1.0,)})
    tokens = frame(spark, [("a", ["tide", "gull"]), ("b", ["ember"]), ("c", ["tide"])])
    fitted = fit(tokens, few)
    assert fitted.problem is not None
    assert "topics.min_topic_songs" in fitted.problem
    assert [table.count() for table in infer(tokens, fitted, few)] == [0, 0, 0]


def test_gsdmm_weighs_a_song_by_hand() -> None:
    dictionary = Dictionary([["sea", "fire"]])
    sea, fire = dictionary.token2id["sea"], dictionary.token2id["fire"]
    words = np.zeros((2, 2))
    words[0, sea], words[0, fire], words[1, fire] = 6, 2, 4
    model = Gsdmm(dictionary, np.array([3.0, 1.0]), words)
    # two of 'sea' and one of 'fire', each drawn after the others (Yin & Wang's equation 4)
    first = (3 + ALPHA) * (6 + BETA) * (7 + BETA) * (2 + BETA)
    first /= (8 + 2 * BETA) * (9 + 2 * BETA) * (10 + 2 * BETA)
    second = (1 + ALPHA) * BETA * (1 + BETA) * (4 + BETA)
    second /= (4 + 2 * BETA) * (5 + 2 * BETA) * (6 + 2 * BETA)
    expected = [first / (first + second), second / (first + second)]
    assert model.weigh(["sea", "fire", "sea", "unknown"], None) == pytest.approx(expected)
    assert model.weigh(["unknown"], None) == [0.5, 0.5]
