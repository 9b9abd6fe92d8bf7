"""A lyric as steps use it: its cleaned text, its fault and its language, each found once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F

from songmood.lyrics.cleaning import clean_in_stages
from songmood.lyrics.faults import find_fault_of
from songmood.lyrics.language import guess_language
from songmood.lyrics.notices import INSTRUMENTAL, NONE_YET


class ReadText(NamedTuple):
    """A text that was read: see `clean_lyrics`, `find_fault` and `guess_language`.

    A note that there are no lyrics has its fault and no lyrics.
    """

    lyrics: str | None = None
    fault: str | None = None
    language: str | None = None
    language_probability: float | None = None


def read_text(text: str) -> ReadText:
    """A text cleaned, with its fault, and with its most probable language."""
    stages = clean_in_stages(text)
    fault = find_fault_of(stages)
    lyrics = None if fault in (INSTRUMENTAL, NONE_YET) else stages.lyrics
    return ReadText(lyrics, fault, *guess_language(lyrics))


def read_texts(texts: Iterable[str | None]) -> pd.DataFrame:
    """A row of the fields of ReadText for each text; all are null for a null text."""
    rows = [read_text(text) if isinstance(text, str) else ReadText() for text in texts]
    return pd.DataFrame(rows, columns=list(ReadText._fields), dtype=object)


def longest_first() -> Column:
    """The order of texts of one song, by `lyrics` and `fault`: without a fault, then the longest."""
    return F.struct(
        F.col("lyrics").isNull().alias("no_lyrics"),
        F.col("fault").isNotNull().alias("faulty"),
        (-F.length("lyrics")).alias("length"),
        "lyrics",
    )
