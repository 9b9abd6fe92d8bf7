"""The parts of a song that a logistic regression makes: from words, embedding and lexicon."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from songmood.catalog import LOG_ODDS
from songmood.models.lexicon import lexicon_numbers
from songmood.models.linear import LINEAR, EmbeddingOdds, LexiconOdds, WordOdds


def test_every_part_of_log_odds_in_the_catalog_is_made_here() -> None:
    assert set(LINEAR) == set(LOG_ODDS)


def test_log_odds_of_training_songs_from_words_come_from_other_songs(tmp_path: Path) -> None:
    chance = random.Random(0)
    texts = [" ".join(chance.choices("abcdefghijklmnop", k=8)) + f" only{i}" for i in range(60)]
    songs = pd.DataFrame({"lyrics": texts, "mood": [0, 1] * 30})  # words that say nothing about moods
    words = WordOdds(2, 1, by_artist=False)
    log_odds = words.fit(songs)
    assert ((log_odds.argmax(axis=1) == songs["mood"]).mean()) < 0.7
    assert ((words.predict(songs).argmax(axis=1) == songs["mood"]).mean()) >= 0.9  # by heart
    words.save(tmp_path)
    loaded = WordOdds(2, 1, by_artist=False)
    loaded.load(tmp_path)
    np.testing.assert_allclose(loaded.predict(songs), words.predict(songs), atol=1e-5)
    assert np.isnan(words.predict(pd.DataFrame({"lyrics": [None, " "]}))).all()


def test_log_odds_of_training_songs_from_embeddings_come_from_other_songs(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    moods = np.array([0, 1, 2] * 20)
    vectors = chance.normal(size=(60, 40)) + 2.5 * np.eye(40)[moods]
    songs = pd.DataFrame({"embedding": [*vectors.tolist(), None], "mood": [*moods, 0]})
    regression = EmbeddingOdds(3, 1, by_artist=False)
    log_odds = regression.fit(songs)
    assert np.isnan(log_odds[-1]).all()
    scaled = StandardScaler().fit_transform(vectors)
    expected = cross_val_predict(  # the same folds, with scaling and landmarks from all songs
        LogisticRegression(C=EmbeddingOdds.strength, max_iter=1000),
        Nystroem(n_components=60, random_state=1).fit_transform(scaled),
        moods,
        cv=StratifiedKFold(5, shuffle=True, random_state=1),
        method="decision_function",
    )
    np.testing.assert_allclose(log_odds[:-1], expected, atol=1e-5)
    assert (log_odds[:-1].argmax(axis=1) == moods).mean() > 0.5  # by chance a third
    regression.save(tmp_path)
    loaded = EmbeddingOdds(3, 1, by_artist=False)
    loaded.load(tmp_path)
    np.testing.assert_allclose(loaded.predict(songs), regression.predict(songs), atol=1e-6)
    too_few = songs[:9]  # three songs of each mood, for five folds
    assert np.isnan(EmbeddingOdds(3, 1, by_artist=False).fit(too_few)).all()


def test_similar_embeddings_predict_moods_that_no_single_number_predicts() -> None:
    chance = np.random.default_rng(0)
    corners = chance.integers(0, 2, size=(300, 2))
    vectors = 4 * corners + chance.normal(size=(300, 2))
    songs = pd.DataFrame({"embedding": vectors.tolist(), "mood": corners[:, 0] ^ corners[:, 1]})
    regression = EmbeddingOdds(2, 1, by_artist=False)
    regression.landmarks = 50
    log_odds = regression.fit(songs)
    assert regression.marks.shape == (50, 2)
    assert (log_odds.argmax(axis=1) == songs["mood"]).mean() > 0.9
    linear = LogisticRegression().fit(vectors, songs["mood"])
    assert linear.score(vectors, songs["mood"]) < 0.7


def test_the_regression_on_the_lexicon_learns_which_mood_its_words_go_with(tmp_path: Path) -> None:
    chance = random.Random(0)
    texts = [
        " ".join(chance.choices(("love", "joy") if i % 2 else ("tears", "pain"), k=2)) + " the a of" * (i % 3)
        for i in range(40)
    ]
    songs = pd.DataFrame({"lyrics": [*texts, None], "mood": [*([1, 0] * 20), 0]})
    regression = LexiconOdds(2, 1, by_artist=False)
    log_odds = regression.fit(songs)
    assert np.isnan(log_odds[-1]).all()
    assert (log_odds[:-1].argmax(axis=1) == songs["mood"][:-1]).all()
    regression.save(tmp_path)
    loaded = LexiconOdds(2, 1, by_artist=False)
    loaded.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(songs), regression.predict(songs))


def test_log_odds_of_three_moods_from_words_equal_those_of_scikit_learn() -> None:
    texts = ["sun and fire", "rain rain", "fire and rain", "and", "sun", "Fire!"] * 4
    songs = pd.DataFrame({"lyrics": texts, "mood": [0, 1, 2] * 8})
    words = WordOdds(3, 1, by_artist=False)
    words.fit(songs)
    numbers = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+").fit_transform(
        texts
    )
    expected = LogisticRegression(max_iter=1000).fit(numbers, songs["mood"]).decision_function(numbers)
    np.testing.assert_allclose(words.predict(songs), expected, atol=1e-3)


def test_words_that_no_two_songs_share_are_learned_too() -> None:
    songs = pd.DataFrame({"lyrics": [f"thing{i}" for i in range(60)], "mood": [0, 1] * 30})
    words = WordOdds(2, 1, by_artist=False)
    assert np.isfinite(words.fit(songs)).all()
    assert (words.predict(songs).argmax(axis=1) == songs["mood"]).all()


@pytest.mark.parametrize("by_artist", [True, False])
def test_log_odds_of_training_songs_come_from_other_artists(by_artist: bool) -> None:
    # each artist has one word and one mood: only the artist's own songs show which mood the word goes with
    songs = pd.DataFrame(
        [(f"thing{artist}", f"a{artist}", artist % 2) for artist in range(20) for _ in range(6)],
        columns=["lyrics", "artist", "mood"],
    )
    words = WordOdds(2, 1, by_artist=by_artist)
    right = (words.fit(songs).argmax(axis=1) == songs["mood"]).mean()
    assert right < 0.7 if by_artist else right == 1
    for few in (2, 5):  # too few artists for five folds; folds with songs of one mood only
        songs_of_few = songs[songs["artist"].isin([f"a{n}" for n in (0, 1, 3, 5, 7)[:few]])]
        assert np.isnan(WordOdds(2, 1, by_artist=by_artist).fit(songs_of_few)).all() == by_artist


def test_the_lexicon_separates_happy_from_sad_words() -> None:
    happy, sad, neither, blank = lexicon_numbers(
        pd.DataFrame({"lyrics": ["Happy, happy love!", "sad and lonely tears", "the of a", None]})
    )
    assert happy[0] > 0 > sad[0]
    assert happy[1] == 1
    assert happy[2] == 0
    assert sad[2] == pytest.approx(0.75)
    assert neither[0] == 0
    assert np.isnan(blank).all()
    assert np.isfinite(lexicon_numbers(pd.DataFrame({"lyrics": ["...", "1"]}))).all()
