"""What every mood model does."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy.typing as npt
import pandas as pd


class Loss(NamedTuple):
    """A point of a training curve: the mean loss up to a step, on train or validation."""

    step: int
    loss: float
    split: str


class Model(Protocol):
    """A mood model. Those that score songs also save, load and show their hidden layer (neural.py).

    A model takes songs as a pandas frame with the columns `songmood.models.songs.SONG_COLUMNS`, any of which
    may be null. To learn, it also takes `mood`: indices into the model's moods, which are sorted by name.
    """

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Learn from `train`; `validation` decides when to stop and sets the temperature.

        Returns the training curve.
        """

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; (songs, moods)."""
