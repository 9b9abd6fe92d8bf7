"""Fine-tuning the encoder, and training nets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from mood_songs import BY_LINE, MOODS, QUICK, Tables, model_settings, take, two_moods
from songmood.audio import AUDIO_FEATURES
from songmood.catalog import NEURAL
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import resolve_encoder
from songmood.models.comparison import Comparison, split_frame
from songmood.models.neural import NeuralModel
from songmood.models.songs import fetch_training_songs
from songmood.models.trainer import OPTIMIZERS, make_optimizer
from songmood.models.tuning import HiddenStates, LowerLayers
from songmood.settings import Optimizer, Settings


def test_fine_tuning_changes_the_top_layers_only(encoder: Path, quick: Settings) -> None:
    songs = two_moods(8)
    before, after = Encoder(encoder, BY_LINE), Encoder(encoder, BY_LINE)
    NeuralModel(NEURAL["fine_tuned_bert"], MOODS, after, quick.train, 1).fit(songs, songs)
    old, new = before.model.state_dict(), after.model.state_dict()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)


def test_fine_tuning_begins_as_a_logistic_regression(encoder: Path, quick: Settings) -> None:
    plain = Encoder(encoder, BY_LINE)
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears", "sun rain"] * 8, "mood": [0, 1, 1] * 8})
    embeddings = plain.embed(songs["lyrics"].tolist())
    still = quick.train.model_copy(update={"encoder_learning_rate": 1e-9})
    model = NeuralModel(NEURAL["fine_tuned_bert"], MOODS, plain, still, 1)
    model.fit(songs, songs)
    scaled = (embeddings - embeddings.mean(0)) / embeddings.std(0)
    oracle = LogisticRegression(C=0.003).fit(scaled, songs["mood"])
    expected = oracle.decision_function(scaled) / model.temperature
    log_odds = np.diff(np.log(model.predict_proba(songs))).ravel()
    np.testing.assert_allclose(log_odds, expected, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("read_by", ["line", "window"])
def test_lower_layers_compute_each_window_once_and_give_the_same_vectors(encoder: Path, read_by: str) -> None:
    settings = BY_LINE.model_copy(update={"read_by": read_by})
    plain, split = Encoder(encoder, settings), Encoder(encoder, settings)
    texts = ["sun dance smile\nrain", "rain tears " * 30, "road home river night song train"]
    states = HiddenStates()
    LowerLayers(split, 1, states).attach()
    calls: list[int] = []
    split.layers()[0].attention.register_forward_hook(lambda *_: calls.append(0))
    np.testing.assert_allclose(split.embed(texts), plain.embed(texts), atol=1e-6)
    assert calls
    calls.clear()
    np.testing.assert_allclose(split.embed(texts), plain.embed(texts), atol=1e-6)
    assert not calls
    again = Encoder(encoder, settings)  # shares what is computed
    LowerLayers(again, 1, states).attach()
    again.layers()[0].attention.register_forward_hook(lambda *_: pytest.fail("computed again"))
    np.testing.assert_allclose(again.embed(texts), plain.embed(texts), atol=1e-6)


def test_hidden_states_are_kept_as_long_as_there_is_room(encoder: Path) -> None:
    plain, split = Encoder(encoder, BY_LINE), Encoder(encoder, BY_LINE)
    states = HiddenStates(room=4 * plain.width * 4)  # two words and two signs, of four bytes each number
    LowerLayers(split, 1, states).attach()
    texts = ["sun", "rain tears", "sun dance smile party"]
    for _ in range(2):
        np.testing.assert_allclose(split.embed(texts), plain.embed(texts), atol=1e-6)
    assert 0 <= states.room < 4 * plain.width * 4


def test_layers_that_pass_on_more_than_hidden_states_are_left_as_they_are(encoder: Path) -> None:
    class Counting(nn.Module):  # type: ignore[misc]
        """A layer whose vectors depend on the layer below having been called."""

        def __init__(self, layer: nn.Module, calls: list[int]) -> None:
            super().__init__()
            self.layer, self.calls = layer, calls

        def forward(self, hidden: torch.Tensor, *rest: object, **named: object) -> torch.Tensor:
            self.calls.append(0)
            return self.layer(hidden, *rest, **named) * len(self.calls)

    odd = Encoder(encoder, BY_LINE)
    layers = odd.model.encoder.layer
    layers[0] = Counting(layers[0], [])
    LowerLayers(odd, 1, HiddenStates()).attach()
    assert "forward" not in vars(layers[0])
    assert "forward" not in vars(layers[1])


@pytest.mark.parametrize("optimizer", ["adagrad", "sgd", "sgd_momentum"])
def test_other_optimizers_learn_too(optimizer: str, encoder: Path, quick: Settings) -> None:
    songs = two_moods(16)
    settings = quick.train.model_copy(update={"optimizer": optimizer, "head_learning_rate": 0.1})
    model = NeuralModel(NEURAL["simple_bert"], MOODS, Encoder(encoder, BY_LINE), settings, 1)
    losses = [point.loss for point in model.fit(songs, songs) if point.split == "validation"]
    assert min(losses) < 0.3  # by chance it is 0.69
    assert model.optimizer == optimizer


def test_every_optimizer_of_the_settings_is_made_and_no_other() -> None:
    net = nn.Linear(2, 2)
    kinds = {name: type(make_optimizer(net, name, 0.1, 0.0)).__name__ for name in get_args(Optimizer)}
    assert kinds == {"adamw": "AdamW", "adagrad": "Adagrad", "sgd": "SGD", "sgd_momentum": "SGD"}
    assert type(make_optimizer(net, "adam", 0.1, 0.0)).__name__ == "Adam"  # of base_network
    assert set(OPTIMIZERS) == {*kinds, "adam"}
    with pytest.raises(KeyError, match="unknown"):
        make_optimizer(net, "unknown", 0.1, 0.0)


def test_gradients_are_added_up_to_those_of_a_larger_batch(encoder: Path, quick: Settings) -> None:
    chance = np.random.default_rng(1)
    songs = pd.DataFrame(chance.random((64, len(AUDIO_FEATURES))), columns=list(AUDIO_FEATURES))
    songs = songs.assign(mood=[0, 1] * 32, lyrics=None, topic_weights=None)
    curves = []
    for batch_size, added_up in ((32, 1), (8, 4)):
        more = {"batch_size": batch_size, "gradient_accumulation": added_up, "dropout": 0.0}
        more |= {"optimizer": "sgd", "head_learning_rate": 0.1, "head_epochs": 8}
        settings = quick.train.model_copy(update=more)
        kind = dataclasses.replace(NEURAL["base_network"], optimizer=None)
        model = NeuralModel(kind, MOODS, Encoder(encoder, BY_LINE), settings, 1)
        curves.append([(point.step, point.loss) for point in model.fit(songs, songs)])
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-4)


def test_with_cross_fit_training_songs_are_embedded_by_encoders_that_have_not_seen_them(
    mood_tables: Tables, encoder: Path, make_settings: Callable[..., Settings]
) -> None:
    models = "train.models=[fine_tuned_bert, modified_tbert]"
    settings = make_settings(*QUICK, models, "train.final_model=modified_tbert", "train.cross_fit=2")
    frame, moods, _ = split_frame(fetch_training_songs(take(mood_tables, settings)), model_settings(settings))
    comparison = Comparison(model_settings(settings), encoder)
    comparison.moods = moods
    tuned, songs, _ = comparison.learn("fine_tuned_bert", frame)
    assert isinstance(tuned, NeuralModel)
    has_lyrics = frame["lyrics"].notna()
    learned = frame["split"] == "train"
    same = np.isclose(np.vstack(songs["vector"]), tuned.embed_lyrics(frame), atol=1e-6).all(axis=1)
    assert same[has_lyrics & ~learned].all()
    assert not same[has_lyrics & learned].any()


def test_the_embedded_encoder_learns(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings("train.epochs=1", "train.batch_size=8").train
    happy, sad = "we dance and smile in the summer sun", "I cry alone in the cold rain"
    songs = pd.DataFrame({"lyrics": [happy, sad] * 8, "mood": [0, 1] * 8})
    embedded = Encoder(resolve_encoder("embedded"), BY_LINE)
    model = NeuralModel(NEURAL["fine_tuned_bert"], MOODS, embedded, settings, 1)
    model.fit(songs, songs)
    assert (model.predict_proba(songs).argmax(axis=1) == songs["mood"]).all()
