"""The neural models: parts of a song and a net over them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mood_songs import BY_LINE, MOODS, NO_AUDIO, model_settings, two_moods
from songmood.audio import AUDIO_FEATURES
from songmood.catalog import NEURAL
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import encoder_id
from songmood.models.comparison import Comparison
from songmood.models.neural import NeuralModel
from songmood.settings import Settings


@pytest.mark.parametrize("kind", ["simple_bert", "fine_tuned_bert", "modified_tbert_lyrics_only", "fusion"])
def test_a_saved_model_loads_as_it_was(kind: str, encoder: Path, quick: Settings, tmp_path: Path) -> None:
    songs = pd.DataFrame({"lyrics": ["sun dance"] * 12 + ["rain tears"] * 12 + [None]})
    songs = songs.assign(topic_weights=None, mood=[0] * 12 + [1] * 13, **NO_AUDIO)
    songs["embedding"] = [*Encoder(encoder, BY_LINE).embed(songs["lyrics"][:-1].tolist()), None]
    model = NeuralModel(NEURAL[kind], MOODS, Encoder(encoder, BY_LINE), quick.train, 1)
    before = encoder_id(encoder)
    assert model.fit(songs, songs)
    expected = model.predict(songs)
    assert np.isfinite(expected.probabilities).all()
    model.save(tmp_path)
    loaded = NeuralModel.load(tmp_path, BY_LINE).predict(songs)
    np.testing.assert_array_equal(loaded.probabilities, expected.probabilities)
    np.testing.assert_array_equal(loaded.hidden, expected.hidden)
    assert encoder_id(encoder) == before


@pytest.mark.parametrize("kind", ["simple_bert", "fusion", "fine_tuned_bert"])
def test_plain_embeddings_come_from_the_table_and_tuned_ones_do_not(
    kind: str, encoder: Path, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = two_moods(8)
    plain = Encoder(encoder, BY_LINE)
    songs["embedding"] = list(plain.embed(songs["lyrics"].tolist()))
    model = NeuralModel(NEURAL[kind], MOODS, plain, quick.train, 1)
    model.fit(songs, songs)
    expected = model.predict_proba(songs)
    changed = songs.assign(embedding=[[1.0, *[0.0] * (plain.width - 1)]] * len(songs))
    if kind == "fine_tuned_bert":
        np.testing.assert_array_equal(model.predict_proba(changed), expected)
    else:
        assert not np.allclose(np.log(model.predict_proba(changed)), np.log(expected))
        if kind == "simple_bert":  # lyrics alone will do
            read_here = model.predict_proba(songs.drop(columns="embedding"))
            np.testing.assert_allclose(read_here, expected, atol=1e-6)
        monkeypatch.setattr(plain, "embed", lambda _: pytest.fail("embedded again"))
        np.testing.assert_array_equal(model.predict_proba(songs), expected)


@pytest.mark.parametrize("kind", ["modified_tbert", "fusion"])
def test_validation_songs_without_lyrics_have_no_topics_either(
    kind: str, encoder: Path, quick: Settings
) -> None:
    audio = dict.fromkeys(AUDIO_FEATURES, 0.5)
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears"] * 8, "mood": [0, 1] * 8}).assign(**audio)
    songs["embedding"] = list(Encoder(encoder, BY_LINE).embed(songs["lyrics"].tolist()))
    songs["topic_weights"] = [[0.7, 0.3], [0.2, 0.8]] * 8
    bare = songs.assign(lyrics=None, embedding=None, topic_weights=None, valence=[0.1, 0.9] * 8)
    model = NeuralModel(NEURAL[kind], MOODS, Encoder(encoder, BY_LINE), quick.train, 1)
    assert model.fit(songs, bare)
    assert np.isfinite(model.predict_proba(pd.concat([songs, bare]))).all()


def test_the_regressions_of_a_fusion_learn_from_validation_songs_but_are_measured_without_them(
    encoder: Path, quick: Settings
) -> None:
    chance = random.Random(1)
    texts = [" ".join(chance.choices(["sun", "rain", "road", "train", "home"], k=6)) for _ in range(160)]
    songs = pd.DataFrame({"lyrics": texts, "mood": [0, 1] * 80})  # words that say nothing about moods
    songs = songs.assign(topic_weights=None, artist=[f"a{i}" for i in range(160)])
    songs = songs.assign(embedding=[[float(i == j) for j in range(160)] for i in range(160)])
    songs = songs.assign(**NO_AUDIO)
    train, validation = songs[:80], songs[80:].assign(lyrics=songs["lyrics"][80:] + " city")
    learns = quick.train.model_copy(update={"head_epochs": 2, "models": ("fusion",)})
    model = NeuralModel(NEURAL["fusion"], MOODS, Encoder(encoder, BY_LINE), learns, 1)
    seen: dict[str, Any] = {}
    model._fit_head = lambda parts, *_: seen.update(parts) or []  # type: ignore[method-assign,func-returns-value]
    model.fit(train, validation)
    assert "city" in model.linear["words"].vectorizer.get_feature_names_out()
    log_odds = np.vstack([seen[split]["reading"] for split in ("train", "validation")])
    assert len(seen["train"]["reading"]) == len(seen["validation"]["reading"]) == 80
    assert ((log_odds.argmax(axis=1) == songs["mood"]).mean()) < 0.6
    assert ((model.linear["reading"].predict(songs).argmax(axis=1) == songs["mood"]).mean()) > 0.9  # by heart

    comparison = Comparison(model_settings(quick.model_copy(update={"train": learns})), encoder)
    comparison.moods = MOODS
    splits = {"train": train, "validation": validation, "test": validation}
    songs = pd.concat(part.assign(split=split) for split, part in splits.items())
    assert list(comparison.compare(songs.assign(song_id="s"))) == ["fusion"]
    accuracy = {row["split"]: row["accuracy"] for row in comparison.metrics}
    assert accuracy["validation"] < 0.65
    assert accuracy["test"] > 0.75  # the same songs, once they are learned by heart


def test_class_weights_give_a_rare_mood_the_same_weight(encoder: Path, quick: Settings) -> None:
    # the lyrics are all the same: the model can only learn the frequency of each mood
    songs = pd.DataFrame({"lyrics": ["road home"] * 60, "mood": [0] * 48 + [1] * 12})
    predicted = {}
    for weights in (False, True):
        settings = quick.train.model_copy(update={"class_weights": weights, "head_epochs": 30})
        model = NeuralModel(NEURAL["simple_bert"], MOODS, Encoder(encoder, BY_LINE), settings, 1)
        model.fit(songs, songs)
        predicted[weights] = float(model.predict_proba(songs)[0, 1])
        assert model.head.loss.weights.tolist() == ([0.625, 2.5] if weights else [1, 1])
    assert predicted == {False: pytest.approx(0.2, abs=0.05), True: pytest.approx(0.5, abs=0.1)}
