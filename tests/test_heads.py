"""The nets over the parts of a song."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from songmood.models.heads import Fusion, Head


def test_a_value_that_is_not_a_number_counts_as_missing() -> None:
    torch.manual_seed(0)
    head = Head({"topics": 2, "audio": 2}, moods=2, hidden_size=4, dropout=0.5, part_dropout=0.5).eval()
    head.standardize({"topics": np.array([[0.2, 0.8], [0.6, 0.4]]), "audio": np.array([[10.0, 0], [30, 1]])})
    whole = {"topics": torch.tensor([[0.2, 0.8]] * 3), "audio": torch.tensor([[20.0, 1]] * 3)}
    whole["audio"][1, 0], whole["audio"][2] = math.inf, math.nan
    mean, infinite, missing = head(**whole)["logits"].detach().numpy()
    np.testing.assert_allclose(infinite, mean)  # 20 is the mean of 10 and 30
    assert np.isfinite(missing).all()
    assert not np.allclose(missing, mean)
    np.testing.assert_allclose(head.get_buffer("audio_scale"), [10, 1])  # 0 and 1 stay as they are


def test_a_column_that_only_rounding_varies_is_not_scaled_up() -> None:
    head = Head({"lyrics": 2}, moods=2, hidden_size=0, dropout=0, part_dropout=0)
    head.standardize({"lyrics": np.array([[0.1, 0.3], [0.1 + 5e-8, 0.5]])})
    np.testing.assert_allclose(head.get_buffer("lyrics_scale"), [1, 0.1])


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("moods", [2, 3])
def test_a_tuned_head_begins_as_a_logistic_regression(moods: int, balanced: bool) -> None:
    chance = np.random.default_rng(0)
    truth = np.array([0] * 60 + [1] * 30 + [moods - 1] * 30)
    embeddings = (chance.normal(size=(len(truth), 4)) + truth[:, None]).astype(np.float32)
    shown = np.vstack([embeddings, np.full((1, 4), np.nan, np.float32)])  # the last song has no lyrics
    head = Head({"lyrics": 4}, moods, hidden_size=0, dropout=0.5, part_dropout=0)
    head.standardize({"lyrics": shown})
    head.regress({"lyrics": shown}, [*truth, 0], balanced, seed=1)
    with torch.inference_mode():
        predicted = head.eval()(lyrics=torch.from_numpy(embeddings))["logits"].softmax(1).numpy()
    scaled = (embeddings - embeddings.mean(0)) / embeddings.std(0)
    oracle = LogisticRegression(C=0.003, class_weight="balanced" if balanced else None).fit(scaled, truth)
    np.testing.assert_allclose(predicted, oracle.predict_proba(scaled), atol=1e-4)
    assert predicted.max() - predicted.min() > 0.2


def test_a_tuned_head_stays_random_if_no_song_of_a_mood_has_lyrics() -> None:
    head = Head({"lyrics": 1}, moods=2, hidden_size=0, dropout=0, part_dropout=0)
    before = head.output.weight.detach().clone()
    head.regress({"lyrics": np.array([[0.5], [0.1], [math.nan]], np.float32)}, [0, 0, 1], False, seed=1)
    torch.testing.assert_close(head.output.weight, before)


def test_part_dropout_never_takes_all_parts_of_a_song() -> None:
    torch.manual_seed(0)
    head = Head({"topics": 1, "audio": 1}, moods=2, hidden_size=0, dropout=0, part_dropout=0.5).train()
    topics, audio = torch.ones(400, 1), torch.ones(400, 1)
    topics[:200] = math.nan
    seen = head(topics=topics, audio=audio)["hidden"].detach().numpy()  # topics, audio, two flags
    assert (seen[:, :2].sum(axis=1) > 0).all()
    assert (seen[:200, 1] == 1).all()
    assert 0.3 < (seen[200:, 0] * seen[200:, 1]).mean() < 0.7  # sometimes both, sometimes one
    np.testing.assert_array_equal(seen[:, :2] + seen[:, 2:], 1)


def test_a_missing_part_adds_nothing_to_the_fusion() -> None:
    torch.manual_seed(0)
    net = Fusion({"words": 2, "audio": 2}, moods=2, hidden_size=4, dropout=0.5, part_dropout=0.5).eval()
    words, audio = torch.tensor([[0.2, 0.8]] * 2), torch.tensor([[20.0, 1], [math.nan, math.nan]])
    both, alone = net(words=words, audio=audio)["hidden"].detach()
    infinite = net(words=words, audio=torch.tensor([[-20.0, 0], [math.inf, math.nan]]))["hidden"].detach()
    assert not torch.allclose(both, alone)
    torch.testing.assert_close(infinite[1], alone)  # infinity is missing as well
    nothing = net(words=torch.full((1, 2), math.nan), audio=torch.full((1, 2), math.nan))
    torch.testing.assert_close(nothing["hidden"], torch.zeros(1, 4))
    torch.testing.assert_close(nothing["logits"][0], net.output.bias)


def test_the_fusion_begins_with_the_sum_of_log_odds() -> None:
    torch.manual_seed(0)
    sizes = {"moods": 2, "hidden_size": 4, "dropout": 0.5, "part_dropout": 0.5}
    net = Fusion({"words": 2, "reading": 2, "audio": 3}, **sizes, log_odds=("reading", "words")).eval()
    words, reading = torch.tensor([[-1.0, 1], [-1, 1]]), torch.tensor([[2.0, -2], [math.nan, math.nan]])
    first = net(words=words, reading=reading, audio=torch.rand(2, 3))["logits"].detach()
    sums = 0.4 * torch.tensor([[1.0, -1], [-1, 1]])  # a missing part adds nothing
    torch.testing.assert_close(first, sums)
    net.expect([0] * 29 + [1] * 9)  # 30 to 10: each mood counts once more, so that none is impossible
    again = net(words=words, reading=reading, audio=torch.rand(2, 3))["logits"].detach()
    torch.testing.assert_close((again - sums).diff(), torch.full((2, 1), -math.log(3)))
