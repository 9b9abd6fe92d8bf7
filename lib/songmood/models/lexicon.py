"""How glad or sad the words of a song are, by a published list (VADER's)."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pandas as pd
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from songmood.models.parts import Array, has_text

LEXICON_WIDTH = 8
_WORD = re.compile(r"\w[\w']*")


def read_lexicon(songs: pd.DataFrame) -> Array:
    """Eight numbers a song, NaN without lyrics, from the valence of words, -4 to 4 (Hutto & Gilbert 2014).

    Mean valence; shares of words that are glad and sad; mean valence of the glad and of the sad ones;
    mean valence of distinct words; logarithm of the number of words; share of them that are distinct.
    """
    read = np.full((len(songs), LEXICON_WIDTH), np.nan, dtype=np.float32)
    for row in np.flatnonzero(has_text(songs)):
        read[row] = _read(str(songs["lyrics"].iloc[row]))
    return read


def _read(text: str) -> list[float]:
    lexicon = _lexicon()
    words = _WORD.findall(text.lower())
    if not words:
        return [0.0] * LEXICON_WIDTH
    values = np.array([lexicon.get(word, 0.0) for word in words])
    distinct = set(words)
    glad, sad = values[values > 0], values[values < 0]
    return [
        float(values.mean()),
        len(glad) / len(words),
        len(sad) / len(words),
        float(glad.mean()) if len(glad) else 0.0,
        float(sad.mean()) if len(sad) else 0.0,
        sum(lexicon.get(word, 0.0) for word in sorted(distinct)) / len(distinct),
        float(np.log(len(words))),
        len(distinct) / len(words),
    ]


@cache
def _lexicon() -> dict[str, float]:
    return dict(SentimentIntensityAnalyzer().lexicon)
