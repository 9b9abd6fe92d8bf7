"""Lyrics as they are sung: what pages and files put around them goes, and what is no lyric is told.

A text under a song's name may be no lyric of it at all: a calendar of releases, an essay, a whole
album, a note that there are none yet. `find_fault` says so; what it says is for people and statuses.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter

_BREAK = re.compile(r"<\s*(?:br|/p|/div)\b[^<>]*>\n?", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_TIMES = re.compile(r"[\[<]\d{1,3}:\d{2}(?:[.:]\d{1,3})?[\]>][ \t]*")  # of LRC files: [01:02.03]
_LRC_HEAD = re.compile(
    r"^\[(?:ar|ti|al|au|by|length|offset|re|ve|la|id|lr|#):[^\[\]\n]*\][ \t]*$", re.M | re.I
)
_SECTIONS = (
    r"verse|chorus|hook|bridge|refrain|intro|outro|interlude|instrumental|(?:\w+ )?solo|break|breakdown|drop"
    r"|part|skit|coda|strophe|couplet|pont|estribillo|coro|refrão|verso|puente|ponte|strofa|ritornello|zwrotka"
    r"|vers|beat (?:switch|break|drop)|produced by|prod\.?(?: by)?|spoken(?: word)?|sample|ad[ -]?libs?|build"
    r"|guitar|piano|drums?|all|both|x ?\d+|\d+ ?x|repeat"
)
_SECTION = re.compile(
    rf"^[ \t]*[\[{{](?:(?:pre|post)[ -]?)?(?:{_SECTIONS})(?!\w)[^\[\]{{}}\n]*[\]}}][ \t]*$", re.I | re.M
)
# What pages of Genius add: a head, a tail, and between lines advertisements without a space after them.
_GENIUS = (
    re.compile(
        r"\A\d+ Contributors?[^\n]*? Lyrics(?:(?:(?!\n\n).){0,3000}?(?:…|\.\.\.) ?Read More\s*)?", re.DOTALL
    ),
    re.compile(r"\A[^\n\[\]]{1,150} Lyrics(?=\s*\[)"),
    re.compile(r"(?:(?<=\S)|(?<=\n))\d{0,7}(?:\.\d)?[KM]?Embed\Z"),
    re.compile(r"^You might also like(?=[^\s\W]|\[|$)", re.MULTILINE),
    re.compile(r"See [^\n]{1,80} LiveGet tickets as low as \$\d+(?:You might also like)?"),
)

INSTRUMENTAL = "instrumental"
_INSTRUMENTAL = re.compile(
    r"\W*(?:this (?:song|track|piece) is (?:an? |purely )?)?\(?instrumental"
    r"(?: track| song| piece| version)?\W*",
    re.I,
)
_NONE_YET = re.compile(
    r"lyrics (?:for this song )?(?:have yet to be|will be|are yet to be|to be) (?:released|transcribed|added)"
    r"|check back once the song|not (?:licen[sc]ed|authori[sz]ed) to display|removed (?:at|by) the request"
    r"|lyrics (?:are )?(?:not|un)\s?available|lyrics coming soon|lyrics not found"
    r"|(?:do not|don't) have (?:the|these) lyrics|^\W*(?:no|add(?: the)?) lyrics\W*$",
    re.I,
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_LISTED = re.compile(
    r"^\W*(?:"
    r"\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?\b"  # 1/12: a date
    rf"|(?:{_MONTHS})[a-z]{{0,6}}\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?! \w+ing)"  # January 12
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS})[a-z]{{0,6}}\b"
    r"|(?:19|20)\d\d\W*(?:$|[-–—:])"  # 1999:
    r"|\d{1,3}[.)]\s*\S|\d{1,3}\s+[-–—]\s|track \d+\b"  # 1. Title
    r")"
    r"|(?-i:^\W*[A-Z0-9][^\n]{0,80}?\s[–—-]\s+[“\"'‘(*]*[A-Z0-9])"  # Artist - Title
    r"|[(\s]\d{1,2}:\d{2}\)?$"  # Title 3:21
    r"|^[“\"].+[”\"] (?:by|ft|feat)\b",
    re.I,
)
_SENTENCE_END = re.compile(r"[a-z0-9)\]\"”’'][.;](?:\[\d+\])?(?=\s|$)")
_FIRST_PART = re.compile(r"^\s*[\[(]?\s*(?:verse (?:1|one|i)|intro)\b", re.I | re.M)
_TRACK = re.compile(r"^\s*(?:track\s*)?#?(\d{1,2})[.):]\s*[^\W\d]", re.I | re.M)

# Of 1,000 songs' lyrics that people had checked the longest has 1,049 words, of 452 old songs 1,126; the
# longest of rap have over 2,000. An album has some 3,000.
MOST_WORDS, FEWEST_WORDS = 2_800, 4
LIST_LINES, LIST_SHARE = 6, 0.5
PROSE_WORDS, LONG_LINE = 60, 40  # words; sung lines have about six


def clean_lyrics(text: str | None) -> str | None:
    """The sung words of a lyric, one line a line; None where nothing is left.

    HTML entities and tags go (`<br>` ends a line), and so do times and heads of LRC files, whole-line
    section headers such as [Verse 1], and what pages of Genius put around lyrics. Characters are in NFKC,
    lines without space at their ends, no more than one empty line between two others.
    """
    return _sung(_without_page(_without_markup(text))) if isinstance(text, str) else None


def find_fault(text: str | None) -> str | None:
    """Why a text is no lyric of one song, in a word or two; None for lyrics.

    instrumental, empty, none yet (a note that there are no lyrics), too short, too long, list (of releases
    or tracks), several songs, essay.
    """
    return read_lyrics(text)[1]


def read_lyrics(text: str | None) -> tuple[str | None, str | None]:
    """What clean_lyrics and find_fault say of a text, which is cleaned once."""
    if not isinstance(text, str):
        return None, "empty"
    raw = _without_markup(text)
    body = _without_page(raw)
    cleaned = _sung(body)
    return cleaned, _fault(raw, body, cleaned)


def _fault(raw: str, body: str, cleaned: str | None) -> str | None:
    if _INSTRUMENTAL.fullmatch(body.strip()):
        return INSTRUMENTAL
    if cleaned is None:
        return "empty"
    words = cleaned.split()
    lines = [line for line in cleaned.split("\n") if line]
    if len(words) < 60 and _NONE_YET.search(cleaned):
        return "none yet"
    if len(words) < FEWEST_WORDS:
        return "too short"
    listed = sum(bool(_LISTED.search(line)) for line in lines)
    if len(lines) >= LIST_LINES and listed >= LIST_SHARE * len(lines):
        return "list"
    if len(_FIRST_PART.findall(raw)) >= 6 or _counts_tracks(raw):
        return "several songs"
    if len(words) > MOST_WORDS:
        return "too long"
    return "essay" if _is_prose(cleaned, lines, len(words)) else None


def _without_markup(text: str) -> str:
    text = html.unescape(text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("´", "'")  # don´t; NFKC would make a blank and an accent of it
    return unicodedata.normalize("NFKC", _MARKUP.sub("", _BREAK.sub("\n", text))).strip()


def _without_page(text: str) -> str:
    for addition in _GENIUS:
        text = addition.sub("", text)
    return text


def _sung(text: str) -> str | None:
    text = _TIMES.sub("", _LRC_HEAD.sub("", text))
    lines = "\n".join(line.strip() for line in _SECTION.sub("", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip() or None


def _counts_tracks(text: str) -> bool:
    """Lines that number four tracks or more, each once, with text between them."""
    numbers = Counter(int(number) for number in _TRACK.findall(text))
    return len(numbers) >= 4 and all(numbers[n] == 1 for n in range(1, len(numbers) + 1))


def _is_prose(text: str, lines: list[str], words: int) -> bool:
    """Long lines of sentences of some length; a lyric written as one line has none or far shorter ones."""
    in_long = sum(len(line.split()) for line in lines if len(line.split()) >= LONG_LINE)
    sentences = len(_SENTENCE_END.findall(text)) / words
    return words >= PROSE_WORDS and in_long >= 0.6 * words and 0.02 <= sentences <= 0.07
