"""Training, validation and test songs: artists apart, moods alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mood_songs import MOODS
from songmood.engine.errors import UserError
from songmood.models.splits import deal, split_songs
from songmood.settings import Settings


def test_splits_keep_artists_apart_and_have_like_shares_of_moods(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    moods = pd.Series((rng.random(600) < 0.3).astype(int))
    artists = pd.Series([f"a{n}" for n in rng.integers(150, size=600)])
    split = split_songs(moods, artists, MOODS, settings.train, 1)
    seen = pd.DataFrame({"split": split, "artist": artists, "mood": moods})
    assert seen.groupby("artist")["split"].nunique().max() == 1
    shares = seen["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["validation"] == pytest.approx(0.1, abs=0.03)
    assert seen.groupby("split")["mood"].mean().to_numpy() == pytest.approx(moods.mean(), abs=0.05)
    assert (split == split_songs(moods, artists, MOODS, settings.train, 1)).all()
    assert (split != split_songs(moods, artists, MOODS, settings.train, 2)).any()


def test_over_the_folds_every_song_is_tested_once(make_settings: Callable[..., Settings]) -> None:
    moods = pd.Series([0, 1, 0] * 100)
    artists = pd.Series([f"a{n % 60}" for n in range(300)])
    folds = [
        split_songs(moods, artists, MOODS, make_settings(f"train.fold={fold}").train, 1) for fold in range(5)
    ]
    assert (sum((split == "test").astype(int) for split in folds) == 1).all()


def test_too_few_songs_or_artists_for_the_parts_raise() -> None:
    moods = [0, 1] * 7
    for artists, parts, why in (
        (None, 10, "7 songs of a mood are too few for 10"),
        (pd.Series([f"a{n}" for n in range(14)]), 10, "7 songs of a mood are too few for 10"),
        (pd.Series(["first", "second"] * 7), 5, "2 artists are too few for 5"),
    ):
        with pytest.raises(UserError, match=why):
            list(deal(moods, artists, parts, seed=1))


def test_too_few_artists_to_keep_apart_raise(
    settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    moods, artists = pd.Series([0, 1] * 20), pd.Series(["first", "second"] * 20)
    with pytest.raises(UserError, match=r"2 artists are too few.*train\.split_by"):
        split_songs(moods, artists, MOODS, settings.train, 1)
    few_sad = pd.Series([f"a{n}" for n in range(36)] + ["sad first", "sad second"] * 2)
    with pytest.raises(UserError, match=r"no sad song for \w+: its 2 artists are too few"):
        split_songs(pd.Series([0] * 36 + [1] * 4), few_sad, MOODS, settings.train, 1)
    random_split = make_settings("train.split_by=random").train
    split = split_songs(moods, artists, MOODS, random_split, 1)
    assert {name: int((split == name).sum()) for name in ("train", "validation", "test")} == {
        "train": 28,
        "validation": 4,
        "test": 8,
    }
