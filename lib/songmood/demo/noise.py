"""Messy rows: variations in how people write a song's name, at fixed rates, make duplicates hard to find.

With `demo.messy`, rows that repeat a recording are rewritten, each in at most one of the ways below. No
row has ids, so two rows of one song can be recognized only by their text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws

# Shares of the rows that repeat a recording; the others are left as they are.
JOINED = 0.30  # the artist is in the title
TYPOS = 0.20  # at least one typing mistake in the title, and sometimes one in the artist
NO_ARTIST = 0.10  # the artist is blank or '[unknown]'
REORDERED = 0.10  # fields in another format or order
TRANSLITERATED = 0.05  # artist and title in Cyrillic letters
IDS = ("urlSpotify", "urlLastFm", "lastfm_id", "isrc", "id_song_musicbrainz", "id_song_deezer")

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBORS = {
    key: "".join(row[max(0, i - 1) : i + 2]).replace(key, "") for row in _KEYS for i, key in enumerate(row)
}
_CYRILLIC = {
    **{"shch": "щ", "sh": "ш", "ch": "ч", "zh": "ж", "th": "т", "ph": "ф", "ck": "к", "qu": "кв"},
    **{"ee": "и", "oo": "у", "x": "кс"},
    **dict(zip("abcdefghijklmnopqrstuvwyz", "абкдефгхижклмнопкрстуввйз", strict=True)),
}


def make_messy(draws: Draws, songs: pd.DataFrame, numbers: Array, repeats: Array) -> pd.DataFrame:
    """The rows (WASABI's columns) without ids, and with messy repeats."""
    rows = songs.to_dict("list")
    for name in IDS:
        rows[name] = [""] * len(songs)
    way = draws.uniform("messy way", numbers)
    variant = draws.below("messy variant", numbers, 1 << 30)
    ways: tuple[tuple[float, Callable[[dict[str, str], int], dict[str, str]]], ...] = (
        (JOINED, _join),
        (TYPOS, _mistype),
        (NO_ARTIST, _forget_artist),
        (REORDERED, _reorder),
        (TRANSLITERATED, _transliterate),
    )
    ends = np.cumsum([rate for rate, _ in ways])
    for i in np.flatnonzero(repeats & (way < ends[-1])):
        change = ways[int(np.searchsorted(ends, way[i], side="right"))][1]
        for name, value in change({name: rows[name][i] for name in _WRITTEN}, int(variant[i])).items():
            rows[name][i] = value
    messy: pd.DataFrame = pd.DataFrame(rows, index=songs.index, columns=songs.columns)
    return messy


_WRITTEN = ("artist", "title", "albumTitle", "publicationDateAlbum", "length", "language", "language_detect")
Row = dict[str, str]


def _join(row: Row, variant: int) -> Row:
    artist, title = row["artist"], row["title"]
    # a third of them keep the artist in its own field, too
    kept = artist if variant % 3 == 0 else ("", "[unknown]")[variant % 2]
    joined = (f"{artist} - {title}", f"{artist} - {title}", f"{artist}:{title}", f"{title} / {artist}")
    return {"title": joined[(variant >> 4) % len(joined)], "artist": kept}


def _mistype(row: Row, variant: int) -> Row:
    changed = {"title": _typos(row["title"], variant >> 4, 1 + variant % 2)}
    if variant % 3 == 0:
        changed["artist"] = _typos(row["artist"], variant >> 8, 1)
    return changed


def _forget_artist(row: Row, variant: int) -> Row:
    return {"artist": ("", "[unknown]", "Unknown Artist")[variant % 3]}


def _reorder(row: Row, variant: int) -> Row:
    words, seconds = row["artist"].split(), row["length"]
    if variant % 4 == 0:
        return {"artist": row["title"], "title": row["artist"]}
    changed = {"artist": f"{words[-1]}, {' '.join(words[:-1])}"} if len(words) == 2 else {}
    if seconds:
        whole = int(seconds)
        shown = (f"{whole * 1000}", f"{whole // 60}m {whole % 60:02}sec", f"{whole // 60}:{whole % 60:02}")
        changed["length"] = shown[(variant >> 4) % 3]
    if row["publicationDateAlbum"]:
        changed["publicationDateAlbum"] = f"'{row['publicationDateAlbum'][2:]}"
    if variant % 4 == 1:
        changed["title"] = f"{1 + variant % 19:03}-{row['title']}"
    if row["language_detect"]:
        changed["language_detect"] = row["language_detect"][:3].title() + "."
    return changed


def _transliterate(row: Row, variant: int) -> Row:
    return {name: _cyrillic(row[name]) for name in ("artist", "title")}


def _typos(text: str, variant: int, count: int) -> str:
    for turn in range(count):
        letters = [i for i, letter in enumerate(text) if letter.isalpha()]
        if len(letters) < 2:
            return text
        variant = (variant * 1_103_515_245 + 12_345 + turn) % (1 << 31)
        i = letters[(variant >> 8) % len(letters)]
        letter = text[i]
        neighbors = _NEIGHBORS.get(letter.lower(), letter)
        text = (
            text[:i] + text[i + 1 :],  # a letter is omitted
            text[:i] + letter + text[i:],  # is doubled
            text[:i] + text[i : i + 2][::-1] + text[i + 2 :],  # changes places with the next
            text[:i] + neighbors[variant % len(neighbors)] + text[i + 1 :],  # is that of the next key
        )[(variant >> 4) % 4]
    return text


def _cyrillic(text: str) -> str:
    written, i, lower = "", 0, text.lower()
    while i < len(text):
        size = next((n for n in (4, 2, 1) if lower[i : i + n] in _CYRILLIC and len(lower[i : i + n]) == n), 0)
        letters = _CYRILLIC[lower[i : i + size]] if size else text[i]
        written += letters.capitalize() if text[i].isupper() else letters
        i += size or 1
    return written
