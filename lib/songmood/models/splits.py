"""Training, validation and test songs: alike in their moods, with no artist in two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from songmood.engine.errors import UserError
from songmood.settings import TrainSettings

SPLITS = ("train", "validation", "test")
PARTS = 10  # songs are dealt into ten parts, and a split is made of whole parts


class RareMoodError(UserError):
    """A mood has too few songs or artists to be in every split."""

    def __init__(self, mood: str, reason: str) -> None:
        super().__init__(reason)
        self.mood = mood


def split_songs(
    moods: pd.Series[int], artists: pd.Series[str], names: Sequence[str], settings: TrainSettings, seed: int
) -> npt.NDArray[Any]:
    """The split of each song: 'train', 'validation' or 'test', with nearly the same shares of moods in each.

    Songs are dealt into ten parts; with `train.split_by` artist, all songs of an artist go into one part.
    `train.fold` chooses the test parts: over all folds, every song is tested once. The result depends on the
    order of the songs. Raises RareMoodError if a split lacks a mood, and UserError if there are too
    few artists.
    """
    advice = "set train.split_by to random, or bring more labelled songs"
    too_few = "too few to keep artists apart"
    if settings.split_by == "artist" and artists.nunique() < PARTS:
        raise UserError(f"the labelled songs' {artists.nunique()} artists are {too_few}: {advice}")
    groups = artists if settings.split_by == "artist" else None
    part = np.empty(len(moods), dtype=int)
    for number, (_, rows) in enumerate(deal(moods, groups, PARTS, seed)):
        part[rows] = number
    test = round(settings.test_share * PARTS)
    part = (part - settings.fold * test) % PARTS
    validation = test + round(settings.validation_share * PARTS)
    split = np.where(part < test, "test", np.where(part < validation, "validation", "train"))
    for name in SPLITS:
        for code, mood in enumerate(names):
            if not ((split == name) & (moods.to_numpy() == code)).any():
                count = artists[moods.to_numpy() == code].nunique()
                its = "its only artist is" if count == 1 else f"its {count} artists are"
                reason = f"no {mood} song for {name}: {its} {too_few}: {advice}"
                raise RareMoodError(mood, reason)
    return split


def deal(moods: Any, artists: pd.Series[str] | None, parts: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Deal songs into parts with nearly the same shares of moods: for each, the rows outside and inside it.

    All songs of an artist are in one part; without `artists`, songs are dealt one by one.
    Raises UserError if there are fewer artists than parts, or fewer songs of every mood.
    """
    counts = {"songs of a mood": pd.Series(moods).value_counts().max()}
    if artists is not None:
        counts["artists"] = artists.nunique()
    for name, count in counts.items():
        if count < parts:
            raise UserError(f"{count} {name} are too few for {parts} parts: bring more labelled songs")
    if artists is not None:
        # artists are renumbered at random here, as versions of scikit-learn shuffle them differently
        codes, names = pd.factorize(artists, sort=True)
        renamed = np.random.default_rng(seed).permutation(len(names))[codes]
        yield from StratifiedGroupKFold(n_splits=parts).split(moods, moods, renamed)
    else:
        yield from StratifiedKFold(n_splits=parts, shuffle=True, random_state=seed).split(moods, moods)
