"""Pairs of records as arrays: what each field says in both records of each pair."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rapidfuzz import fuzz, process

from songmood.steps.dedupe.parse import Name
from songmood.tables import OTHER_IDS

Side = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # the values of a field in both records of each pair
Sides = dict[str, Side]
Places = npt.NDArray[np.int64]
TEXT_FIELDS = (*(field for field in Name._fields if field != "title"), "album", "album_version")
NUMBER_FIELDS = ("track_number", "duration_s", "year")
NAME_FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
FIELDS = (*NAME_FIELDS, "common_title", "language", *OTHER_IDS)


def sides_of(rows: pd.DataFrame, fields: Iterable[str], a: Places, b: Places) -> Sides:
    """The fields of pairs of rows, given by the places of their two rows."""
    columns = {field: rows[field].to_numpy() for field in fields}
    return {field: (values[a], values[b]) for field, values in columns.items()}


def only(sides: Sides, which: npt.NDArray[Any]) -> Sides:
    """The same fields of some of the pairs."""
    return {field: (a[which], b[which]) for field, (a, b) in sides.items()}


def gaps_of(numbers: Side) -> npt.NDArray[np.float64]:
    """How far the numbers of each pair are apart; NaN where one is missing."""
    left, right = (side.astype(float) for side in numbers)
    gaps: npt.NDArray[np.float64] = np.abs(left - right)
    return gaps


def lengths_of(texts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The number of letters of each text."""
    return np.fromiter(map(len, texts), np.int64, len(texts))


def ratios_of(left: Any, right: Any, scorer: Any = fuzz.ratio, least: float = 0) -> npt.NDArray[Any]:
    """The similarity of each pair of texts, 0 to 1; 1 for two empty texts; 0 where it is below `least`."""
    ratios: npt.NDArray[Any] = process.cpdist(
        list(left), list(right), scorer=scorer, score_cutoff=100 * least, dtype=np.float32
    )
    return ratios / 100
