"""Song records as names to compare: who, what, which version, which number, wherever it was written.

Records name one song in many ways: 'Artist - Title' and 'Artist:Title' in the title, the album beside the
title, guests on either side, 'Last, First', swapped columns, a track number before the title, another
alphabet. Everything that compares records compares the names that this module makes of them. No text
raises an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Container, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from rapidfuzz import fuzz

from songmood.names.credits import split_credit, without_guests
from songmood.names.normalize import (
    fold,
    is_edition,
    normalize_artist,
    normalize_title,
    numbered_parts,
    plain,
    signs,
    without_editions,
)
from songmood.names.numbers import sure_numbers, without_commas
from songmood.names.words import (
    ARTICLES,
    AT_THE_START,
    BEFORE_PLACES,
    LANGUAGE_OF_WORD,
    LOST,
    MEDIA_WORDS,
    NOT_AT_THE_END,
    VERSIONS,
)

# A number before a title. '014-', 'track 7' and 'a3 -' are the song's place on its album. '5. ' may be the
# number of a symphony, too.
_PLACE = re.compile(
    r"^(?:(?:track\s*\d{1,3}|0\d{1,3})\s*[-._):]+\s*(?=\w)|0[^\W_]{2}-+(?=\w)"
    r"|[a-d]\d{1,2}\s*[-.)]\s+(?=.*[^\W\d_]))"
)
_NUMBER = re.compile(r"^(\d{1,3})(?:\s*[.)]\s+|\s*-\s*)(?=.*[^\W\d_])")
_PLACE_AFTER_ARTIST = re.compile(r"(?:\s-+)?\s\d{1,3}(?:\.\s|\s-+\s)")  # 'Artist 1. Title'
_LOST_TITLE = re.compile(r"^0\d{1,3}\s*[-._):]\W*$")
# WASABI's 'Artist:Title'; 'Medley: A/B' and '3:16' are titles.
_TIGHT_COLON = re.compile(r"^([^:]{1,160}):(?=[^\s\d])")
_BETWEEN = re.compile(r"\s+([-/|~])\s+|\s*(-)--+\s*")
_LOOSE_SEPARATOR = re.compile(r"\s*[:;/]\s+|\s+by\s+")
_SEPARATOR = re.compile(r"\s+[-/|~]\s+|\s*---+\s*|\s*:\s+|(?<!\d):(?=[^\s\d])|\s+by\s+")
_BEFORE_ALBUM = re.compile(r"\s+[-/|~:]\s+|\s*---+\s*|\s*[:;]\s+|\s*[(\[{]")
# After a dash: 'club mix', 'live at the hall', 'take 2'; not 'live and let die', 'take me home'.
_VERSION_PHRASE = re.compile(
    rf"^(?:{'|'.join(BEFORE_PLACES)})(?:$| (?:at|in|from|on|version|session|recording|acoustic|\d))"
    rf"|^(?:{'|'.join(AT_THE_START)})\b|^take \d|^from |^interlude$"
    rf"|(?:^| )(?:{'|'.join(sorted(VERSIONS.keys() - NOT_AT_THE_END))})$"
)
# What an album's name says about all of its songs.
_ALBUM_VERSION = re.compile(
    rf"(?:^|.* )(?:{'|'.join(BEFORE_PLACES)}) (?:at|in|from|on)\b"
    r"|(?:^|.* )(?:live|unplugged|karaoke|instrumentals?|remixes|remixed|demos)(?: \d+)?$"
)
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_MOST_PARTS = 20  # of a title, where it is looked for an album or artist: more are not a title's
_LIKE_NAME = 85.0  # the least similarity of two spellings of a name within one record
_NAME_IN_ALBUM = 5  # the least letters of an artist's name that an album is named after
_YEAR = re.compile(r"\d{4}")
_YEAR_AFTER_ALBUM = re.compile(r"\s*[(\[](?:(?:19|20)\d{2}|unknown|null)[)\]]$")
_ARTICLE = re.compile(rf"^(?:{'|'.join(ARTICLES)}) (?=\S)")
_LAST_ARTICLE = re.compile(r"^(.+), (the|a|an)$")

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
    title    the title with its subtitles; without artist, album, guests, versions and editions
    core     the title without its subtitles, if it has any
    key      the title as one word, without a leading article
    version  the versions that are named, sorted ('live remix')
    detail   the other words about the version ('at the hall')
    numbers  the numbers of the title ('part ii' is 2), sorted
    cut      a number before the title that may be part of it ('5. sinfonie') or its place on the album
    sound    the key as it sounds
    words    the words of the title, sorted
    whole    the title's words, then its version's: equal wherever the version is written
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
    cut: str
    sound: str
    words: str
    whole: str
    bag: str


def parse_name(
    artist: str | None,
    title: str | None,
    nameless: Container[str] = (),
    albums: Collection[str] = (),
    track: float = math.nan,
) -> Name:
    """The names in a record's artist and title, by the rules of this module.

    `nameless` are artists that are not a name, as normalize_artist writes them ('unknown'). `albums`
    (names as album_name writes them) and the number `track` are left out of the title, where they stand
    before or after it.
    """
    credit = without_editions(fold(artist))
    who = normalize_artist(credit)
    if who in nameless:
        credit = who = ""
    people = {who}
    parts = _parts(credit)
    records = {album for album in albums if album}
    text = fold(title)
    if text.startswith(f"{credit} ") and _PLACE_AFTER_ARTIST.match(text, len(credit)):
        text = text[len(credit) :].lstrip(" -")
    text, cut = _without_place(text, track)
    text = without_commas(text)
    # the performer before a tight colon; the artist's field names the owner of the page
    while (prefix := _TIGHT_COLON.match(text)) and not _is_unspaced(text):
        performer = prefix[1].removeprefix(f"{credit} - ")
        who = normalize_artist(performer) or who
        people.add(who)
        parts |= _parts(performer)
        text = text[prefix.end() :]
    # without any artist's field, the title may have the artist before it; '[unknown]' says that it has not
    text = _without_album(text, records, people | parts, split=not fold(artist))
    text, guests = without_guests(without_editions(text))
    for guest in guests:
        people.add(normalize_artist(guest))
        parts |= _parts(guest)
    text, versions = _without_brackets(text, {who, *records})
    before, text, more_versions = _segments(text, people | parts, records, split=not who)
    if before and normalize_artist(before) not in nameless:
        who = normalize_artist(before)
        people.add(who)
        parts |= _parts(before)
    people.discard("")
    name = _name(who, people, parts, _without_artist(text, people | parts), [*versions, *more_versions])
    return name._replace(cut=cut) if name.key else name


def _name(who: str, people: set[str], parts: set[str], text: str, versions: list[str]) -> Name:
    text = _LAST_ARTICLE.sub(r"\2 \1", text)
    core = numbered_parts(plain(_BRACKETED.sub(" ", text)))
    title = numbered_parts(plain(text)) or signs(text)
    if title in LOST:
        core = title = ""
    words = plain(" ".join(versions)).split()
    named = sorted(word for word in [*title.split(), *words] if word in VERSIONS)
    detail = " ".join(word for word in words if word not in VERSIONS)
    key = squash(title)
    found = {VERSIONS[word] for word in words if word in VERSIONS}
    found |= {LANGUAGE_OF_WORD[word] for word in words if word in LANGUAGE_OF_WORD}
    return Name(
        artist=who,
        people="|".join(sorted(people)),
        credits="|".join(sorted(people | parts)),
        title=title,
        core=squash(core) if core != title else "",
        key=key,
        version=" ".join(sorted(found)),
        detail=detail,
        numbers=" ".join(sorted(sure_numbers(title) + sure_numbers(detail))),
        cut="",
        sound=sound(key),
        words=" ".join(sorted(title.split())),
        whole=" ".join([*(word for word in [*title.split(), *words] if word not in VERSIONS), *named]),
        bag=" ".join(sorted({*who.split(), *title.split(), *words} - {"the"})),
    )


def album_name(album: str | None) -> str:
    """An album's name in one spelling, without a year after it; empty if it is lost ('unknown')."""
    name = normalize_title(_YEAR_AFTER_ALBUM.sub("", fold(album)))
    return "" if name in LOST else name


def album_version(name: str) -> str:
    """The versions that the name of an album gives to all of its songs: 'live' for 'live at the old mill'."""
    if not _ALBUM_VERSION.match(name):
        return ""
    return " ".join(sorted({VERSIONS[word] for word in name.split() if word in VERSIONS}))


def possible_artists(title: str | None) -> list[str]:
    """The parts of a title that may be its artist, as normalize_artist writes them.

    'Who / What - Live' gives 'who', 'what' and 'live'; a title in one part gives none.
    """
    parts = _SEPARATOR.split(fold(title))
    return [name for part in parts if (name := normalize_artist(part))] if len(parts) > 1 else []


def possible_albums(title: str | None) -> list[tuple[str, str]]:
    """Pairs of what may be a title and its album after it, in one spelling; the longest album first."""
    text = _without_place(fold(title), math.nan)[0]
    return [(title, album) for before, album in _albums_after(text) if (title := normalize_title(before))]


def _albums_after(text: str) -> Iterator[tuple[str, str]]:
    """What stands before each dash, colon and bracket of folded text, and the album that may be after it."""
    text = _YEAR_AFTER_ALBUM.sub("", text)
    for match in islice(_BEFORE_ALBUM.finditer(text), _MOST_PARTS):
        album = album_name(text[match.end() :].rstrip(")]} "))
        if not all(word in VERSIONS for word in album.split()):
            yield text[: match.start()], album


def names_beside_album(artist: str | None, title: str | None) -> list[str]:
    """The names by which a song is known beside its album: its artist, its title, the parts of its title."""
    names = [
        normalize_artist(artist),
        normalize_title(_without_place(fold(title), math.nan)[0]),
        *possible_artists(title),
    ]
    return [name for name in names if name]


def squash(title: str) -> str:
    """A plain title as one word without a leading article: 'the girl is mine' is 'girlismine'."""
    return _ARTICLE.sub("", title).replace(" ", "")


@lru_cache(maxsize=50_000)
def sound(text: str) -> str:
    """A plain text roughly as it sounds: 'chaykovskiy' and 'tchaikovsky' become similar."""
    for pattern, letter in _SOUNDS:
        text = pattern.sub(letter, text)
    return text


def _is_unspaced(text: str) -> bool:
    """Several words that lost the spaces between them."""
    return len(text) > 30 and " " not in text[:30]


def _parts(text: str) -> set[str]:
    """The people whom a credit names, one by one."""
    return {name for part in split_credit(text) if len(name := normalize_artist(part)) > 2}


def _without_place(text: str, track: float) -> tuple[str, str]:
    """The text without the song's place on its album, and the number that was cut if it may be a name's."""
    if _LOST_TITLE.match(text):
        return "", ""
    if place := _PLACE.match(text):
        return text[place.end() :], ""
    if number := _NUMBER.match(text):
        is_place = int(number[1]) == track
        if is_place or "." in number[0] or ")" in number[0]:
            return text[number.end() :], "" if is_place else number[1].lstrip("0")
    return text, ""


def _without_album(text: str, records: set[str], credited: set[str], split: bool) -> str:
    """The text without what stands after a dash, colon or bracket and is most like one of the records.

    An album that is named after one of `credited` is one, too ('The Best of Ann Shore'). A title must be left
    before it, and not only one of `credited`; with `split`, an artist and a title.
    """
    found = (_LIKE_NAME, text)
    for before, album in _albums_after(text) if records or credited else ():
        if not plain(before) or (split and not _BETWEEN.search(before)) or _is_one_of(before, credited):
            continue
        likeness = max((fuzz.ratio(album, record) for record in records), default=0.0)
        if _is_named_after(plain(text[len(before) :]), credited):
            likeness = max(likeness, _LIKE_NAME + 1)  # less than the name of a record
        found = max(found, (likeness, before), key=_first)
    return found[1]


def _is_named_after(album: str, credited: set[str]) -> bool:
    """Whether a plain text has one of the names and other words, but no word for a version."""
    words = f" {album} "
    return VERSIONS.keys().isdisjoint(album.split()) and any(
        len(name) >= _NAME_IN_ALBUM and f" {name} " in words and len(name) < len(album) <= 3 * len(name)
        for name in credited
    )


def _first(pair: tuple[float, str]) -> float:
    return pair[0]


def _is_edition(text: str) -> bool:
    """An edition mark, also mistyped or in another language: '2009 Remsatered', 'remasterisé en 2016'."""
    return is_edition(text) or any(
        len(word) > 6 and fuzz.ratio(word, "remastered") >= 75 for word in plain(text).split()
    )


def _without_brackets(text: str, named: set[str]) -> tuple[str, list[str]]:
    """The text with only those of its brackets that hold a subtitle, and the versions that the others name.

    A subtitle is nothing that is `named` elsewhere, no edition and no year.
    """
    if not plain(_BRACKETED.sub(" ", text)):  # everything is in brackets: then that is the title
        return text, []
    versions = []

    def keep(match: re.Match[str]) -> str:
        phrase = plain(match[1])
        words = phrase.split()
        if not words or _is_edition(match[1]) or _YEAR.fullmatch(phrase):
            return " "
        kinds = {VERSIONS[word] for word in words if word in VERSIONS}
        if not MEDIA_WORDS.isdisjoint(words) and kinds <= {"version"} and "alternate" not in words:
            return " "
        if kinds or _is_language(words):
            versions.append(phrase)
            return " "
        return " " if _is_one_of(match[1], named) else match[0]

    return _BRACKETED.sub(keep, text), versions


def _is_language(words: list[str]) -> bool:
    """Words that say in which language a title is sung: 'french', 'en espanol'."""
    return words[-1] in LANGUAGE_OF_WORD and len(words) <= 2


def _segments(text: str, credited: set[str], records: set[str], split: bool) -> tuple[str, str, list[str]]:
    """'Artist - Title - Live at the Hall' in parts: a possible artist, the title, the versions.

    Parts that are one of `credited`, one of the records or an edition mark are left out, unless nothing
    else is there: a title may be its record's or its artist's. The possible artist is the part before the
    first dash, and empty without `split`.
    """
    kept: list[tuple[str, str]] = []
    versions = []
    for mark, part in _between(text):
        words = plain(part)
        if not (words or signs(part)) or (mark and _is_edition(part)):
            continue
        # 'Artist - From Here to There' has no title before the dash
        is_title = words.startswith("from ") and (
            sum(not _is_one_of(name, credited) for _, name in kept) <= split
        )
        if mark and kept and not is_title and _VERSION_PHRASE.search(words):
            versions.append(words)
        else:
            kept.append((mark, part))
    titles = [(mark, part) for mark, part in kept if not _is_one_of(part, credited)]
    without_record = [(mark, part) for mark, part in titles if not _is_one_of(part, records)]
    if len(without_record) > split:
        titles = without_record
    if split and len(titles) > 1 and kept[0] == titles[0] and titles[1][0] == "-":
        return titles[0][1], " / ".join(part for _, part in titles[1:]), versions
    return "", " / ".join(part for _, part in titles or kept[:1]), versions


def _between(text: str) -> list[tuple[str, str]]:
    """The parts of a text between spaced dashes, slashes and the like, each with the sign before it."""
    parts, mark, start = [], "", 0
    for match in _BETWEEN.finditer(text):
        parts.append((mark, text[start : match.start()]))
        mark, start = match[1] or match[2], match.end()
    return [*parts, (mark, text[start:])]


def _is_one_of(text: str, names: set[str]) -> bool:
    name = normalize_artist(text)
    return any(fuzz.ratio(name, each) >= _LIKE_NAME for each in names if each)


def _without_artist(text: str, credited: set[str]) -> str:
    """The text without its artist before ': ' or after ' by '."""
    for match in islice(_LOOSE_SEPARATOR.finditer(text), _MOST_PARTS):
        before, after = text[: match.start()], text[match.end() :]
        if plain(before) and plain(after):
            if _is_one_of(before, credited):
                return after
            if _is_one_of(after, credited):
                return before
    return text
