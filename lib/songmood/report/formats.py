"""How values are written on a page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

_LONGEST_NAME = 80


def or_else(value: Any, otherwise: str) -> str:
    """The value as text, or `otherwise` where it is missing."""
    return otherwise if value is None or pd.isna(value) or value == "" else str(value)


def song_name(title: Any, artist: Any) -> str:
    """ "Title – artist", cut to the length of a line."""
    return cut(f"{or_else(title, 'untitled')} – {or_else(artist, 'unknown artist')}")


def cut(text: str) -> str:
    """The text, cut to the length of a line."""
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def spaced(name: Any) -> str:
    """A name of the code as words: with spaces for underscores."""
    return str(name).replace("_", " ")


def year(year: Any) -> str:
    """A year, or a dash."""
    return "–" if year is None or pd.isna(year) else str(int(year))


def length(seconds: Any) -> str:
    """Minutes and seconds, or a dash."""
    if seconds is None or pd.isna(seconds):
        return "–"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def share(part: int | None, whole: int | None) -> float | None:
    """part / whole, or None where either is missing."""
    return part / whole if part is not None and whole else None


def percent(share: float | None) -> str:
    """A share in percent with one decimal, or a dash."""
    return "–" if share is None or pd.isna(share) else f"{share:.1%}"


def number(value: Any, digits: int = 0) -> str:
    """A number with thousands separators, or a dash."""
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def scale_start(values: Iterable[float]) -> float:
    """The start of a scale that ends at 1 and shows all the values: a multiple of 0.1, at most 0.9."""
    return math.floor(10 * min([*values, 0.9])) / 10


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
