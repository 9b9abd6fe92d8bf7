"""Texts that are found under the name of a song and are not its lyrics.

Such a text is a calendar of releases, an essay, a whole album, or a note that there are no lyrics yet.
"""

from __future__ import annotations

import re
from collections import Counter

from songmood.lyrics.cleaning import Stages, clean_in_stages
from songmood.lyrics.notices import note_in_place_of

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_LIST_ITEM = re.compile(
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
_FIRST_SECTION = re.compile(r"^\s*[\[(]?\s*(?:verse (?:1|one|i)|intro)\b", re.I | re.M)
_TRACK = re.compile(r"^\s*(?:track\s*)?#?(\d{1,2})[.):]\s*[^\W\d]", re.I | re.M)

# The longest of 1,000 songs' lyrics that people had checked has 1,049 words, and of 452 old songs 1,126.
# The longest rap lyrics have over 2,000, and an album has about 3,000.
MOST_WORDS, FEWEST_WORDS = 2_800, 4
# A list has at least this many lines, and at least this share of them are items.
LIST_LINES, LIST_SHARE = 6, 0.5
# A text with this many first sections, or this many numbered tracks, is several songs.
FIRST_SECTIONS, TRACKS = 6, 4
# Prose has at least this many words, and this share of them in lines of 40 words or more: sung lines have
# about six words. It has 0.02 to 0.07 sentences for each word: lyrics on one line have no sentences, or
# far shorter ones.
PROSE_WORDS, LONG_LINE, LONG_LINE_SHARE = 60, 40, 0.6
FEWEST_SENTENCES, MOST_SENTENCES = 0.02, 0.07


def find_fault(text: str | None) -> str | None:
    """The reason why a text is not the lyrics of one song, in a word or two; None for lyrics.

    The reasons are instrumental, empty, none yet (a note that there are no lyrics), too short, too long,
    list (of releases or tracks), several songs, and essay.
    """
    return find_fault_of(clean_in_stages(text)) if isinstance(text, str) else "empty"


def find_fault_of(stages: Stages) -> str | None:
    """`find_fault` of a text that is cleaned already."""
    lyrics = stages.lyrics
    if note := note_in_place_of(*stages):
        return note
    if lyrics is None:
        return "empty"
    words = len(lyrics.split())
    lines = [line for line in lyrics.split("\n") if line]
    if words < FEWEST_WORDS:
        return "too short"
    if _is_list(lines):
        return "list"
    if len(_FIRST_SECTION.findall(stages.text)) >= FIRST_SECTIONS or _counts_tracks(stages.text):
        return "several songs"
    if words > MOST_WORDS:
        return "too long"
    return "essay" if _is_prose(lyrics, lines, words) else None


def _is_list(lines: list[str]) -> bool:
    """Whether a text has several lines and at least half of them are items of a list."""
    if len(lines) < LIST_LINES:
        return False
    return sum(bool(_LIST_ITEM.search(line)) for line in lines) >= LIST_SHARE * len(lines)


def _counts_tracks(text: str) -> bool:
    """Whether lines number several tracks from 1, each once."""
    numbers = Counter(int(number) for number in _TRACK.findall(text))
    return len(numbers) >= TRACKS and all(numbers[n] == 1 for n in range(1, len(numbers) + 1))


def _is_prose(text: str, lines: list[str], words: int) -> bool:
    """Whether a text is mostly long lines, with sentences of the usual length."""
    lengths = [len(line.split()) for line in lines]
    in_long_lines = sum(length for length in lengths if length >= LONG_LINE)
    sentences = len(_SENTENCE_END.findall(text)) / words
    return (
        words >= PROSE_WORDS
        and in_long_lines >= LONG_LINE_SHARE * words
        and FEWEST_SENTENCES <= sentences <= MOST_SENTENCES
    )
