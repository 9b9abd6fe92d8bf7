"""Messy rows: each record is written in the style of one of five sources, and some of its fields are damaged.

Styles and damages are those of real records of songs, and are drawn at the rates counted there by
bench/noise.py: the MusicBrainz-20K benchmark of Hildebrandt, Saeedi and Rahm, 9,754 records of 5,062 songs.
Each of its sources has a fifth of the records, and no two records of a song are of one source. Damages hit
each field by itself: 21% of the records have one or more damaged names, and 1.5% have two or three.
Records of one song are of one release there, and of several in WASABI: here, half of the repeats are each.

No record has ids, so that two records of one song can be recognized only by their texts and numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws
from songmood.demo.rows import Rows

IDS = ("urlSpotify", "urlLastFm", "lastfm_id", "isrc", "id_song_musicbrainz", "id_song_deezer", "language")
FIELDS = ("artist", "title", "albumTitle", "publicationDateAlbum", "length", "number", "language_detect")
NAMES = FIELDS[:3]
LOST = ("", "null", "unknown", "unk.", "n.a.")  # how a source writes a value that it lost

_ARTICLE = re.compile(r"^The ")


class Record(NamedTuple):
    """What a source knows of a song, before it writes it down; empty strings are not known."""

    artist: str
    title: str
    album: str
    year: str
    milliseconds: int  # 0: not known
    number: str
    language: str


# -- styles: the record in the order of FIELDS ------------------------------------------------------------


def _plain(record: Record) -> tuple[str, ...]:
    length = str(record.milliseconds) if record.milliseconds else ""
    return record.artist, record.title, record.album, record.year, length, record.number, record.language


def _joined(record: Record) -> tuple[str, ...]:
    title = f"{record.artist} - {record.title}"
    length = str(record.milliseconds // 1000) if record.milliseconds else "null"
    return "", title, record.album, record.year[2:], length, record.number, record.language or "null"


def _dashed(record: Record) -> tuple[str, ...]:
    title = f"{record.title} - {record.album}"
    year = f"'{record.year[2:]}" if record.year else ""
    length = f"{round(record.milliseconds / 60_000, 3)}" if record.milliseconds else ""
    return _ARTICLE.sub("", record.artist), title, "", year, length, record.number, record.language


def _numbered(record: Record) -> tuple[str, ...]:
    artist, title, album = (ascii_text(name) for name in (record.artist, record.title, record.album))
    minutes, seconds = divmod(record.milliseconds // 1000, 60)
    length = f"{minutes}m {seconds}sec" if record.milliseconds else "unknown"
    language = f"{record.language[:3]}." if record.language else "unknown"
    title, album = f"{int(record.number):03}-{title}", f"{album} ({record.year or 'unknown'})"
    return artist, title, album, "null", length, record.number, language


def _bracketed(record: Record) -> tuple[str, ...]:
    title = f"{record.title} ({record.album})"
    minutes, seconds = divmod(record.milliseconds // 1000, 60)
    length = f"{minutes:02}:{seconds:02}" if record.milliseconds else ""
    number = f"{int(record.number):03}"
    return _ARTICLE.sub("", record.artist), title, record.album, record.year, length, number, ""


STYLES = (_plain, _joined, _dashed, _numbered, _bracketed)


def ascii_text(text: str) -> str:
    """The text without accents, and without the letters of other scripts."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


# -- damages ----------------------------------------------------------------------------------------------


def _add_letter(text: str, chance: Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + _letter(text, chance) + text[at:]


def _omit_letter(text: str, chance: Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + text[at + 1 :]


def _change_letter(text: str, chance: Random) -> str:
    at = chance.randrange(len(text))
    if chance.random() < 0.5:
        return text[:at] + _letter(text, chance) + text[at + 1 :]
    return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]


def _letter(text: str, chance: Random) -> str:
    if text[0].isdigit():
        return chance.choice("0123456789 ")
    return chance.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")


def _lose(text: str, chance: Random) -> str:
    return chance.choice(LOST)


def _mistype(text: str, chance: Random) -> str:
    return _add_letter(_omit_letter(text, chance) or text, chance)


def _omit_word(text: str, chance: Random) -> str:
    words = text.split()
    del words[chance.randrange(len(words))]
    return " ".join(words) or text


def _double_word(text: str, chance: Random) -> str:
    words = text.split()
    at = chance.randrange(len(words))
    return " ".join([*words[: at + 1], *words[at:]])


def _swap_words(text: str, chance: Random) -> str:
    words = text.split()
    at = chance.randrange(len(words))
    return " ".join([*words[:at], *words[at : at + 2][::-1], *words[at + 2 :]])


def _close_up(text: str, chance: Random) -> str:
    return text.replace(" ", "")


def _hyphenate(text: str, chance: Random) -> str:
    return text.replace(" ", chance.choice("-_"))


def _change_case(text: str, chance: Random) -> str:
    return text.upper() if chance.random() < 0.5 else text.lower()


Damage = Callable[[str, Random], str]
# The shares of a field's values. Years and track numbers (3.1% and 4.5% are wrong) are only mistyped or lost.
ANY_DAMAGES: tuple[tuple[float, Damage], ...] = (
    (0.018, _add_letter),
    (0.009, _omit_letter),
    (0.007, _change_letter),
    (0.0045, _lose),
)
NAME_DAMAGES: tuple[tuple[float, Damage], ...] = (
    *ANY_DAMAGES,
    (0.0035, _mistype),
    (0.004, _omit_word),
    (0.003, _double_word),
    (0.0035, _swap_words),
    (0.005, _close_up),
    (0.004, _hyphenate),
    (0.002, _change_case),
)
SAME_RELEASE = 0.5  # of repeats: on the album of the first record, as all are in the benchmark
SWAPPED = 0.006  # of records: a name and another field have changed places


def make_messy(draws: Draws, songs: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """The rows (WASABI's columns, with the track number) without ids, each in the style of a source."""
    order = np.argsort(draws.uniform("style", rows.take, len(STYLES)), axis=1)
    style = order[np.arange(len(songs)), rows.kind % len(STYLES)]
    damaged = draws.uniform("damage", rows.row, len(FIELDS))
    swapped = draws.chance("swapped fields", rows.row, SWAPPED)
    seed = draws.below("damage seed", rows.row, 1 << 30)
    columns = [songs[name].to_numpy()[_releases(draws, rows, name)].tolist() for name in FIELDS]
    written = []
    for i, fields in enumerate(zip(*columns, strict=True)):
        texts = list(STYLES[style[i]](_read(fields, int(seed[i]))))
        if swapped[i] or damaged[i].min() < _MOST_DAMAGED:
            _damage(texts, damaged[i], bool(swapped[i]), Random(int(seed[i])))
        written.append(texts)
    messy: pd.DataFrame = songs.assign(**dict.fromkeys(IDS, ""))
    messy[list(FIELDS)] = np.array(written, dtype=object).reshape(-1, len(FIELDS))
    return messy


def _releases(draws: Draws, rows: Rows, field: str) -> Array:
    """For each row the row that its field comes from: itself, or the first row of its recording."""
    own = np.arange(len(rows.row))
    if field not in ("albumTitle", "publicationDateAlbum", "number"):
        return own
    first = np.maximum.accumulate(np.where(rows.is_kind("album"), own, 0))
    same = draws.chance("same release", rows.row, SAME_RELEASE)
    return np.where(same & rows.is_kind("best_of", "deluxe", "remaster", "loose"), first, own)


# The damages of each field, and up to which draw each of them is chosen.
_DAMAGES = {name: NAME_DAMAGES if name in NAMES else ANY_DAMAGES for name in FIELDS}
_ENDS = {name: np.cumsum([rate for rate, _ in damages]) for name, damages in _DAMAGES.items()}
_MOST_DAMAGED = max(ends[-1] for ends in _ENDS.values())


def _read(fields: tuple[str, ...], seed: int) -> Record:
    artist, title, album, year, seconds, number, language = fields
    milliseconds = int(seconds) * 1000 + seed % 1000 if seconds else 0
    return Record(artist, title, album, year, milliseconds, number, language.title())


def _damage(texts: list[str], draws: Array, swap: bool, chance: Random) -> None:
    """Damage the texts of a record, in the order of FIELDS, in place."""
    for i, (name, draw) in enumerate(zip(FIELDS, draws, strict=True)):
        if texts[i].strip() and draw < _ENDS[name][-1]:
            _, change = _DAMAGES[name][int(np.searchsorted(_ENDS[name], draw, side="right"))]
            texts[i] = change(texts[i], chance)
    if swap:
        a, b = chance.randrange(len(NAMES)), chance.randrange(len(FIELDS))
        texts[a], texts[b] = texts[b], texts[a]
