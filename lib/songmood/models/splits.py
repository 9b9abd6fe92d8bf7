"""Songs dealt into parts that are alike in their moods, with no artist in two of them."""

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
PARTS = 10  # songs are dealt into so many, and splits are whole ones


def split_songs(
    moods: pd.Series[int], artists: pd.Series[str], names: Sequence[str], settings: TrainSettings, seed: int
) -> npt.NDArray[Any]:
    """The split of each song: 'train', 'validation' or 'test'; the moods are alike in all three.

    Songs are dealt into ten parts; with `train.split_by` artist, all songs of an artist go into one.
    `train.fold` says which of them are for test: over the folds, every song is tested on once.
    The result depends on the songs' order. Raises UserError if a split lacks a mood.
    """
    advice = "set train.split_by to random, or bring more labelled songs"
    too_few = "are too few to keep artists apart"
    if settings.split_by == "artist" and artists.nunique() < PARTS:
        raise UserError(f"the labelled songs' {artists.nunique()} artists {too_few}: {advice}")
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
                known = artists[moods.to_numpy() == code].nunique()
                raise UserError(f"no {mood} song for {name}: its {known} artists {too_few}: {advice}")
    return split


def deal(moods: Any, artists: pd.Series[str] | None, parts: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Rows of all other parts and of one, for each of so many parts with the moods alike in each.

    All songs of an artist are in one part; without `artists`, songs are dealt one by one.
    Raises UserError if there are fewer artists, or songs of each mood, than parts.
    """
    there = {"songs of a mood": pd.Series(moods).value_counts().max()}
    if artists is not None:
        there["artists"] = artists.nunique()
    for what, count in there.items():
        if count < parts:
            raise UserError(f"{count} {what} are too few for {parts} parts: bring more labelled songs")
    if artists is not None:
        # renamed at random rather than shuffled by the dealer, which versions of scikit-learn do differently
        codes, known = pd.factorize(artists, sort=True)
        renamed = np.random.default_rng(seed).permutation(len(known))[codes]
        yield from StratifiedGroupKFold(n_splits=parts).split(moods, moods, renamed)
    else:
        yield from StratifiedKFold(n_splits=parts, shuffle=True, random_state=seed).split(moods, moods)
