"""Titles and artists in one spelling, so that two spellings of the same name are the same text.

Differences that do not tell two recordings apart are removed: case, accents, punctuation, guest credits,
edition marks. Words that tell them apart stay: live, remix, acoustic, karaoke, part numbers.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pandas as pd
from anyascii import anyascii
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf

from songmood.names.credits import without_guests
from songmood.names.numbers import counted
from songmood.names.words import EDITION_MARKS, EDITION_PHRASES, EDITION_WORDS, PART_OF, PARTS_OF

# The longest real titles have about 300 characters. A text of a megabyte is not a name, and comparing it
# would take hours.
LONGEST_NAME = 500

# Apostrophes of all kinds are removed (don't = dont), and underscores stand for spaces.
_JOINED = dict.fromkeys(map(ord, "'’‘ʼ´`′"), "") | {ord("_"): " "}
_ACCENTS = re.compile("[\u0300-\u036f]")
_ACRONYM = re.compile(r"(?<!\w)(?:[^\W\d_]\.){1,}[^\W\d_]?(?!\w)")  # R.E.M., T.I
_SPELLED = (
    ("$", re.compile(r"(?<=[^\W_])\$|\$(?=[^\W_])"), "s"),
    ("!", re.compile(r"(?<=[a-z])!(?=[a-z])"), "i"),
)

_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_LAST_DASH = re.compile(r"^(.*\S)\s+-\s+(.*)$")
_WORD = re.compile(r"\w+")
_NO_SIGN = re.compile(r"[-.,:;()\[\]{}'\"]*")
_NO_WORD = re.compile(r"[^A-Za-z0-9]")

_EDITION_PHRASE = re.compile(rf"\b(?:{'|'.join(EDITION_PHRASES)})\b")
_BARE_EDITION = re.compile(
    r"\s(?:(?:\d{4}\s)?(?:digital(?:ly)?\s)?remaster(?:ed)?(?:\sversion)?(?:\s\d{4})?"
    r"|(?:album|single|mono|stereo|explicit)\sversion)$"
)
_YEAR_OR_ORDINAL = re.compile(r"\d{4}|\d+(?:th|st|nd|rd)?")
_BEFORE_PARTS = {*PART_OF, *PARTS_OF}
_AND = re.compile(r"&|(?<= )\+(?= )")
_N_AS_AND = re.compile(r"(?<=\w) n (?=\w)")


@lru_cache(maxsize=100_000)
def normalize_title(text: str | None) -> str:
    """A song's title in one spelling; empty for None and if there is nothing but dashes and dots.

    The result is lower-case ASCII (other alphabets are transliterated) without HTML entities,
    punctuation, guest credits and edition marks: 'Caf&eacute; (feat. X) - 2011 Remaster' is 'cafe'.
    Words that name another version stay: 'Hallo (Live)' is 'hallo live'. A title of signs alone stays as
    it is ('???'). Normalizing twice changes nothing.
    """
    return _settle(_title_once, text)


@lru_cache(maxsize=100_000)
def normalize_artist(text: str | None) -> str:
    """An artist's name in one spelling, as `normalize_title` does it, and without a leading 'The'."""
    return _settle(_artist_once, text)


def normalized_title(column: Column) -> Column:
    """`normalize_title` of a column; never null."""
    return mapped(normalize_title, column)


def normalized_artist(column: Column) -> Column:
    """`normalize_artist` of a column; never null."""
    return mapped(normalize_artist, column)


def unescaped(column: Column) -> Column:
    """A text column with its HTML entities as the characters that they mean; null stays null."""
    return mapped(_unescape, column)


def mapped(change: Callable[..., Any], *columns: Column, kind: str = "string") -> Column:
    """What a function makes of each row's values; it has the SQL type `kind`."""

    def each(*values: pd.Series) -> pd.Series:
        return pd.Series(map(change, *values), index=values[0].index, dtype=object)

    changed: Column = pandas_udf(each, kind)(*columns)  # type: ignore[call-overload]
    return changed


def _settle(once: Callable[[str], str], text: str | None) -> str:
    # Repeated until nothing changes, because removing punctuation can reveal another mark ('f.e.a.t. X').
    # It ends: each pass but the first only makes words shorter or fewer.
    current = once(text) if isinstance(text, str) else ""
    while (after := once(current)) != current:
        current = after
    return current


def _title_once(text: str) -> str:
    folded = fold(text)
    return numbered_parts(plain(without_editions(without_guests(folded)[0]))) or signs(folded)


def _artist_once(text: str) -> str:
    folded = fold(text)
    alone = without_guests(folded)[0]
    name = plain(alone.removesuffix(", the") or alone)
    return name.removeprefix("the ") or signs(folded)


def signs(text: str) -> str:
    """The signs of folded text that has no letter or digit: '!!!'; empty if it has, or is only dashes."""
    if _WORD.search(text):
        return ""
    joined = "".join(sign for sign in text if sign != "|" and unicodedata.category(sign)[0] in "PS")
    return "" if _NO_SIGN.fullmatch(joined) else joined


def numbered_parts(text: str) -> str:
    """Plain text with its counted parts in one spelling: 'walls pt ii' is 'walls part 2'.

    Of several parts, the numbers alone are left: 'parts i-iii', 'part 1 & 3' and 'pts 1 to 3' are 'part 1 3'.
    """
    words = text.split()
    if _BEFORE_PARTS.isdisjoint(words):
        return text
    written: list[str] = []
    while words:
        word = words.pop(0)
        is_counted = bool(words) and (word in PART_OF or (word in PARTS_OF and _number(words[0])))
        if not is_counted:
            written.append(word)
            continue
        following = words.pop(0)
        written += [PART_OF.get(word) or PARTS_OF[word], _number(following) or following]
        while _number(following) and words:
            is_joined = words[0] in ("and", "to") and len(words) > 1
            following = words[is_joined]
            if not (_number(following) if word in PARTS_OF else is_joined and following.isdecimal()):
                break
            written.append(_number(following))
            del words[: is_joined + 1]
    return " ".join(written)


def _number(word: str) -> str:
    """The number that a word means after 'part'; empty for another word."""
    return word if word.isdecimal() else counted(word) or ""


def _unescape(text: str | None) -> str | None:
    if text is None or "&" not in text:
        return text
    for _ in range(3):  # corpora have entities of entities: &amp;amp;
        text = html.unescape(text)
    return text


def fold(text: str | None) -> str:
    """Text as lower-case ASCII with single spaces; other alphabets are transliterated.

    A text of more than LONGEST_NAME characters is cut.
    """
    text = _unescape((text or "")[:LONGEST_NAME]) or ""
    if text.isascii():
        text = text.translate(_JOINED)
    else:
        text = unicodedata.normalize("NFKC", text)
        # accents go first: anyascii would turn a combining mark into a letter
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).translate(_JOINED)
        text = anyascii(unicodedata.normalize("NFC", text))
    return " ".join(text.casefold().split())[:LONGEST_NAME].rstrip()


def without_editions(text: str) -> str:
    """Folded text without edition marks in brackets, after a dash and at the end; as it is if only those."""
    shorter = _BRACKETS.sub(lambda match: " " if is_edition(match[1]) else match[0], text)
    while (dash := _LAST_DASH.match(shorter)) and is_edition(dash[2]):
        shorter = dash[1]
    shorter = _BARE_EDITION.sub("", shorter.rstrip())
    return shorter if _WORD.search(shorter) else text


def is_edition(text: str) -> bool:
    """Whether folded text is nothing but an edition mark: '2011 remaster', 'album version'."""
    words = _WORD.findall(text)
    if not all(word in EDITION_WORDS or _YEAR_OR_ORDINAL.fullmatch(word) for word in words):
        return False
    return not EDITION_MARKS.isdisjoint(words) or bool(_EDITION_PHRASE.search(" ".join(words)))


@lru_cache(maxsize=100_000)
def plain(text: str) -> str:
    """Folded text as letters, digits and single spaces.

    '&' and a '+' between words become 'and'; acronyms are joined; stylized letters are replaced (p!nk).
    """
    # most texts have none of these signs, and a pattern takes longer to find that out
    for sign, pattern, letter in _SPELLED:
        if sign in text:
            text = pattern.sub(letter, text)
    if "." in text:
        text = _ACRONYM.sub(lambda match: match[0].replace(".", ""), text)
    if "&" in text or "+" in text:
        text = _AND.sub(" and ", text)
    text = " ".join(_NO_WORD.sub(" ", text).split())
    return _N_AS_AND.sub(" and ", text) if " n " in text else text
