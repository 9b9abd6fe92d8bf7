"""Song records as names to compare: who, what, which version, which number, wherever it was written.

Records name one song in many ways: 'Artist - Title' and 'Artist:Title' in the title, guests on either
side, 'Last, First', swapped columns, a track number before the title, another alphabet. Everything that
compares records compares the names that this module makes of them. No text raises an error.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz

from songmood.names.credits import split_credit, without_guests
from songmood.names.normalize import fold, is_edition, normalize_artist, plain, without_editions
from songmood.names.numbers import sure_numbers, without_commas
from songmood.names.words import (
    ARTICLES,
    AT_THE_START,
    BEFORE_PLACES,
    MEDIA_WORDS,
    NOT_AT_THE_END,
    VERSIONS,
)

_TRACK_NUMBER = re.compile(
    r"^(?:track\s*)?(?:0\d{1,2}\s*[-._):]\s*(?=\w)|(?:\d{1,2}\s*[.)]\s+|[a-d]\d{1,2}\s*[-.)]\s+)(?=.*[^\W\d_]))"
)
# WASABI's 'Artist:Title'; 'Medley: A/B' and '3:16' are titles.
_TIGHT_COLON = re.compile(r"^([^:]{1,80}):(?=[^\s\d])")
_BETWEEN = re.compile(r"\s+([-/|~])\s+")
_LOOSE_SEPARATOR = re.compile(r"\s*[:;/]\s+|\s+by\s+")
_ARTIST_SEPARATOR = re.compile(r"\s+[-/|~]\s+|\s*:\s+|(?<!\d):(?=[^\s\d])|\s+by\s+")
# After a dash: 'club mix', 'live at the hall', 'take 2'; not 'live and let die', 'take me home'.
_VERSION_PHRASE = re.compile(
    rf"^(?:{'|'.join(BEFORE_PLACES)})(?:$| (?:at|in|from|on|version|session|recording|acoustic|\d))"
    rf"|^(?:{'|'.join(AT_THE_START)})\b|^take \d|^from |^interlude$"
    rf"|(?:^| )(?:{'|'.join(sorted(VERSIONS.keys() - NOT_AT_THE_END))})$"
)
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_YEAR = re.compile(r"\d{4}")
_ARTICLE = re.compile(rf"^(?:{'|'.join(ARTICLES)}) (?=\S)")

# Spellings of one sound, which transliterations and listeners confuse; applied in this order.
_SOUNDS = [
    (re.compile(pattern), letter)
    for pattern, letter in (
        *(("tch|cz", "ch"), ("sch|sz", "sh"), ("dzh|dj|zh|j", "z"), ("kh|gh", "h"), ("ph", "f"), ("th", "t")),
        *(("ck", "k"), ("c(?=[eiy])", "s"), ("c(?!h)", "k"), ("q", "k"), ("w", "v"), ("x", "ks"), ("y", "i")),
        *(("(?<![cs])h", ""), (r"(.)\1+", r"\1")),
    )
]


class Name(NamedTuple):
    """A song record as names, all plain lower-case text; empty where the record says nothing.

    artist   who it is by: the name before a tight colon, else the artist's field, else the name before a
             dash
    people   all who are named, with '|' between: the artist, the name before the title, guests
    credits  the same and their parts ('simon', 'garfunkel')
    title    the title with its subtitles; without artist, guests, versions and editions
    core     the title without its subtitles, if it has any
    key      the title as one word, without a leading article
    version  the versions that are named, sorted ('live remix')
    detail   the other words about the version ('at the hall')
    numbers  the numbers of the title ('part ii' is 2), sorted
    sound    the key as it sounds
    whole    the words of title, version and detail, sorted: equal wherever the version is written
    bag      the words of artist and title, sorted: equal however the fields were mixed
    """

    artist: str
    people: str
    credits: str
    title: str
    core: str
    key: str
    version: str
    detail: str
    numbers: str
    sound: str
    whole: str
    bag: str


def parse_name(
    artist: str | None, title: str | None, nameless: Container[str] = (), album: str | None = None
) -> Name:
    """The names in a record's artist and title, by the rules of this module.

    `nameless` are artists that are not a name, as normalize_artist writes them ('unknown'). If the title
    has the album beside it ('Title (Album)', 'Artist - Album - Title'), the album is left out.
    """
    credit = without_editions(fold(artist))
    who = normalize_artist(credit)
    if who in nameless:
        credit = who = ""
    people = {who}
    parts = _parts(credit)
    text = without_commas(_TRACK_NUMBER.sub("", fold(title)))
    while prefix := _TIGHT_COLON.match(text):  # the performer; the field names the owner of the page
        who = normalize_artist(prefix[1]) or who
        people.add(who)
        parts |= _parts(prefix[1])
        text = text[prefix.end() :]
    text, guests = without_guests(without_editions(text))
    for guest in guests:
        people.add(normalize_artist(guest))
        parts |= _parts(guest)
    record = normalize_artist(album)
    text, subtitles, versions = _without_brackets(text, {who, record})
    before, text, more_versions = _segments(text, people | parts, record, split=not who)
    if before:
        who = normalize_artist(before)
        people.add(who)
        parts |= _parts(before)
    people.discard("")
    title_words = _without_artist(text, people | parts)
    return _name(who, people, parts, title_words, subtitles, [*versions, *more_versions])


def _name(
    who: str, people: set[str], parts: set[str], text: str, subtitles: list[str], versions: list[str]
) -> Name:
    core = plain(text)
    title = plain(" ".join([text, *subtitles]))
    version_words = plain(" ".join(versions)).split()
    detail = " ".join(word for word in version_words if word not in VERSIONS)
    key = squash(title)
    return Name(
        artist=who,
        people="|".join(sorted(people)),
        credits="|".join(sorted(people | parts)),
        title=title,
        core=squash(core) if subtitles and core else "",
        key=key,
        version=" ".join(sorted({VERSIONS[word] for word in version_words if word in VERSIONS})),
        detail=detail,
        numbers=" ".join(sorted(sure_numbers(title) | sure_numbers(detail))),
        sound=sound(key),
        whole=" ".join(sorted([*title.split(), *version_words])),
        bag=" ".join(sorted({*who.split(), *title.split(), *version_words} - {"the"})),
    )


def possible_artists(title: str | None) -> list[str]:
    """The parts of a title that may be its artist, as normalize_artist writes them.

    'Who / What - Live' gives 'who', 'what' and 'live'; a title in one part gives none.
    """
    parts = _ARTIST_SEPARATOR.split(fold(title))
    return [name for part in parts if (name := normalize_artist(part))] if len(parts) > 1 else []


def squash(title: str) -> str:
    """A plain title as one word without a leading article: 'the girl is mine' is 'girlismine'."""
    return _ARTICLE.sub("", title).replace(" ", "")


@lru_cache(maxsize=50_000)
def sound(text: str) -> str:
    """A plain text roughly as it sounds: 'chaykovskiy' and 'tchaikovsky' become similar."""
    for pattern, letter in _SOUNDS:
        text = pattern.sub(letter, text)
    return text


def _parts(text: str) -> set[str]:
    """The people whom a credit names, one by one."""
    return {name for part in split_credit(text) if len(name := normalize_artist(part)) > 2}


def _is_edition(text: str) -> bool:
    """An edition mark, also mistyped or in another language: '2009 Remsatered', 'remasterisé en 2016'."""
    return is_edition(text) or any(
        len(word) > 6 and fuzz.ratio(word, "remastered") >= 75 for word in plain(text).split()
    )


def _without_brackets(text: str, named: set[str]) -> tuple[str, list[str], list[str]]:
    """The text outside brackets, and the subtitles and versions within, but for those `named` elsewhere."""
    outside = _BRACKETED.sub(" ", text)
    if not plain(outside):  # everything is in brackets: then that is the title
        return text, [], []
    subtitles, versions = [], []
    for match in _BRACKETED.finditer(text):
        phrase = plain(match[1])
        words = phrase.split()
        if not words or _is_edition(match[1]) or _YEAR.fullmatch(phrase):
            continue
        if not MEDIA_WORDS.isdisjoint(words):
            continue
        if not VERSIONS.keys().isdisjoint(words):
            versions.append(phrase)
        elif normalize_artist(match[1]) not in named:
            subtitles.append(phrase)
    return outside, subtitles, versions


def _segments(text: str, credited: set[str], record: str, split: bool) -> tuple[str, str, list[str]]:
    """'Artist - Title - Live at the Hall' in parts: a possible artist, the title, the versions.

    Parts that are one of `credited`, the record or an edition mark are left out, unless nothing else is
    there: a title may be its record's or its artist's. The possible artist is the part before the first
    dash, and empty without `split`.
    """
    pieces = _BETWEEN.split(text)
    parts = list(zip(["", *pieces[1::2]], pieces[::2], strict=True))
    kept: list[tuple[str, str]] = []
    versions = []
    for place, (mark, part) in enumerate(parts):
        words = plain(part)
        if not words or (place and _is_edition(part)):
            continue
        if place and kept and _VERSION_PHRASE.search(words):
            versions.append(words)
        else:
            kept.append((mark, part))
    titles = [(mark, part) for mark, part in kept if not _is_one_of(part, credited)]
    without_record = [(mark, part) for mark, part in titles if not _is_one_of(part, {record})]
    if len(without_record) > split:
        titles = without_record
    if split and len(titles) > 1 and kept[0] == titles[0] and titles[1][0] == "-":
        return titles[0][1], " / ".join(part for _, part in titles[1:]), versions
    return "", " / ".join(part for _, part in titles or kept[:1]), versions


def _is_one_of(text: str, people: set[str]) -> bool:
    name = normalize_artist(text)
    return any(fuzz.ratio(name, person) >= 85 for person in people if person)


def _without_artist(text: str, credited: set[str]) -> str:
    """The text without its artist before ': ' or after ' by '."""
    for match in _LOOSE_SEPARATOR.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        if plain(before) and plain(after):
            if _is_one_of(before, credited):
                return after
            if _is_one_of(after, credited):
                return before
    return text
