"""Lyrics as they are sung: everything that pages and files put around them is removed.

These go in turn: escapes, other forms of letters, markup, the additions of Genius, times, notices of sites,
and headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from songmood.letters import composed, plain_letters, unescape
from songmood.lyrics.notices import without_notices

# What programs write for a sign, once or several times over: \n, \\r\\n, \u2019, \xe9, \'.
_ESCAPED_LINE_END = re.compile(r"(?<!\\)\\+(?:r\\+n|[nrfvN])")
_ESCAPED = re.compile(
    r"(?<!\\)\\+(?:u(?P<high>d[89ab][0-9a-f]{2})\\+u(?P<low>d[c-f][0-9a-f]{2})|u(?P<bmp>[0-9a-f]{4})"
    r"|x(?P<byte>[0-9a-f]{2})|(?P<tab>t)|(?P<sign>[^\w\s\\])|(?=[ \t]*$))",
    re.IGNORECASE | re.MULTILINE,
)
_URL_QUOTED = re.compile(r"(?=.*%(?:20|0A|0D))\S+", re.I)
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")

_UNSUNG = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b[^<>]*>(?:(?!<script|<style).)*?</\1\s*>", re.DOTALL | re.I
)
_BLOCK = r"(?:p|div|li|ul|ol|tr|table|h[1-6]|hr|blockquote|section|pre)\b"
_BREAK = re.compile(rf"(?:<\s*(?:/\s*)?br\b[^<>]*>|</\s*{_BLOCK}[^<>]*>|\[/?br ?/?\])\n?", re.I)
_BLOCK_START = re.compile(rf"\n?<\s*{_BLOCK}[^<>]*>", re.I)
_MARKUP = re.compile(
    r"</?[a-zA-Z][^<>]*>|<!\[CDATA\[|\]\]>"
    r"|\[/?(?:b|i|u|s|center|quote|size|color|font|url|img|spoiler)(?:=[^\[\]\n]*)?\]",
    re.I,
)

_LRC_TIME = re.compile(r"[\[<]\d{1,3}(?::\d{2}){1,2}(?:[.,:]\d{1,3})?[\]>][ \t]*")  # [01:02.03]
_LRC_HEADER = re.compile(
    r"^[ \t]*(?:\[(?:#|ar|ti|al|au|by|length|offset|re|ve|la|lang|language|id|lr|tool|total|encoding|hash"
    r"|sign|qq|kana|ins|t_time|artist|title|album|author|creator|version)[ \t]*:"
    r"(?:[^\[\]\n]|\[[^\[\]\n]*\])*\][ \t]*)+",
    re.M | re.I,
)
# The times of subtitles, with the number before them: 00:00:01,000 --> 00:00:03,500.
_CUE = re.compile(r"^(?:WEBVTT[^\n]*|(?:\d+[ \t]*\n)?[\d:.,]+[ \t]*-->[^\n]*)\n?", re.M)
_SECTION_NAMES = (
    r"verse|chorus|hook|bridge|refrain|intro|outro|interlude|instrumental|(?:\w+ )?solo|break|breakdown|drop"
    r"|part|skit|coda|strophe|couplet|pont|estribillo|coro|refrão|verso|puente|ponte|strofa|ritornello|zwrotka"
    r"|vers|beat (?:switch|break|drop)|produced by|prod\.?(?: by)?|spoken(?: word)?|sample|ad[ -]?libs?|build"
    r"|guitar|piano|drums?|all|both|x ?\d+|\d+ ?x|repeat"
)
_SECTION_HEADER = re.compile(
    rf"^[ \t]*[\[{{](?:(?:pre|post)[ -]?)?(?:{_SECTION_NAMES})(?!\w)[^\[\]{{}}\n]*[\]}}][ \t]*$", re.I | re.M
)
_WORD = re.compile(r"[^\W_]")
# Genius adds a head and a tail, and between lines advertisements that no space separates from the lyrics.
_GENIUS_ADDITIONS = (
    re.compile(
        r"\A\d+ Contributors?[^\n]*? Lyrics(?:(?:(?!\n\n).){0,3000}?(?:…|\.\.\.) ?Read More\s*)?", re.DOTALL
    ),
    re.compile(r"\A[^\n\[\]]{1,150} Lyrics(?=\s*\[)"),
    re.compile(
        r"(?:[ \t]?\d{1,7}(?:\.\d)?[KM]?|(?<=\S)|(?<=\n))Embed"
        r"(?:Share ?URL ?Copy ?Embed ?Copy)?[ \t\n]{0,9}\Z"
    ),
    re.compile(r"^You might also like(?=[^\s\W]|\[|$)", re.MULTILINE),
    re.compile(r"See [^\n]{1,80} LiveGet tickets as low as [$€£] ?\d+(?:You might also like)?"),
)


# Headers without brackets that music has: 'Chorus:', '(Verse 2)', '(Repeat x2)'.
_BARE_NAME = (
    r"(?:(?:pre|post)[ -]?)?(?:verse|chorus|hook|bridge|refrain|intro|outro|interlude|coda|(?:\w+ )?solo"
    r"|repeat(?: chorus| verse)?)(?: ?\d| ?\(?x ?\d\)?){0,2}"
)
_BARE_HEADER = re.compile(
    rf"^[ \t]*(?:\((?:{_BARE_NAME}|x ?\d|\d ?x)\)[ \t]*:?|{_BARE_NAME}[ \t]*:)[ \t]*$", re.I | re.M
)
_TIMES = (_CUE, _LRC_HEADER, _LRC_TIME)
_HEADERS = (_SECTION_HEADER, _BARE_HEADER)


class Stages(NamedTuple):
    """A text after two stages of cleaning.

    `text` is without markup. `lyrics` is also without additions, notices, headers and times, and None where
    no letter or digit is left.
    """

    text: str
    lyrics: str | None


def clean_lyrics(text: str | None) -> str | None:
    """The sung words of a text, a line for each line sung; None where nothing is left.

    Entities, escapes and tags are removed (`<br>` and a literal \\n end a line), and so are times and headers
    of LRC files, section headers such as [Verse 1], notices of sites, and everything that Genius puts around
    lyrics. Letters are as `plain_letters` writes them. Lines have no space at their ends, and no two empty
    lines follow each other.
    """
    return clean_in_stages(text).lyrics if isinstance(text, str) else None


def clean_in_stages(text: str) -> Stages:
    """The result of the stages of `clean_lyrics`."""
    text = _without_markup(_decoded(text))
    body = without_notices(_without(_TIMES, _without(_GENIUS_ADDITIONS, text)))
    lines = [line.strip() for line in _without(_HEADERS, body).split("\n")]
    lyrics = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return Stages(text, composed(lyrics) if _WORD.search(lyrics) else None)


def _decoded(text: str) -> str:
    """A text without its escapes, in whatever order several programs escaped it."""
    if _URL_QUOTED.fullmatch(text.strip()):
        text = unquote(text if "%20" in text else text.replace("+", " "))
    for _ in range(4):
        before, text = text, _ESCAPED.sub(_meant, _ESCAPED_LINE_END.sub("\n", unescape(text)))
        if text == before:
            break
    text = _LINE_END.sub("\n", text).replace("´", "'")  # don´t: NFKC would make a space and an accent of it
    return plain_letters(text)


def _meant(escape: re.Match[str]) -> str:
    """The character that an escape stands for; half a pair of UTF-16 stands for none."""
    if escape["tab"]:
        return " "
    if escape["high"]:
        return bytes.fromhex(escape["high"] + escape["low"]).decode("utf-16-be")
    code = escape["bmp"] or escape["byte"]
    if not code:
        return escape["sign"] or ""
    character = chr(int(code, 16))
    return "" if "\ud800" <= character <= "\udfff" else character


def _without_markup(text: str) -> str:
    text = _BREAK.sub("\n", _UNSUNG.sub("", text))
    # again: something that stood between a letter and its accent may be gone
    return composed(_MARKUP.sub("", _BLOCK_START.sub("\n", text)).strip())


def _without(patterns: Iterable[re.Pattern[str]], text: str) -> str:
    for pattern in patterns:
        text = pattern.sub("", text)
    return text
