"""Lyrics as they are sung: everything that pages and files put around them is removed."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

_BREAK = re.compile(r"<\s*(?:br|/p|/div)\b[^<>]*>\n?", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_LRC_TIME = re.compile(r"[\[<]\d{1,3}:\d{2}(?:[.:]\d{1,3})?[\]>][ \t]*")  # [01:02.03]
_LRC_HEADER = re.compile(
    r"^\[(?:ar|ti|al|au|by|length|offset|re|ve|la|id|lr|#):[^\[\]\n]*\][ \t]*$", re.M | re.I
)
_SECTION_NAMES = (
    r"verse|chorus|hook|bridge|refrain|intro|outro|interlude|instrumental|(?:\w+ )?solo|break|breakdown|drop"
    r"|part|skit|coda|strophe|couplet|pont|estribillo|coro|refrão|verso|puente|ponte|strofa|ritornello|zwrotka"
    r"|vers|beat (?:switch|break|drop)|produced by|prod\.?(?: by)?|spoken(?: word)?|sample|ad[ -]?libs?|build"
    r"|guitar|piano|drums?|all|both|x ?\d+|\d+ ?x|repeat"
)
_SECTION_HEADER = re.compile(
    rf"^[ \t]*[\[{{](?:(?:pre|post)[ -]?)?(?:{_SECTION_NAMES})(?!\w)[^\[\]{{}}\n]*[\]}}][ \t]*$", re.I | re.M
)
# Genius adds a head and a tail, and between lines advertisements that no space separates from the lyrics.
_GENIUS_ADDITIONS = (
    re.compile(
        r"\A\d+ Contributors?[^\n]*? Lyrics(?:(?:(?!\n\n).){0,3000}?(?:…|\.\.\.) ?Read More\s*)?", re.DOTALL
    ),
    re.compile(r"\A[^\n\[\]]{1,150} Lyrics(?=\s*\[)"),
    re.compile(r"(?:(?<=\S)|(?<=\n))\d{0,7}(?:\.\d)?[KM]?Embed\Z"),
    re.compile(r"^You might also like(?=[^\s\W]|\[|$)", re.MULTILINE),
    re.compile(r"See [^\n]{1,80} LiveGet tickets as low as \$\d+(?:You might also like)?"),
)


class Stages(NamedTuple):
    """A text after each stage of cleaning.

    `text` is without markup, `body` also without additions of Genius, and `lyrics` also without section
    headers and times; `lyrics` is None where nothing is left.
    """

    text: str
    body: str
    lyrics: str | None


def clean_lyrics(text: str | None) -> str | None:
    """The sung words of a text, a line for each line sung; None where nothing is left.

    HTML entities and tags are removed (`<br>` ends a line), and so are times and headers of LRC files,
    whole-line section headers such as [Verse 1], and everything that Genius puts around lyrics. Characters
    are in NFKC. Lines have no space at their ends, and no two empty lines follow each other.
    """
    return clean_in_stages(text).lyrics if isinstance(text, str) else None


def clean_in_stages(text: str) -> Stages:
    """The result of each stage of `clean_lyrics`."""
    text = _without_markup(text)
    body = _without_additions(text)
    return Stages(text, body, _without_headers(body))


def _without_markup(text: str) -> str:
    text = html.unescape(text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("´", "'")  # in don´t; NFKC would turn it into a space and an accent
    return unicodedata.normalize("NFKC", _MARKUP.sub("", _BREAK.sub("\n", text))).strip()


def _without_additions(text: str) -> str:
    for addition in _GENIUS_ADDITIONS:
        text = addition.sub("", text)
    return text


def _without_headers(text: str) -> str | None:
    text = _LRC_TIME.sub("", _LRC_HEADER.sub("", text))
    lines = "\n".join(line.strip() for line in _SECTION_HEADER.sub("", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip() or None
