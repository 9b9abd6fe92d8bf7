"""Titles and artists in one spelling, so that two spellings of the same name are the same text.

What does not tell two recordings apart goes (case, accents, punctuation, guest credits, remaster and
edition marks); what does tell them apart stays (live, remix, acoustic, demo, instrumental, cover,
karaoke, part numbers).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import pandas as pd
from anyascii import anyascii
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

# Apostrophes of all kinds join what they stand between: don't = dont.
_JOINED = dict.fromkeys(map(ord, "'’‘ʼ´`′"), "")
_ACCENTS = re.compile("[\u0300-\u036f]")
_ACRONYM = re.compile(r"(?<!\w)(?:[^\W\d_]\.){1,}[^\W\d_]?(?!\w)")  # R.E.M., T.I
_SPELLED = ((re.compile(r"(?<=[^\W_])\$|\$(?=[^\W_])"), "s"), (re.compile(r"(?<=[a-z])!(?=[a-z])"), "i"))

# A guest credit runs to the end, to the next bracket or dash, or to a word that names another version.
_GUESTS = re.compile(
    r"(?P<open>[(\[{])?(?P<space>\s*)(?<!\w)(?<!\d )(?:feat(?:uring)?(?! of\b)|ft)(?!\w)\.?\s*"
    r"(?P<who>.+?)(?=\s(?:remix|live|acoustic|demo|instrumental|karaoke|cover)\b|\s-\s|[()\[\]{}]|$)"
)
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_LAST_DASH = re.compile(r"^(.*\S)\s+-\s+(.*)$")
_WORD = re.compile(r"\w+")
_NO_WORD = re.compile(r"[^A-Za-z0-9]")

# An edition mark is made of these words alone and has one of the marks, or one of the phrases.
_MARKS = {"remaster", "remastered", "explicit", "clean", "censored", "uncensored", "mono", "stereo"}
_EDITION_WORDS = _MARKS | {
    *("album", "anniversary", "bit", "bonus", "deluxe", "digital", "digitally", "edit", "edition", "lp"),
    *("mix", "original", "radio", "single", "track", "version"),
}
_EDITION_PHRASES = re.compile(
    r"\b(?:(?:album|single|lp|original|radio|deluxe|digital) version|(?:radio|single) edit|bonus track"
    r"|(?:deluxe|anniversary) edition)\b"
)
_BARE_EDITION = re.compile(
    r"\s(?:(?:\d{4}\s)?(?:digital(?:ly)?\s)?remaster(?:ed)?(?:\sversion)?(?:\s\d{4})?"
    r"|(?:album|single|mono|stereo|explicit)\sversion)$"
)
_PART = re.compile(r"\b(?:pt|part)\b (\w+)")
_NUMBERS = {
    **{name: str(n) for n, name in enumerate(("one", "two", "three", "four", "five", "six"), 1)},
    **{name: str(n) for n, name in enumerate(("i", "ii", "iii", "iv", "v", "vi"), 1)},
}
_N_AS_AND = re.compile(r"(?<=\w) n (?=\w)")


@lru_cache(maxsize=100_000)
def normalize_title(text: str | None) -> str:
    """A song's title in one spelling; empty for None and where no letter or digit is left.

    Lower case, without accents (letters of other alphabets stay), HTML entities, punctuation, guest
    credits and edition marks: 'Caf&eacute; (feat. X) - 2011 Remaster' is 'cafe'. Words that name
    another version stay: 'Hallo (Live)' is 'hallo live'. Normalizing twice changes nothing.
    """
    return _settle(_title_once, text)


@lru_cache(maxsize=100_000)
def normalize_artist(text: str | None) -> str:
    """An artist's name in one spelling, as `normalize_title`; a leading 'The' goes, too."""
    return _settle(_artist_once, text)


def normalized_title(column: Column) -> Column:
    """`normalize_title` of a column; never null."""
    return _mapped(normalize_title, column)


def normalized_artist(column: Column) -> Column:
    """`normalize_artist` of a column; never null."""
    return _mapped(normalize_artist, column)


def unescaped(column: Column) -> Column:
    """A text column with its HTML entities as the signs they mean; null stays null."""
    return _mapped(_unescape, column)


def _mapped(change: Callable[[str | None], str | None], column: Column) -> Column:
    def each(texts: pd.Series) -> pd.Series:
        return texts.map(change)

    changed: Column = pandas_udf(each, StringType())(column)  # type: ignore[call-overload]
    return changed


def _settle(once: Callable[[str], str], text: str | None) -> str:
    # Taking punctuation away can bring out another mark ('f.e.a.t. X'), so until nothing changes.
    # Every pass but the first only shortens words or their number.
    current = once(text) if isinstance(text, str) else ""
    while (after := once(current)) != current:
        current = after
    return current


def _title_once(text: str) -> str:
    text = without_editions(without_guests(fold(text))[0])
    return _PART.sub(lambda m: f"part {_NUMBERS.get(m[1], m[1])}", plain(text))


def _artist_once(text: str) -> str:
    text = re.sub(r"^(.+), the$", r"\1", without_guests(fold(text))[0])
    return re.sub(r"^the (?=.)", "", plain(text))


def _unescape(text: str | None) -> str | None:
    if text is None or "&" not in text:
        return text
    for _ in range(3):  # entities of entities are seen: &amp;amp;
        text = html.unescape(text)
    return text


def fold(text: str | None) -> str:
    """Lower-case ASCII with single spaces; other alphabets as they are written in Latin letters."""
    text = _unescape(text) or ""
    if text.isascii():
        return " ".join(text.translate(_JOINED).casefold().split())
    text = unicodedata.normalize("NFKC", text)
    # the accents first: anyascii would give combining marks of their own a letter
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).translate(_JOINED)
    return " ".join(anyascii(unicodedata.normalize("NFC", text)).casefold().split())


def without_guests(text: str) -> tuple[str, list[str]]:
    """Folded text without guest credits, and who they name; as it is if nothing else is there."""

    def keep(match: re.Match[str]) -> str:
        return f"{match['open'] or ''} "

    shorter = _GUESTS.sub(keep, text)
    return (
        (shorter, [match["who"] for match in _GUESTS.finditer(text)]) if _WORD.search(shorter) else (text, [])
    )


def without_editions(text: str) -> str:
    """Take edition marks away, in brackets, after a dash and at the end, unless nothing else is there."""
    shorter = _BRACKETS.sub(lambda m: " " if is_edition(m[1]) else m[0], text)
    while (dash := _LAST_DASH.match(shorter)) and is_edition(dash[2]):
        shorter = dash[1]
    shorter = _BARE_EDITION.sub("", shorter.rstrip())
    return shorter if _WORD.search(shorter) else text


def is_edition(text: str) -> bool:
    """Whether folded text is nothing but an edition mark: '2011 remaster', 'album version'."""
    words = _WORD.findall(text)
    known = all(word in _EDITION_WORDS or re.fullmatch(r"\d{4}|\d+(?:th|st|nd|rd)?", word) for word in words)
    return known and (not _MARKS.isdisjoint(words) or bool(_EDITION_PHRASES.search(" ".join(words))))


@lru_cache(maxsize=100_000)
def plain(text: str) -> str:
    """Letters, digits and single spaces; 'and' for & and a lone +; acronyms and stylized names joined."""
    for pattern, letter in _SPELLED:
        text = pattern.sub(letter, text)
    text = _ACRONYM.sub(lambda m: m[0].replace(".", ""), text)
    text = re.sub(r"&|(?<= )\+(?= )", " and ", text)
    if text.isascii():
        text = _NO_WORD.sub(" ", text)
    else:  # marks (M) are vowels in some alphabets; Latin accents are gone by now
        text = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text)
    return _N_AS_AND.sub(" and ", " ".join(text.split()))
