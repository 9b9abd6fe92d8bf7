"""How similar two records are: one level for each comparison.

A comparison looks at one aspect of a pair (names, albums, years, lengths, languages, ids) and gives one
of a few levels. The weight of each level is learned from the corpus (weights.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rapidfuzz import fuzz

from songmood.names.normalize import normalize_title
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.artists import artist_agreement
from songmood.steps.dedupe.parse import squash
from songmood.steps.dedupe.sides import FIELDS, Sides, gaps_of, lengths_of, only, ratios_of
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
# The least similarities: of titles (two), of the words of artist and title, and of what stands beside a title
# and an album or artist.
_NEAR, _ALIKE, _SAME_WORDS, _EXPLAINED = 0.88, 0.75, 0.93, 0.8


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
    seconds, years = gaps_of(sides["duration_s"]), gaps_of(sides["year"])
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
    albums = _text_levels(*sides["album"], alike=ratios_of(*sides["album"]) >= _NEAR)
    albums = np.where(extended.by_album, 2, albums)
    tracks = _gap_levels(gaps_of(sides["track_number"]), near=-1, same=0)
    lengths = _gap_levels(gaps_of(sides["duration_s"]), near=-1, same=2)
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
    titles = np.maximum.reduce([ratios_of(*sides["key"]), ratios_of(*sides["sound"]), extended.ratio])
    titles = np.where(same_title, 1.0, titles)
    reordered = _reordered(sides) & ~((places.album == 2) & (places.length == 2))
    near, alike = titles >= _NEAR, (titles >= _ALIKE) | _subtitles(sides)
    near, alike = near & ~reordered, alike & ~reordered
    artists = artist_agreement(sides)
    unknown, like, shared, same = (artists == degree for degree in (1, 2, 3, 4))
    one_unknown = (sides["artist"][0] == "") ^ (sides["artist"][1] == "")
    bags = ratios_of(*sides["bag"])
    mixed = ~(same | like | unknown) | (unknown & one_unknown)
    lost = (sides["key"][0] == "") | (sides["key"][1] == "")
    same_words = ((mixed & (bags >= _SAME_WORDS)) | (unknown & (bags == 1) & ~same_title)) & ~lost
    generic = [squash(normalize_title(title)) for title in settings.generic_titles]
    is_generic = np.isin(_without_digits(sides["key"][0]), generic)
    common = is_generic | np.logical_and(*(side.astype(bool) for side in sides["common_title"]))
    lengths = np.minimum(*map(lengths_of, sides["key"]))
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
    numbers = (places.track == 2) & (places.length == 2) & (gaps_of(sides["year"]) == 0)
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
    lengths_a, lengths_b = lengths_of(keys_a), lengths_of(keys_b)
    more = np.abs(lengths_a - lengths_b)
    names = np.array([lengths_of(names) for names in (albums_a, albums_b, artists_a, artists_b)])
    # a name that explains what is more has nearly as many letters; spaces are between them
    may = ((more > 1) & (names > 1) & (names >= 0.6 * more) & (names <= 2 * more)).any(axis=0)
    places = np.flatnonzero(may & (np.minimum(lengths_a, lengths_b) > 1))
    is_longer = lengths_a[places] > lengths_b[places]
    long = np.where(is_longer, keys_a[places], keys_b[places])
    short = np.where(is_longer, keys_b[places], keys_a[places])
    extended = Extended(np.zeros(len(more)), *np.zeros((2, len(more)), dtype=bool))
    for is_before in (True, False):  # a title before the name is the likelier reading
        titles = [
            key[: len(title)] if is_before else key[len(key) - len(title) :]
            for key, title in zip(long, short, strict=True)
        ]
        ratios = ratios_of(titles, short, least=_NEAR)
        for found in np.flatnonzero(ratios):
            i, title = places[found], titles[found]
            if extended.ratio[i]:
                continue
            rest = long[found].removeprefix(title) if is_before else long[found].removesuffix(title)
            by_album = _explains(albums_a[i], rest) or _explains(albums_b[i], rest)
            if by_album or _explains(artists_a[i], rest) or _explains(artists_b[i], rest):
                extended.ratio[i], extended.by_album[i] = ratios[found], by_album
                extended.numbers[i] = _NUMBERS.findall(title) == _NUMBERS.findall(short[found])
    return extended


def _explains(name: str, rest: str) -> bool:
    """What a title has more than another is this name, written without spaces."""
    return bool(name) and fuzz.ratio(name.replace(" ", ""), rest) >= 100 * _EXPLAINED


def may_be_one_song(sides: Sides, near: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whether the NAME_FIELDS of two records can be one song's. Pairs that cannot are APART.

    This is a quick test, because it excludes nineteen of twenty candidate pairs. Two songs of one title by
    different artists can only be one by their ids; such pairs count where `near`, because the weights of
    all other pairs are learned from them.
    """
    same = _same_titles(sides) | (ratios_of(*sides["bag"], least=_SAME_WORDS) > 0)
    extended = _extended_titles(sides)
    may = (
        same
        | _subtitles(sides)
        | (ratios_of(*sides["key"], least=_ALIKE) > 0)
        | (ratios_of(*sides["sound"], least=_ALIKE) > 0)
        | (extended.ratio > 0)
    )
    may[may] = ~_differ(only(sides, may), Extended(*(values[may] for values in extended)))
    places = _places(sides, extended)
    if_artists_agree = np.where(may, ~same | ~near, _one_track(places))
    may[if_artists_agree] = artist_agreement(only(sides, if_artists_agree)) > 0
    return np.asarray(may | _nameless_track(sides, places))


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
    details_differ = both_named & (ratios_of(detail_a, detail_b) < _ALIKE)
    versions_differ = ((version_a != version_b) & ~_same_by_album(sides)) | details_differ
    versions_differ &= ~same_words
    core_a, core_b = sides["core"]
    subtitles_differ = (core_a != "") & (core_a == core_b) & (ratios_of(*sides["key"]) < _NEAR)
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
    gaps = gaps_of(sides["duration_s"])
    return np.asarray(both & ~(gaps <= 2) & (ratios_of(*sides["album"]) < _NEAR))
