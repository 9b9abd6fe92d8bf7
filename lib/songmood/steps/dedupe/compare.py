"""How similar two records are: one level for each comparison.

A comparison looks at one aspect of a pair (names, albums, years, lengths, languages, ids) and gives one
of a few levels. The weight of each level is learned from the corpus (weights.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rapidfuzz import fuzz, process

from songmood.names.normalize import normalize_title
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.parse import Name, sound, squash
from songmood.tables import OTHER_IDS

_NUMBERS = re.compile(r"\d+")

# The levels of each comparison, from the weakest evidence for a duplicate to the strongest. 'unknown' (a
# record says nothing) is no evidence either way.
LEVELS: dict[str, tuple[str, ...]] = {
    "name": (
        "title, other artist",  # the same title, and the artists differ
        "like title, no artist",  # titles nearly the same; an artist is missing
        "common title, no artist",  # a title that several artists have, or that says nothing ('Intro')
        "like title and artist",  # titles similar (0.75) or one has a subtitle; artists agree
        "other title, same track",  # artists, album, track number and length agree, and the titles do not
        "no title, same track",  # a title is missing; artists, album and track number agree
        "no names, same track",  # artist and title are missing; track number, length and year agree
        "short title, no artist",
        "long title, no artist",
        "near title and artist",  # titles nearly the same (0.88), artists similar
        "same words",  # the same words in artist and title, in any field and order
        "near title, shared artist",
        "same title, like artist",
        "same title, shared artist",  # one record also names the artist of the other
        "same title and artist",
    ),
    "album": (
        "unknown",
        *("differs", "same, other track", "same", "same, same track"),
        # of similar titles: tracks of one album often have them
        *("same, other track, like title", "differs, like title", "same, like title"),
        "same, same track, like title",
    ),
    "year": ("unknown", "differs", "near", "same", "differs, same album", "same, same album"),
    "length": ("unknown", "differs", "near", "nearly same", "same"),  # within 10 s, 2 s and 1 s
    "language": ("unknown", "differs", "same"),
    "ids": ("unknown", "differ", "one agrees", "two agree"),
}
# Fellegi and Sunter's model takes comparisons as independent, given whether a pair matches. Where they are
# not, a comparison has levels of its own for each case of the other, and its shares add up to 1 in each case:
# of titles that are only similar, those of one album are mostly its other tracks, and the year of an album
# says nothing once the album is the same.
CASES: dict[str, tuple[tuple[int, ...], ...]] = {
    "album": ((1, 2, 3, 4), (5, 6, 7, 8)),
    "year": ((1, 2, 3), (4, 5)),
}
# The levels at which a comparison says 'the same'.
SAME = {"album": (2, 3, 4, 5, 7, 8), "year": (3, 5), "length": (3, 4), "language": (2,)}
SAME_NAME = LEVELS["name"].index("same title and artist")
APART = -1  # the level of names that cannot be one song's
_AT = LEVELS["name"].index
_SIMILAR = tuple(map(_AT, ("like title, no artist", "like title and artist", "near title and artist",
                           "near title, shared artist", "same words")))  # fmt: skip
_BY_TRACK = tuple(map(_AT, ("other title, same track", "no title, same track", "no names, same track")))
# The least similarities: of titles (two), of the words of artist and title, of artists, of what stands beside
# a title and an album or artist, and of one artist among many credits, whose name has a least number of
# letters.
_NEAR, _ALIKE, _SAME_WORDS = 0.88, 0.75, 0.93
_LIKE_ARTIST, _EXPLAINED = 0.8, 0.8
_LIKE_PERSON, _WHOLE_NAME = 0.88, 8
_LIKE_REST = 0.6  # of the words that two artists do not share

Side = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # the values of a field in both records of each pair
Sides = dict[str, Side]
Places = npt.NDArray[np.int64]
TEXT_FIELDS = (*(field for field in Name._fields if field != "title"), "album", "album_version")
NUMBER_FIELDS = ("track_number", "duration_s", "year")
NAME_FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
FIELDS = (*NAME_FIELDS, "common_title", "language", *OTHER_IDS)


def sides_of(rows: pd.DataFrame, fields: Iterable[str], a: Places, b: Places) -> Sides:
    """The fields of pairs of rows, given by the places of their two rows."""
    columns = {field: rows[field].to_numpy() for field in fields}
    return {field: (values[a], values[b]) for field, values in columns.items()}


def compare_pairs(pairs: DataFrame, named: DataFrame, settings: DedupeSettings) -> DataFrame:
    """Pairs of records of `named` (song_id_a, song_id_b, more columns), with the level of each comparison."""
    sides = [
        named.select(*(F.col(name).alias(f"{name}_{side}") for name in ("song_id", *FIELDS))) for side in "ab"
    ]
    both = pairs.join(sides[0], "song_id_a").join(sides[1], "song_id_b")
    columns = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in pairs.schema)
    levels = ", ".join(f"{name} byte" for name in LEVELS)
    kept = tuple(pairs.columns)
    return both.mapInPandas(partial(_compare_batches, kept=kept, settings=settings), f"{columns}, {levels}")


def _compare_batches(
    batches: Iterator[pd.DataFrame], kept: tuple[str, ...], settings: DedupeSettings
) -> Iterator[pd.DataFrame]:
    for rows in in_large_batches(batches):
        sides = {name: (rows[f"{name}_a"].to_numpy(), rows[f"{name}_b"].to_numpy()) for name in FIELDS}
        yield pd.concat([rows[[*kept]], compare_sides(sides, settings)], axis=1)


def in_large_batches(batches: Iterator[pd.DataFrame], rows: int = 10_000) -> Iterator[pd.DataFrame]:
    """The same rows in batches of at least that number, because pandas takes as long for few as for many."""
    waiting: list[pd.DataFrame] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= rows:
            yield pd.concat(waiting, ignore_index=True)
            waiting = []
    if waiting:
        yield pd.concat(waiting, ignore_index=True)


def compare_sides(sides: Sides, settings: DedupeSettings) -> pd.DataFrame:
    """The level of each comparison, for pairs given by their FIELDS.

    Text is '' and numbers are NaN where a record says nothing. Pairs whose names are APART (other titles,
    versions or numbers; with unit `recording` other lengths, too) have that as the level of their name.
    """
    seconds, years = _gaps(sides["duration_s"]), _gaps(sides["year"])
    extended = _extended_titles(sides)
    places = _places(sides, extended)
    names = _name_levels(sides, extended, places, settings)
    if settings.unit == "recording":
        names = np.where(seconds > settings.max_length_gap_s, APART, names)
    return pd.DataFrame(
        {
            "name": names,
            "album": _album_levels(places, names),
            "year": _year_levels(years, places),
            "length": _gap_levels(seconds, near=10, same=2) + (seconds < 1),
            "language": _text_levels(*sides["language"]),
            "ids": _id_levels(sides),
        },
        dtype="int8",
    )


def _gaps(numbers: Side) -> npt.NDArray[np.float64]:
    left, right = (side.astype(float) for side in numbers)
    gaps: npt.NDArray[np.float64] = np.abs(left - right)
    return gaps


def _gap_levels(gaps: npt.NDArray[Any], near: float, same: float) -> npt.NDArray[Any]:
    return np.select([np.isnan(gaps), gaps <= same, gaps <= near], [0, 3, 2], 1)


def _text_levels(left: npt.NDArray[Any], right: npt.NDArray[Any], alike: Any = False) -> npt.NDArray[Any]:
    return np.select([(left == "") | (right == ""), (left == right) | alike], [0, 2], 1)


class Whereabouts(NamedTuple):
    """What is known of the places of two records: whether the album and the track number are the same."""

    album: npt.NDArray[Any]  # 0 unknown, 1 differs, 2 same
    track: npt.NDArray[Any]
    length: npt.NDArray[Any]


def _places(sides: Sides, extended: Extended) -> Whereabouts:
    albums = _text_levels(*sides["album"], alike=_ratios(*sides["album"]) >= _NEAR)
    albums = np.where(extended.by_album, 2, albums)
    tracks = _gap_levels(_gaps(sides["track_number"]), near=-1, same=0)
    lengths = _gap_levels(_gaps(sides["duration_s"]), near=-1, same=2)
    return Whereabouts(albums, np.minimum(tracks, 2), np.minimum(lengths, 2))


# The level of the album by whether the titles are only similar, the album, and the track number.
_ALBUM_LEVELS = np.array(
    [
        [[LEVELS["album"].index(text if text == "unknown" else text + case) for text in texts] for texts in (
            ("unknown",) * 3, ("differs",) * 3, ("same", "same, other track", "same, same track")
        )]
        for case in ("", ", like title")
    ]
)  # fmt: skip


def _album_levels(places: Whereabouts, names: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The level of the album; what the level of the name is made of counts no second time."""
    levels = _ALBUM_LEVELS[np.isin(names, _SIMILAR).astype(int), places.album, places.track]
    return np.where(np.isin(names, _BY_TRACK), 0, levels)


def _year_levels(years: npt.NDArray[Any], places: Whereabouts) -> npt.NDArray[Any]:
    levels = _gap_levels(years, near=2, same=0)
    return np.where((places.album == 2) & (levels > 0), np.where(levels == 3, 5, 4), levels)


def _id_levels(sides: Sides) -> npt.NDArray[Any]:
    given = np.array([(sides[name][0] != "") & (sides[name][1] != "") for name in OTHER_IDS])
    agree = (given & np.array([sides[name][0] == sides[name][1] for name in OTHER_IDS])).sum(axis=0)
    return np.select([~given.any(axis=0), agree >= 2, agree == 1], [0, 3, 2], 1)


def _name_levels(
    sides: Sides, extended: Extended, places: Whereabouts, settings: DedupeSettings
) -> npt.NDArray[Any]:
    same_title = _same_titles(sides) | (extended.ratio == 1)
    titles = np.maximum.reduce([_ratios(*sides["key"]), _ratios(*sides["sound"]), extended.ratio])
    titles = np.where(same_title, 1.0, titles)
    reordered = _reordered(sides) & ~((places.album == 2) & (places.length == 2))
    near, alike = titles >= _NEAR, (titles >= _ALIKE) | _subtitles(sides)
    near, alike = near & ~reordered, alike & ~reordered
    artists = _artist_agreement(sides)
    unknown, like, shared, same = (artists == degree for degree in (1, 2, 3, 4))
    one_unknown = (sides["artist"][0] == "") ^ (sides["artist"][1] == "")
    bags = _ratios(*sides["bag"])
    mixed = ~(same | like | unknown) | (unknown & one_unknown)
    lost = (sides["key"][0] == "") | (sides["key"][1] == "")
    same_words = ((mixed & (bags >= _SAME_WORDS)) | (unknown & (bags == 1) & ~same_title)) & ~lost
    generic = [squash(normalize_title(title)) for title in settings.generic_titles]
    is_generic = np.isin(_without_digits(sides["key"][0]), generic)
    common = is_generic | np.logical_and(*(side.astype(bool) for side in sides["common_title"]))
    lengths = np.minimum(*map(_lengths, sides["key"]))
    long = lengths >= settings.long_title
    one_track = _one_track(places) & ((artists > 1) | ((artists == 1) & (places.album == 2)))
    ways = {
        "same title and artist": same_title & same,
        "same title, shared artist": same_title & shared,
        "same title, like artist": same_title & like,
        "near title, shared artist": near & (same | shared),
        "same words": same_words,
        "near title and artist": near & like,
        "long title, no artist": same_title & unknown & ~common & long,
        "short title, no artist": same_title & unknown & ~common,
        "common title, no artist": same_title & unknown,
        "like title and artist": alike & (same | shared | like),
        "like title, no artist": near & unknown & (lengths >= settings.short_title),
        "title, other artist": same_title,
    }
    levels = np.select(list(ways.values()), [_AT(way) for way in ways], APART)
    levels = np.where(is_generic, np.minimum(levels, _AT("common title, no artist")), levels)
    levels = np.where(_differ(sides, extended), APART, levels)
    apart = (levels == APART) & one_track
    other = apart & (places.album == 2) & (places.length == 2)
    levels = np.where(other, _AT("other title, same track"), levels)
    levels = np.where(apart & _says_little(sides), _AT("no title, same track"), levels)
    return np.where(_nameless_track(sides, places), _AT("no names, same track"), levels)


def _nameless_track(sides: Sides, places: Whereabouts) -> npt.NDArray[Any]:
    """One record has no name at all, and all numbers agree."""
    (artist_a, artist_b), (title_a, title_b) = sides["artist"], sides["key"]
    nameless = ((artist_a == "") & (title_a == "")) | ((artist_b == "") & (title_b == ""))
    numbers = (places.track == 2) & (places.length == 2) & (_gaps(sides["year"]) == 0)
    return np.asarray(nameless & numbers & (places.album != 1))


def _one_track(places: Whereabouts) -> npt.NDArray[Any]:
    """One track by its number and its album or, where an album is missing, its length."""
    album, track, length = places
    return np.asarray((track == 2) & (length != 1) & ((album == 2) | ((album == 0) & (length == 2))))


def _says_little(sides: Sides) -> npt.NDArray[Any]:
    """One of the titles is missing or cut, or another field is in its place: the album, the track number."""
    rows = zip(*sides["key"], *sides["album"], *sides["track_number"], strict=True)
    return np.array(
        [
            not a
            or not b
            or a.startswith(b)
            or b.startswith(a)
            or _is_field(a, album_b, track_b)
            or _is_field(b, album_a, track_a)
            for a, b, album_a, album_b, track_a, track_b in rows
        ],
        dtype=bool,
    )


def _is_field(key: str, album: str, track: float) -> bool:
    if key.isdecimal():
        return float(key) == track
    return _explains(album, key)


def _without_digits(keys: npt.NDArray[Any]) -> list[str]:
    """'track01' says as little as 'track'."""
    return [key.rstrip("0123456789") or key for key in keys]


class Extended(NamedTuple):
    """Titles with more in them than the title: a name that another field of either record holds.

    ratio    the similarity of the titles without it; 0 where a title is not extended so
    by_album whether it is an album
    numbers  whether the titles without it have the same numbers
    """

    ratio: npt.NDArray[Any]
    by_album: npt.NDArray[Any]
    numbers: npt.NDArray[Any]


def _extended_titles(sides: Sides) -> Extended:
    """One key is the other with an album or artist before or after it, written without spaces."""
    (keys_a, keys_b), (albums_a, albums_b), (artists_a, artists_b) = (
        sides[name] for name in ("key", "album", "artist")
    )
    lengths_a, lengths_b = _lengths(keys_a), _lengths(keys_b)
    more = np.abs(lengths_a - lengths_b)
    names = np.array([_lengths(names) for names in (albums_a, albums_b, artists_a, artists_b)])
    # a name that explains what is more has nearly as many letters; spaces are between them
    may = ((more > 1) & (names > 1) & (names >= 0.6 * more) & (names <= 2 * more)).any(axis=0)
    places = np.flatnonzero(may & (np.minimum(lengths_a, lengths_b) > 1))
    is_longer = lengths_a[places] > lengths_b[places]
    long = np.where(is_longer, keys_a[places], keys_b[places])
    short = np.where(is_longer, keys_b[places], keys_a[places])
    extended = Extended(np.zeros(len(more)), *np.zeros((2, len(more)), dtype=bool))
    for is_before in (True, False):  # a title before the name is the likelier reading
        if is_before:
            titles = [key[: len(title)] for key, title in zip(long, short, strict=True)]
        else:
            titles = [key[len(key) - len(title) :] for key, title in zip(long, short, strict=True)]
        ratios = _ratios(titles, short, least=_NEAR)
        for found in np.flatnonzero(ratios):
            i, title = places[found], titles[found]
            rest = long[found].removeprefix(title) if is_before else long[found].removesuffix(title)
            is_album = [_explains(name, rest) for name in (albums_a[i], albums_b[i])]
            if extended.ratio[i] or not (
                any(is_album) or any(_explains(name, rest) for name in (artists_a[i], artists_b[i]))
            ):
                continue
            extended.ratio[i], extended.by_album[i] = ratios[found], any(is_album)
            extended.numbers[i] = _NUMBERS.findall(title) == _NUMBERS.findall(short[found])
    return extended


def _explains(name: str, rest: str) -> bool:
    """What a title has more than another is this name, written without spaces."""
    return bool(name) and fuzz.ratio(name.replace(" ", ""), rest) >= 100 * _EXPLAINED


def _lengths(texts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(len, texts), np.int64, len(texts))


def may_be_one_song(sides: Sides, near: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whether the NAME_FIELDS of two records can be one song's. Pairs that cannot are APART.

    This is a quick test, because it excludes nineteen of twenty candidate pairs. Two songs of one title by
    different artists can only be one by their ids; such pairs count where `near`, because the weights of
    all other pairs are learned from them.
    """
    extended = _extended_titles(sides)
    may = ~_differ(sides, extended)
    left = _only(sides, may)
    same = _same_titles(left) | (_ratios(*left["bag"], least=_SAME_WORDS) > 0)
    alike = ~same & (
        _subtitles(left)
        | (_ratios(*left["key"], least=_ALIKE) > 0)
        | (_ratios(*left["sound"], least=_ALIKE) > 0)
        | (extended.ratio[may] > 0)
    )
    alike[alike] = _artist_agreement(_only(left, alike)) > 0
    far = same & ~near[may]
    same[far] = _artist_agreement(_only(left, far)) > 0
    may[may] = same | alike
    places = _places(sides, extended)
    one_track = ~may & _one_track(places)
    one_track[one_track] = _artist_agreement(_only(sides, one_track)) > 0
    return np.asarray(may | one_track | _nameless_track(sides, places))


def _only(sides: Sides, which: npt.NDArray[Any]) -> Sides:
    return {field: (a[which], b[which]) for field, (a, b) in sides.items()}


def _same_titles(sides: Sides) -> npt.NDArray[Any]:
    same = (sides["key"][0] == sides["key"][1]) | (sides["whole"][0] == sides["whole"][1])
    return np.asarray(same & (sides["key"][0] != "") & (sides["key"][1] != ""))


def _reordered(sides: Sides) -> npt.NDArray[Any]:
    """The titles have the same words in another order: 'Is This Love' and 'This Is Love' are two songs."""
    return np.asarray((sides["words"][0] == sides["words"][1]) & (sides["key"][0] != sides["key"][1]))


def _subtitles(sides: Sides) -> npt.NDArray[Any]:
    """One title has a subtitle, and the titles are the same without it."""
    (core_a, core_b), (key_a, key_b) = sides["core"], sides["key"]
    return np.asarray(((core_a != "") & (core_a == key_b)) | ((core_b != "") & (core_b == key_a)))


def _differ(sides: Sides, extended: Extended) -> npt.NDArray[Any]:
    """The records are of two songs: their versions, numbers, remixes or subtitles differ."""
    version_a, version_b = sides["version"]
    detail_a, detail_b = sides["detail"]
    same_words = (sides["whole"][0] == sides["whole"][1]) | (sides["bag"][0] == sides["bag"][1])
    numbers_differ = (sides["numbers"][0] != sides["numbers"][1]) & ~extended.numbers
    cut_a, cut_b = sides["cut"]
    numbers_differ |= (cut_a != "") & (cut_b != "") & (cut_a != cut_b)
    both_named = (version_a != "") & (version_b != "")
    details_differ = both_named & (_ratios(detail_a, detail_b) < _ALIKE)
    versions_differ = ((version_a != version_b) & ~_same_by_album(sides)) | details_differ
    versions_differ &= ~same_words
    core_a, core_b = sides["core"]
    subtitles_differ = (core_a != "") & (core_a == core_b) & (_ratios(*sides["key"]) < _NEAR)
    albums_differ = _album_versions_differ(sides)
    differ = versions_differ | numbers_differ | subtitles_differ | albums_differ
    return np.asarray(differ & (sides["key"][0] != "") & (sides["key"][1] != ""))  # a lost title says nothing


def _same_by_album(sides: Sides) -> npt.NDArray[Any]:
    """The version that one title names is that of the other's album: 'River (Live)' and 'River' on 'Live'."""
    (version_a, version_b), (album_a, album_b) = sides["version"], sides["album_version"]
    return np.asarray(
        ((version_a == "") & (album_a == version_b)) | ((version_b == "") & (album_b == version_a))
    )


def _album_versions_differ(sides: Sides) -> npt.NDArray[Any]:
    """The album of one record makes it another version, and the length is not the same."""
    unlike = (sides["album_version"][0] != sides["album_version"][1]) & (sides["version"][0] == "")
    both = unlike & (sides["version"][1] == "") & (sides["album"][0] != "") & (sides["album"][1] != "")
    gaps = _gaps(sides["duration_s"])
    return np.asarray(both & ~(gaps <= 2) & (_ratios(*sides["album"]) < _NEAR))


def _artist_agreement(sides: Sides) -> npt.NDArray[Any]:
    """4: the same; 3: one is among the other's credits; 2: similar; 1: one is missing; 0: different."""
    artist_a, artist_b = sides["artist"]
    unknown = (artist_a == "") | (artist_b == "")
    same = (artist_a == artist_b) & ~unknown
    joined_a, joined_b = ([name.replace(" ", "") for name in artists] for artists in sides["artist"])
    similarities = np.maximum.reduce(
        [
            _ratios(artist_a, artist_b, scorer=fuzz.token_sort_ratio),
            _ratios(joined_a, joined_b),
            _ratios([*map(sound, joined_a)], [*map(sound, joined_b)]),
        ]
    )
    for i in np.flatnonzero((similarities >= _LIKE_ARTIST) & ~same):
        similarities[i] = min(similarities[i], _without_shared_words(artist_a[i], artist_b[i]))
    shared = np.array(
        [_share(*names) for names in zip(*sides["people"], *sides["credits"], strict=True)], dtype=bool
    )
    in_album = _in_album(joined_a, sides, 1) | _in_album(joined_b, sides, 0)
    degrees = np.select([same, shared | in_album, unknown, similarities >= _LIKE_ARTIST], [4, 3, 1, 2], 0)
    for i in np.flatnonzero(degrees == 0):
        if _share_nearly(*(side[i] for name in ("people", "credits") for side in sides[name])):
            degrees[i] = 2
    return degrees


def _without_shared_words(artist_a: str, artist_b: str) -> float:
    """The similarity of the words that two artists do not share, 'ann' and 'bo' of 'ann and the shores' and
    'bo and the shores'; 1 where one of them has no such words, or where they are nearly the same.
    """
    words_a, words_b = artist_a.split(), artist_b.split()
    rest_a = "".join(word for word in words_a if word not in words_b)
    rest_b = "".join(word for word in words_b if word not in words_a)
    if not rest_a or not rest_b or len(rest_a) + len(rest_b) == len(artist_a + artist_b):
        return 1.0
    likeness = max(fuzz.ratio(rest_a, rest_b), fuzz.ratio(sound(rest_a), sound(rest_b)))
    return 1.0 if likeness >= 100 * _LIKE_REST else likeness / 100


def _share(people_a: str, people_b: str, credits_a: str, credits_b: str) -> bool:
    """A whole name of one record is in the other, alone or among others."""
    if not people_a or not people_b:
        return False
    a, b = people_a.split("|"), people_b.split("|")
    if not ({*a}.isdisjoint(credits_b.split("|")) and {*b}.isdisjoint(credits_a.split("|"))):
        return True
    # names that contain an 'and': 'kool and the gang' in 'kool and the gang and others'
    all_a, all_b = (f" {people.replace('|', ' | ')} " for people in (people_a, people_b))
    return any(f" {name} " in all_b for name in a if " " in name) or any(
        f" {name} " in all_a for name in b if " " in name
    )


def _share_nearly(people_a: str, people_b: str, credits_a: str, credits_b: str) -> bool:
    """One record names several artists, and one of them sounds like a whole name of the other record."""
    if people_a == credits_a and people_b == credits_b:
        return False
    all_a, all_b = sound(people_a), sound(people_b)
    least = 100 * _LIKE_PERSON
    return any(
        len(name) >= _WHOLE_NAME and fuzz.partial_ratio(name, text, score_cutoff=least) > 0
        for people, text in ((all_a, all_b), (all_b, all_a))
        for name in people.split("|")
    )


def _in_album(names: list[str], sides: Sides, side: int) -> npt.NDArray[Any]:
    """The record on this side has no artist, and its album has the other's name ('The Best of ...')."""
    albums, artists = sides["album"][side], sides["artist"][side]
    return np.array(
        [
            len(name) > 4 and artist == "" and name in album.replace(" ", "")
            for name, artist, album in zip(names, artists, albums, strict=True)
        ],
        dtype=bool,
    )


def _ratios(left: Any, right: Any, scorer: Any = fuzz.ratio, least: float = 0) -> npt.NDArray[Any]:
    """The similarity of each pair of texts, 0 to 1; 1 for two empty texts; 0 where it is below `least`."""
    ratios: npt.NDArray[Any] = process.cpdist(
        list(left), list(right), scorer=scorer, score_cutoff=100 * least, dtype=np.float32
    )
    return ratios / 100
