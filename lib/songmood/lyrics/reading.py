"""What is read of a lyric: its cleaned text, its fault, its language."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from songmood.lyrics.cleaning import read_lyrics
from songmood.lyrics.language import guess_language

COLUMNS = ("lyrics", "fault", "language", "language_probability")


def read_texts(texts: Iterable[str | None]) -> pd.DataFrame:
    """What is read of each text: cleaned lyrics, fault, and the most probable language with its probability."""
    rows = []
    for text in texts:
        lyrics, fault = (None, None) if text is None else read_lyrics(text)
        rows.append((lyrics, fault, *guess_language(lyrics)))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
