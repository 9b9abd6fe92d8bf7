"""How similar two records are: one level for each comparison.

A comparison looks at one aspect of a pair (names, albums, years, lengths, languages, ids) and gives one
of a few levels. The weight of each level is learned from the corpus (weights.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rapidfuzz import fuzz, process

from songmood.names.normalize import normalize_title
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.parse import Name, sound, squash

IDS = ("isrc", "musicbrainz_id", "spotify_id", "lastfm_id")

# The levels of each comparison, from the weakest evidence for a duplicate to the strongest. 'unknown' (a
# record says nothing) is no evidence either way.
LEVELS: dict[str, tuple[str, ...]] = {
    "name": (
        "title, other artist",  # the same title, and the artists differ
        "like title, no artist",  # titles nearly the same; an artist is missing
        "common title, no artist",  # a title that several artists have, or that says nothing ('Intro')
        "like title and artist",  # titles similar (0.75) or one has a subtitle; artists agree
        "short title, no artist",
        "long title, no artist",
        "near title and artist",  # titles nearly the same (0.88), artists similar
        "same words",  # the same words in artist and title, in any field and order
        "near title, shared artist",
        "same title, like artist",
        "same title, shared artist",  # one record also names the artist of the other
        "same title and artist",
    ),
    "album": ("unknown", "differs", "same"),
    "year": ("unknown", "differs", "near", "same"),
    "length": ("unknown", "differs", "near", "same"),
    "language": ("unknown", "differs", "same"),
    "ids": ("unknown", "differ", "one agrees", "two agree"),
}
SAME_NAME = LEVELS["name"].index("same title and artist")
APART = -1  # the level of names that cannot be one song's
# The least similarities: of titles (two), of the words of artist and title, of artists, and of one artist
# among many credits, whose name has a least number of letters.
_NEAR, _ALIKE, _SAME_WORDS = 0.88, 0.75, 0.93
_LIKE_ARTIST, _LIKE_PERSON, _WHOLE_NAME = 0.8, 0.88, 8

Side = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # the values of a field in both records of each pair
Sides = dict[str, Side]
Places = npt.NDArray[np.int64]
NAME_FIELDS = (*(field for field in Name._fields if field != "title"), "album")
FIELDS = (*NAME_FIELDS, "common_title", "year", "duration_s", "language", *IDS)


def sides_of(rows: pd.DataFrame, fields: Iterable[str], a: Places, b: Places) -> Sides:
    """The fields of pairs of rows, given by the places of their two rows."""
    columns = {field: rows[field].to_numpy() for field in fields}
    return {field: (values[a], values[b]) for field, values in columns.items()}


def compare_sides(sides: Sides, settings: DedupeSettings) -> pd.DataFrame:
    """The level of each comparison, for pairs given by their FIELDS.

    Text is '' and numbers are NaN where a record says nothing. Pairs whose names are APART (other titles,
    versions or numbers; with unit `recording` other lengths, too) have that as the level of their name.
    """
    seconds, years = _gaps(sides["duration_s"]), _gaps(sides["year"])
    names = _name_levels(sides, settings)
    if settings.unit == "recording":
        names = np.where(seconds > settings.max_length_gap_s, APART, names)
    return pd.DataFrame(
        {
            "name": names,
            "album": _album_levels(*sides["album"]),
            "year": _gap_levels(years, near=2, same=0),
            "length": _gap_levels(seconds, near=10, same=2),
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


def _album_levels(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return _text_levels(left, right, alike=_ratios(left, right) >= _NEAR)


def _id_levels(sides: Sides) -> npt.NDArray[Any]:
    given = np.array([(sides[name][0] != "") & (sides[name][1] != "") for name in IDS])
    agree = (given & np.array([sides[name][0] == sides[name][1] for name in IDS])).sum(axis=0)
    return np.select([~given.any(axis=0), agree >= 2, agree == 1], [0, 3, 2], 1)


def _name_levels(sides: Sides, settings: DedupeSettings) -> npt.NDArray[Any]:
    same_title = _same_titles(sides)
    titles = np.maximum(_ratios(*sides["key"]), _ratios(*sides["sound"]))
    titles = np.where(same_title, 1.0, titles)
    near, alike = titles >= _NEAR, (titles >= _ALIKE) | _subtitles(sides)
    artists = _artist_agreement(sides)
    unknown, like, shared, same = (artists == degree for degree in (1, 2, 3, 4))
    one_unknown = (sides["artist"][0] == "") ^ (sides["artist"][1] == "")
    bags = _ratios(*sides["bag"])
    mixed = ~(same | like | unknown) | (unknown & one_unknown)
    same_words = (mixed & (bags >= _SAME_WORDS)) | (unknown & (bags == 1) & ~same_title)
    generic = [squash(normalize_title(title)) for title in settings.generic_titles]
    is_generic = np.isin(sides["key"][0], generic)
    common = is_generic | np.logical_and(*(side.astype(bool) for side in sides["common_title"]))
    lengths = np.minimum(*(np.char.str_len(key.astype(str)) for key in sides["key"]))
    long = lengths >= settings.long_title
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
    at = LEVELS["name"].index
    levels = np.select(list(ways.values()), [at(way) for way in ways], APART)
    levels = np.where(is_generic, np.minimum(levels, at("common title, no artist")), levels)
    return np.where(_differ(sides), APART, levels)


def may_be_one_song(sides: Sides, near: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whether the NAME_FIELDS of two records can be one song's. Pairs that cannot are APART.

    This is a quick test, because it excludes nineteen of twenty candidate pairs. Two songs of one title by
    different artists can only be one by their ids; such pairs count where `near`, because the weights of
    all other pairs are learned from them.
    """
    may = ~_differ(sides)
    left = _only(sides, may)
    same = _same_titles(left) | (_ratios(*left["bag"], least=_SAME_WORDS) > 0)
    alike = ~same & (
        _subtitles(left)
        | (_ratios(*left["key"], least=_ALIKE) > 0)
        | (_ratios(*left["sound"], least=_ALIKE) > 0)
    )
    alike[alike] = _artist_agreement(_only(left, alike)) > 0
    far = same & ~near[may]
    same[far] = _artist_agreement(_only(left, far)) > 0
    may[may] = same | alike
    return may


def _only(sides: Sides, which: npt.NDArray[Any]) -> Sides:
    return {field: (a[which], b[which]) for field, (a, b) in sides.items()}


def _same_titles(sides: Sides) -> npt.NDArray[Any]:
    same = (sides["key"][0] == sides["key"][1]) | (sides["whole"][0] == sides["whole"][1])
    return np.asarray(same & (sides["key"][0] != "") & (sides["key"][1] != ""))


def _subtitles(sides: Sides) -> npt.NDArray[Any]:
    """One title has a subtitle, and the titles are the same without it."""
    (core_a, core_b), (key_a, key_b) = sides["core"], sides["key"]
    either = (core_a != "") & ((core_a == key_b) | (core_a == core_b))
    return np.asarray(either | ((core_b != "") & (core_b == key_a)))


def _differ(sides: Sides) -> npt.NDArray[Any]:
    """The records are of two songs: their versions, their numbers or their remixes differ."""
    version_a, version_b = sides["version"]
    detail_a, detail_b = sides["detail"]
    same_words = (sides["whole"][0] == sides["whole"][1]) | (sides["bag"][0] == sides["bag"][1])
    numbers_differ = sides["numbers"][0] != sides["numbers"][1]
    details_differ = (version_a != "") & (_ratios(detail_a, detail_b) < _ALIKE)
    versions_differ = ((version_a != version_b) | details_differ) & ~same_words
    return np.asarray(versions_differ | numbers_differ)


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
    shared = np.array(
        [_share(*names) for names in zip(*sides["people"], *sides["credits"], strict=True)], dtype=bool
    )
    in_album = _in_album(joined_a, sides, 1) | _in_album(joined_b, sides, 0)
    degrees = np.select([same, shared | in_album, unknown, similarities >= _LIKE_ARTIST], [4, 3, 1, 2], 0)
    for i in np.flatnonzero(degrees == 0):
        if _share_nearly(*(side[i] for name in ("people", "credits") for side in sides[name])):
            degrees[i] = 2
    return degrees


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
