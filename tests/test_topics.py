"""topics: songs of three themes in, three topics out; gensim is the oracle."""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conftest import ROOT, as_rows
from songmood.settings import TopicsSettings, load_settings
from songmood.steps.topics import TopicTables, model_topics
from songmood.steps.topics.gsdmm import ALPHA, BETA, Gsdmm
from songmood.steps.topics.infer import infer_topics, list_candidates, list_terms
from songmood.steps.topics.lda import Lda
from songmood.steps.topics.model import FittedTopics
from songmood.steps.topics.search import fit_topics
from songmood.tables import EMBEDDINGS, TOKENS

SEED = 7
THEMES = {"sea": 40, "fire": 30, "snow": 20}  # the number of songs; a theme's songs share no word with others
Songs = dict[str, list[str]]
MakeTokens = Callable[[Songs], DataFrame]


def songs() -> Songs:
    chance = random.Random(SEED)
    return {
        f"{theme}-{i:02}": [f"{theme}{word}" for word in chance.choices(range(24), k=20)]
        for theme, count in THEMES.items()
        for i in range(count)
    }


def backwards(songs: Songs) -> Songs:
    return dict(reversed(songs.items()))


@pytest.fixture(scope="module")
def tokens(table: Callable[..., DataFrame]) -> MakeTokens:
    """The table tokens, from words by song_id."""
    return lambda songs: table(TOKENS, *({"song_id": song, "tokens": words} for song, words in songs.items()))


def no_embeddings(tokens: DataFrame) -> DataFrame:
    return tokens.sparkSession.createDataFrame([], EMBEDDINGS.schema)


def fit(tokens: DataFrame, settings: TopicsSettings, embeddings: DataFrame | None = None) -> FittedTopics:
    return fit_topics(tokens, embeddings or no_embeddings(tokens), settings, SEED)


def infer(
    tokens: DataFrame, fitted: FittedTopics, settings: TopicsSettings, embeddings: DataFrame | None = None
) -> TopicTables:
    spark = tokens.sparkSession
    return TopicTables(
        infer_topics(tokens, embeddings or no_embeddings(tokens), fitted, settings),
        list_terms(spark, fitted, settings),
        list_candidates(spark, fitted),
    )


def lda_of(fitted: FittedTopics) -> Any:
    assert isinstance(fitted.model, Lda)
    return fitted.model.model


@pytest.fixture(scope="module")
def settings() -> TopicsSettings:
    settings = ("candidates=[5, 3, 2]", "alphas=[symmetric]", "max_document_shares=[0.4]", "terms_shown=4")
    return load_settings(ROOT / "conf" / "base.yaml", [], [f"topics.{value}" for value in settings]).topics


@pytest.fixture(scope="module")
def fitted(tokens: MakeTokens, settings: TopicsSettings) -> FittedTopics:
    return fit(tokens(songs()), settings)


@pytest.fixture(scope="module")
def tables(tokens: MakeTokens, fitted: FittedTopics, settings: TopicsSettings) -> Iterator[TopicTables]:
    result = infer(tokens(songs()), fitted, settings)
    result.topics.persist()
    yield result
    result.topics.unpersist()


def test_each_theme_is_a_topic_the_most_common_first(fitted: FittedTopics, tables: TopicTables) -> None:
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


def test_the_scores_of_the_search_are_those_of_gensim(
    tokens: MakeTokens, fitted: FittedTopics, tables: TopicTables
) -> None:
    order = [r.tokens for r in tokens(songs()).orderBy(F.xxhash64("song_id", F.lit(SEED))).collect()]
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


def test_weights_are_those_of_gensim(fitted: FittedTopics, tables: TopicTables) -> None:
    words = songs()
    lda = lda_of(fitted)
    for row in tables.topics.collect():
        counts = lda.id2word.doc2bow(words[row.song_id])
        expected = [weight for _, weight in lda.get_document_topics(counts, minimum_probability=0)]
        assert row.topic_weights == pytest.approx(expected, abs=2e-3)


def test_order_and_partitions_change_nothing(
    tokens: MakeTokens, fitted: FittedTopics, tables: TopicTables, settings: TopicsSettings
) -> None:
    shuffled = tokens(backwards(songs())).repartition(5)
    again = fit(shuffled, settings)
    assert again.selection == fitted.selection
    result = infer(shuffled, again, settings)
    assert as_rows(result.topics) == as_rows(tables.topics)
    assert as_rows(result.topic_terms) == as_rows(tables.topic_terms)


def test_a_song_does_not_depend_on_the_songs_before_it(fitted: FittedTopics) -> None:
    words = ["sea1", "sea2", "fire3", "snow4", "snow4"]
    assert fitted.model is not None
    alone = fitted.model.weigh(words, None)
    fitted.model.weigh(["fire5", "fire6"], None)
    assert fitted.model.weigh(words, None) == alone


def test_a_song_without_words_of_the_vocabulary_has_equal_weights(
    tokens: MakeTokens, fitted: FittedTopics, settings: TopicsSettings
) -> None:
    unseen = tokens({"a": [], "b": ["zeppelin"], "c": ["sea1", "sea2", "zeppelin"]})
    rows = {row.song_id: row.topic_weights for row in infer(unseen, fitted, settings).topics.collect()}
    assert rows["a"] == rows["b"] == pytest.approx([1 / 3] * 3)
    assert rows["c"][0] > 0.5


@pytest.mark.parametrize(
    ("few", "reason"),
    [
        ({}, "lyrics/"),
        ({"a": [], "b": []}, "lyrics/"),
        ({"a": ["tide"], "b": ["ember"]}, "topics.min_documents"),
    ],
)
def test_nothing_to_fit_gives_empty_tables_and_a_warning(
    tokens: MakeTokens, settings: TopicsSettings, few: Songs, reason: str
) -> None:
    *tables, notes = model_topics(tokens(few), no_embeddings(tokens(few)), settings, SEED)
    (warning,) = notes.warnings
    assert reason in warning
    assert [table.count() for table in tables] == [0, 0, 0]


def test_a_few_songs_are_enough(tokens: MakeTokens, settings: TopicsSettings) -> None:
    few = settings.model_copy(update={"min_documents": 1, "max_document_shares": (1.0,), "candidates": (2,)})
    three = tokens({"a": ["tide", "gull"], "b": ["ember"], "c": ["tide"]})
    fitted = fit(three, few)
    assert fitted.selection[0].perplexity is None  # a tenth of three songs is none
    assert infer(three, fitted, settings).topics.count() == 3


def test_fits_on_at_most_fit_songs(tokens: MakeTokens, settings: TopicsSettings) -> None:
    bounded = settings.model_copy(update={"fit_songs": 20, "candidates": (2,), "min_documents": 1})
    fitted = fit(tokens(songs()), bounded)
    assert fitted.model is not None
    assert fitted.model.dictionary.num_docs == 18  # of 20, two are held out
    assert fitted.figures == {"left_out": {"topics.fit_songs": len(songs()) - 20}}


def test_an_unknown_model_is_an_error_and_not_another_model(
    tokens: MakeTokens, settings: TopicsSettings
) -> None:
    with pytest.raises(ValueError, match="unknown topic model: nmf"):
        fit(tokens({}), settings.model_copy(update={"models": ("lda", "nmf")}))


# -- the other models ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embeddings(table: Callable[..., DataFrame]) -> DataFrame:
    """The embeddings of each theme's songs are around a direction of their own."""
    chance = random.Random(SEED)
    rows = []
    for song_id in songs():
        vector = [0.3 * chance.gauss(0, 1) / 4 for _ in range(8)]
        vector[list(THEMES).index(song_id.split("-")[0])] += 1
        length = math.sqrt(sum(x * x for x in vector))
        rows.append({"song_id": song_id, "embedding": [x / length for x in vector]})
    return table(EMBEDDINGS, *rows)


@pytest.mark.parametrize("model", ["gsdmm", "dense"])
def test_other_models_find_the_themes_too(
    tokens: MakeTokens, embeddings: DataFrame, settings: TopicsSettings, model: str
) -> None:
    alone = settings.model_copy(update={"models": (model,), "min_topic_songs": 5, "gsdmm_topics": 12})
    fitted = fit(tokens(songs()), alone, embeddings)
    assert [(c.model, c.topics, c.chosen) for c in fitted.selection] == [(model, 3, True)]
    assert fitted.selection[0].coherence is not None
    assert (fitted.selection[0].perplexity is None) == (model == "dense")
    tables = infer(tokens(songs()), fitted, alone, embeddings)
    for row in tables.topics.collect():
        theme = list(THEMES).index(row.song_id.split("-")[0])
        assert max(range(3), key=lambda topic: row.topic_weights[topic]) == theme
        assert sum(row.topic_weights) == pytest.approx(1, abs=1e-6)
    for row in tables.topic_terms.collect():
        assert row.term.startswith(list(THEMES)[row.topic])
    again = fit(tokens(backwards(songs())).repartition(5), alone, embeddings.repartition(3))
    assert again.selection == fitted.selection


def test_the_most_coherent_of_all_models_is_chosen(
    tokens: MakeTokens, embeddings: DataFrame, settings: TopicsSettings
) -> None:
    every = {"models": ("lda", "gsdmm", "dense"), "min_topic_songs": 5, "candidates": (2, 3)}
    grid = {"alphas": ("symmetric", 0.5), "max_document_shares": (0.5, 1.0), "gsdmm_topics": 12}
    tried = settings.model_copy(update={**every, **grid})
    fitted = fit(tokens(songs()), tried, embeddings)
    assert len(fitted.selection) == 2 * (2 * 2 + 2)
    assert len({candidate[:6] for candidate in fitted.selection}) == len(fitted.selection)
    (chosen,) = [candidate for candidate in fitted.selection if candidate.chosen]
    assert chosen.coherence == max(c.coherence for c in fitted.selection if c.coherence is not None)


def test_a_vocabulary_too_small_for_its_topics_is_not_chosen(
    tokens: MakeTokens, settings: TopicsSettings
) -> None:
    chance, words = random.Random(SEED), [f"w{n}" for n in range(60)]
    mixed = {
        f"s{i:02}": [*chance.sample(words, 20), *("abcdefghij" if i % 10 < 2 else "")] for i in range(90)
    }
    tried = {"candidates": (2,), "max_document_shares": (0.25, 1.0)}
    fitted = fit(tokens(mixed), settings.model_copy(update=tried))
    small, whole = fitted.selection
    assert small.coherence is not None
    assert whole.coherence is not None
    # 'small' has only ten words, which occur together, for the twenty top terms of each of two topics
    assert small.coherence > whole.coherence
    assert (small.chosen, whole.chosen) == (False, True)


@pytest.mark.parametrize("model", ["gsdmm", "dense"])
def test_other_models_with_too_few_songs(tokens: MakeTokens, settings: TopicsSettings, model: str) -> None:
    few = settings.model_copy(update={"models": (model,), "min_documents": 1, "max_document_shares": (1.0,)})
    three = tokens({"a": ["tide", "gull"], "b": ["ember"], "c": ["tide"]})
    *tables, notes = model_topics(three, no_embeddings(three), few, SEED)
    (warning,) = notes.warnings
    assert "topics.min_topic_songs" in warning
    assert [table.count() for table in tables] == [0, 0, 0]


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
