"""Credits: the guests that a name mentions, and the several artists that share one."""

from __future__ import annotations

import re

from songmood.names.words import AFTER_GUESTS, FORTS, LARGE_NUMBERS, NUMBER_WORDS

# A guest credit runs to the end, to the next bracket or dash, or to a word that names another version. These
# are none: 'a feat of strength', 'Little Feat & Friends', feet ('Six Ft. Under') and forts ('Ft. Worth').
_NO_FEET = r"(?<!\d )" + "".join(rf"(?<!\b{number} )" for number in (*NUMBER_WORDS, *LARGE_NUMBERS))
_GUESTS = re.compile(
    rf"(?P<open>[(\[{{])?\s*(?<!\w)(?:feat(?:uring)?(?!\.?\s*(?:of\b|and\b|&|,|feat\b|ft\b))"
    rf"|{_NO_FEET}ft(?!\.?\s+(?:{'|'.join(FORTS)})\b))(?!\w)\.?\s*"
    rf"(?P<guests>.+?)(?=\s(?:{'|'.join(AFTER_GUESTS)})\b|\s-\s|[()\[\]{{}}]|$)"
)
_WORD = re.compile(r"\w")

_CONJUNCTIONS = "and|with|x|vs|feat|featuring|ft|y|et|und"
_SHARED = re.compile(rf" (?:duet with|{_CONJUNCTIONS}) ")
# Dedupe weighs whom it finds, so it also splits at words that a single artist's name may well have.
_MENTIONED = re.compile(
    rf"\s*(?:[,;/&+]|\s-\s|\s(?:{_CONJUNCTIONS}|n|versus|e|con|mit|avec|presents|pres)\.?\s)\s*"
)


def without_guests(text: str) -> tuple[str, list[str]]:
    """Folded text without its guest credits, and the guests; the whole text if nothing else is in it."""
    if "feat" not in text and "ft" not in text:  # true of most texts, and the pattern takes long
        return text, []
    shorter = _GUESTS.sub(lambda match: f"{match['open'] or ''} ", text)
    if not _WORD.search(shorter):
        return text, []
    return shorter, [match["guests"] for match in _GUESTS.finditer(text)]


def split_artists(name: str) -> list[str]:
    """The artists who share a normalized name: 'ann and bo' are 'ann' and 'bo'."""
    return _SHARED.split(name)


def split_credit(text: str) -> list[str]:
    """All whom a folded credit may mention, one by one; looser than `split_artists`."""
    return _MENTIONED.split(text)
