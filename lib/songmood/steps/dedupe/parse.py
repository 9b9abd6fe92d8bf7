"""Song records as names to compare: who, what, which version, which number, wherever it was written.

Records name one song in many ways: 'Artist - Title' and 'Artist:Title' in the title, guests on either
side, 'Last, First', columns swapped, a track number before the title, another alphabet. Whatever
compares records compares what this module makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import ArrayType, StringType, StructField, StructType
from rapidfuzz import fuzz

from songmood.names.normalize import (
    fold,
    is_edition,
    normalize_artist,
    normalize_title,
    normalized_artist,
    plain,
    without_editions,
    without_guests,
)
from songmood.settings import DedupeSettings

# Words that name another version, with the word they stand for. They count in brackets and after a
# dash; elsewhere they are part of the title ('Live and Let Die').
VERSION_WORDS = {
    **dict.fromkeys(("live", "unplugged", "concert", "vivo", "bootleg", "session", "sessions"), "live"),
    **dict.fromkeys(("remix", "remixed", "rmx", "mix", "dub", "mashup", "rework", "megamix"), "remix"),
    **dict.fromkeys(("acoustic", "acustico", "acustica", "acoustique", "akustik", "stripped"), "acoustic"),
    **dict.fromkeys(("demo", "rehearsal", "outtake", "take"), "demo"),
    **dict.fromkeys(("instrumental", "instrumentale"), "instrumental"),
    **dict.fromkeys(("karaoke", "playback"), "karaoke"),
    **dict.fromkeys(("cover", "tribute"), "cover"),
    **dict.fromkeys(("acapella", "cappella", "accapella"), "acapella"),
    **dict.fromkeys(("alternate", "alternative", "version", "versione", "edit"), "version"),
    **{word: word for word in ("reprise", "extended", "medley", "interlude", "club")},
}

_TRACK_NUMBER = re.compile(
    r"^(?:track\s*)?(?:0\d{1,2}\s*[-._):]\s*(?=\w)|(?:\d{1,2}\s*[.)]\s+|[a-d]\d{1,2}\s*[-.)]\s+)(?=.*[^\W\d_]))"
)
# WASABI's 'Artist:Title'; 'Medley: A/B' and '3:16' are titles.
_TIGHT_COLON = re.compile(r"^([^:]{1,80}):(?=[^\s\d])")
_BETWEEN = re.compile(r"\s+([-/|~])\s+")
_LOOSE_SEPARATOR = re.compile(r"\s*[:;/]\s+|\s+by\s+")
# After a dash: 'club mix', 'live at the hall', 'take 2'; not 'live and let die', 'take me home'.
_AT_THE_END = sorted({*VERSION_WORDS} - {"take", "club", "interlude", "concert"})
_VERSION_PHRASE = re.compile(
    r"^(?:live|unplugged|bootleg)(?:$| (?:at|in|from|on|version|session|recording|acoustic|\d))"
    r"|^(?:acoustic|demo|instrumental|karaoke|remix|reprise|extended|alternate|alternative|acapella)\b"
    rf"|^take \d|^from |^interlude$|(?:^| )(?:{'|'.join(_AT_THE_END)})$"
)
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_CREDIT = re.compile(
    r"\s*(?:[,;/&+]|\s-\s|\s(?:and|n|vs|versus|with|x|feat|featuring|ft|et|y|und|e|con|mit|avec|presents|pres)\.?\s)\s*"
)
_NOT_THE_SONG = re.compile(r"\b(?:lyrics?|official|video|videoclip|audio|hd|hq)\b")
_NUMBER = re.compile(r"(?<!\w)(\d+)(?:st|nd|rd|th)?(?!\w)")
_NUMERAL = re.compile(r"(?<!\w)(i{1,3}|iv|vi{0,3}|ix|xi{0,3})(?!\w)")
_COUNTED = re.compile(r"\b(?:part|pt|no|nr|vol|volume|chapter|act|book|number) (\w+)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTS = {word: n for words in (_NUMERALS, _NUMBER_WORDS) for n, word in enumerate(words, 1)}
_ARTICLE = re.compile(r"^(?:the|a|an|la|le|les|el|los|las|il|lo|gli|der|die|das|l|o|os|as) (?=\S)")

# Spellings of one sound: what transliterations and ears confuse, applied in this order.
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

    artist   who it is by: who stands before a tight colon, else the artist's field, else who stands
             before a dash
    people   everyone named, '|' between: the artist, who stands before the title, guests
    credits  the same and their parts ('simon', 'garfunkel')
    title    what it is called, with subtitles; without artist, guests, versions and editions
    core     the title without its subtitles, where it has any
    key      the title as one word, without a leading article
    version  which version, as sorted words of VERSION_WORDS ('live remix')
    detail   what else is said of the version ('at the hall')
    numbers  the numbers of the title ('part ii' is 2), sorted
    sound    the key as it sounds
    whole    the words of title, version and detail, sorted: equal wherever the version stands
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
    """What a record's artist and title say, by the rules of this module.

    `nameless` are artists that are no name, as normalize_artist writes them ('unknown'). Where the title
    has the album beside it ('Title (Album)', 'Artist - Album - Title'), that is left out.
    """
    by = without_editions(fold(artist))
    who = normalize_artist(by)
    if who in nameless:
        by = who = ""
    people = {who}
    parts = _parts(by)
    text = _THOUSANDS.sub("", _TRACK_NUMBER.sub("", fold(title)))
    while prefix := _TIGHT_COLON.match(text):  # the performer; the field names whose page it is
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
    text = _without_artist(text, people | parts)
    core = plain(text)
    full = plain(" ".join([text, *subtitles]))
    told = plain(" ".join([*versions, *more_versions])).split()
    detail = " ".join(word for word in told if word not in VERSION_WORDS)
    key = squash(full)
    return Name(
        artist=who,
        people="|".join(sorted(people)),
        credits="|".join(sorted(people | parts)),
        title=full,
        core=squash(core) if subtitles and core else "",
        key=key,
        version=" ".join(sorted({VERSION_WORDS[word] for word in told if word in VERSION_WORDS})),
        detail=detail,
        numbers=" ".join(sorted(_numbers(full) | _numbers(detail))),
        sound=sound(key),
        whole=" ".join(sorted([*full.split(), *told])),
        bag=" ".join(sorted({*who.split(), *full.split(), *told} - {"the"})),
    )


def possible_artists(title: str | None) -> list[str]:
    """The parts of a title that may be its artist, as normalize_artist writes them.

    'Who / What - Live' gives 'who', 'what' and 'live'; a title in one part gives none.
    """
    text = fold(title)
    parts = re.split(r"\s+[-/|~]\s+|\s*:\s+|(?<!\d):(?=[^\s\d])|\s+by\s+", text)
    return [name for part in parts if (name := normalize_artist(part))] if len(parts) > 1 else []


def squash(title: str) -> str:
    """A plain title as one word without a leading article: 'the girl is mine' is 'girlismine'."""
    return _ARTICLE.sub("", title).replace(" ", "")


@lru_cache(maxsize=50_000)
def sound(text: str) -> str:
    """A plain text as it sounds, roughly: 'chaykovskiy' and 'tchaikovsky' come near each other."""
    for pattern, letter in _SOUNDS:
        text = pattern.sub(letter, text)
    return text


def _parts(text: str) -> set[str]:
    """Those whom a credit names, one by one."""
    return {name for part in _CREDIT.split(text) if len(name := normalize_artist(part)) > 2}


def _is_edition(text: str) -> bool:
    """An edition mark, also mistyped or in another language: '2009 Remsatered', 'remasterisé en 2016'."""
    return is_edition(text) or any(
        len(word) > 6 and fuzz.ratio(word, "remastered") >= 75 for word in plain(text).split()
    )


def _is_version(words: str) -> bool:
    return any(word in VERSION_WORDS for word in words.split())


def _without_brackets(text: str, told: set[str]) -> tuple[str, list[str], list[str]]:
    """The text outside brackets; within, what is not `told` elsewhere: subtitles and names of versions."""
    outside = _BRACKETED.sub(" ", text)
    if not plain(outside):  # all in brackets: then that is the title
        return text, [], []
    subtitles, versions = [], []
    for match in _BRACKETED.finditer(text):
        words = plain(match[1])
        if not words or _is_edition(match[1]) or _NOT_THE_SONG.search(words) or re.fullmatch(r"\d{4}", words):
            continue
        if _is_version(words):
            versions.append(words)
        elif normalize_artist(match[1]) not in told:
            subtitles.append(words)
    return outside, subtitles, versions


def _segments(text: str, credited: set[str], record: str, split: bool) -> tuple[str, str, list[str]]:
    """'Artist - Title - Live at the Hall' in parts: what may be an artist, the title, names of versions.

    Parts that are one of `credited`, the record or an edition mark are left out, unless nothing else is
    there: a title may be its record's or its artist's. The first is empty unless `split` is asked for and
    the title has a part before a dash.
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
    others = [(mark, part) for mark, part in kept if not _is_one_of(part, credited)]
    elsewhere = [(mark, part) for mark, part in others if not _is_one_of(part, {record})]
    if len(elsewhere) > split:
        others = elsewhere
    if split and len(others) > 1 and kept[0] == others[0] and others[1][0] == "-":
        return others[0][1], " / ".join(part for _, part in others[1:]), versions
    return "", " / ".join(part for _, part in others or kept[:1]), versions


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


def _numbers(words: str) -> set[str]:
    found = {number.lstrip("0") or "0" for number in _NUMBER.findall(words)}
    found |= {str(_COUNTS[numeral]) for numeral in _NUMERAL.findall(words) if len(numeral) > 1}
    return found | {str(_COUNTS[word]) for word in _COUNTED.findall(words) if word in _COUNTS}


# -- tables -----------------------------------------------------------------------------------------


def name_songs(songs: DataFrame, settings: DedupeSettings) -> DataFrame:
    """Songs as names to compare: song_id, the fields of Name, and what else compare.py looks at.

    A song without an artist whose title has another song's artist before or after a dash, slash or colon
    gets that one. `common_title` says whether several artists have a title of that name; `album` is ''
    where more than `dedupe.max_album_songs` songs are on one ('Other Songs' is no album). Texts are never
    null.
    """
    nameless = frozenset(normalize_artist(name) for name in settings.nameless_artists)
    texts = ("album", "language", "isrc", "musicbrainz_id", "spotify_id", "lastfm_id")
    rows = songs.select(
        "song_id", "artist", "title", "duration_s", F.col("year").cast("double").alias("year"),
        *(F.coalesce(name, F.lit("")).alias(name) for name in texts),
    )  # fmt: skip
    named = [StructField(name, StringType()) for name in Name._fields]
    others = [field for field in rows.schema.fields if field.name not in ("artist", "title")]
    told = rows.join(_artists_in_titles(rows, nameless), "song_id", "left")
    rows = told.withColumn("artist", F.coalesce("found", "artist")).mapInPandas(
        partial(_parse_batches, nameless=nameless), StructType([*named, *others])
    )
    of_title, artist = Window.partitionBy("key"), F.nullif("artist", F.lit(""))
    several = F.min(artist).over(of_title) < F.max(artist).over(of_title)
    # songs without an album are not all of one
    of_album = Window.partitionBy("album", F.when(F.col("album") == "", F.col("song_id")))
    is_album = F.count("*").over(of_album) <= settings.max_album_songs
    album = F.when(is_album, F.col("album")).otherwise("")
    return rows.withColumns({"common_title": F.coalesce(several, F.lit(False)), "album": album})


def _artists_in_titles(songs: DataFrame, nameless: frozenset[str]) -> DataFrame:
    """song_id and the artist `found` in the title, of songs that name none and where there is one."""
    names = songs.select("artist").distinct().withColumn("known", normalized_artist(F.col("artist")))
    is_name = (F.col("known") != "") & ~F.col("known").isin(*nameless)
    unnamed = names.where(~is_name).select(F.col("artist").alias("no_name"))
    titles = songs.join(unnamed, F.col("artist").eqNullSafe(F.col("no_name"))).select("song_id", "title")

    def parts(titles: pd.Series) -> pd.Series:
        return titles.map(possible_artists)

    split: Column = pandas_udf(parts, ArrayType(StringType()))(F.col("title"))  # type: ignore[call-overload]
    possible = titles.select("song_id", F.posexplode(split).alias("place", "known"))
    known = names.where(is_name).select("known").distinct()
    return possible.join(known, "known").groupBy("song_id").agg(F.min_by("known", "place").alias("found"))


def _parse_batches(batches: Iterator[pd.DataFrame], nameless: frozenset[str]) -> Iterator[pd.DataFrame]:
    for rows in batches:
        names = [
            parse_name(artist, title, nameless, album)
            for artist, title, album in zip(rows["artist"], rows["title"], rows["album"], strict=True)
        ]
        parsed = pd.DataFrame(names, columns=Name._fields, index=rows.index)
        albums = [
            normalize_title(album).removeprefix(f"{name.artist} ") if name.artist else normalize_title(album)
            for album, name in zip(rows["album"], names, strict=True)
        ]
        yield pd.concat([parsed, rows.drop(columns=["artist", "title"]).assign(album=albums)], axis=1)
