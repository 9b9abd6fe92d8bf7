"""How happy or sad the words of a song are, by a published list (VADER)."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pandas as pd
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from songmood.models.parts import Array, has_text

LEXICON_WIDTH = 8
_WORD = re.compile(r"\w[\w']*")


def lexicon_numbers(songs: pd.DataFrame) -> Array:
    """Eight numbers for each song, from the valence of its words, -4 to 4 (Hutto & Gilbert 2014).

    Mean valence; shares of happy and of sad words; mean valence of the happy and of the sad words; mean
    valence of the distinct words; logarithm of the number of words; share of distinct words. NaN without
    lyrics.
    """
    numbers = np.full((len(songs), LEXICON_WIDTH), np.nan, dtype=np.float32)
    for row in np.flatnonzero(has_text(songs)):
        numbers[row] = _numbers(str(songs["lyrics"].iloc[row]))
    return numbers


def _numbers(text: str) -> list[float]:
    lexicon = _lexicon()
    words = _WORD.findall(text.lower())
    if not words:
        return [0.0] * LEXICON_WIDTH
    values = np.array([lexicon.get(word, 0.0) for word in words])
    distinct = set(words)
    happy, sad = values[values > 0], values[values < 0]
    return [
        float(values.mean()),
        len(happy) / len(words),
        len(sad) / len(words),
        float(happy.mean()) if len(happy) else 0.0,
        float(sad.mean()) if len(sad) else 0.0,
        sum(lexicon.get(word, 0.0) for word in sorted(distinct)) / len(distinct),
        float(np.log(len(words))),
        len(distinct) / len(words),
    ]


@cache
def _lexicon() -> dict[str, float]:
    return dict(SentimentIntensityAnalyzer().lexicon)
