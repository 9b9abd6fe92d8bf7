"""The models without an encoder."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from mood_songs import MOODS
from songmood.catalog import BASELINES, MODELS
from songmood.models.baselines import Majority, make_baseline, naive_bayes


def test_majority_predicts_the_shares_of_training_songs() -> None:
    model = Majority(MOODS)
    model.fit(pd.DataFrame({"mood": [0, 0, 0, 1]}), pd.DataFrame())
    np.testing.assert_array_equal(model.predict_proba(pd.DataFrame(index=range(2))), [[0.75, 0.25]] * 2)


def test_word_models_are_no_surer_than_they_are_right() -> None:
    chance = random.Random(1)
    moods = [chance.randrange(2) for _ in range(600)]
    lean = {0: ["sun", "road"], 1: ["rain", "road"]}
    # a word in five is of the wrong mood, and comes thirty times: for naive Bayes each time is evidence
    texts = [
        " ".join([chance.choice(lean[mood if chance.random() < 0.8 else 1 - mood])] * 30) for mood in moods
    ]
    songs = pd.DataFrame({"lyrics": texts, "mood": moods})
    train, validation, test = songs[:200], songs[200:400], songs[400:]
    model = naive_bayes()
    model.fit(train, validation)
    tempered, plain = model.predict_proba(test), model.pipeline.predict_proba(test["lyrics"])
    assert model.temperature == pytest.approx(30, rel=0.3)
    assert (tempered.argmax(axis=1) == plain.argmax(axis=1)).all()
    assert log_loss(test["mood"], tempered) < 0.6 < 0.69 < log_loss(test["mood"], plain)


def test_every_baseline_of_the_catalog_can_be_made_and_no_other() -> None:
    for name in BASELINES:
        make_baseline(name, MOODS, seed=1)
    for name in (*(set(MODELS) - set(BASELINES)), "unknown"):
        with pytest.raises(KeyError, match=name):
            make_baseline(name, MOODS, seed=1)
