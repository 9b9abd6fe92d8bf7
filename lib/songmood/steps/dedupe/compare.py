"""How alike two records are: one level for each comparison.

A comparison looks at one side of a pair (its names, albums, years, lengths, languages, ids) and says
which of a few levels it is at. What a level is worth is for the corpus to say (weights.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rapidfuzz import fuzz, process

from songmood.names.normalize import normalize_title
from songmood.settings import DedupeSettings
from songmood.steps.dedupe.parse import Name, sound, squash

IDS = ("isrc", "musicbrainz_id", "spotify_id", "lastfm_id")

# The levels of each comparison, from what speaks least for a duplicate to what speaks most. 'unknown'
# (a side says nothing) weighs nothing, either way.
LEVELS: dict[str, tuple[str, ...]] = {
    "name": (
        "title, other artist",  # same title, the artists differ
        "like title, no artist",  # titles nearly the same, an artist is not given
        "common title, no artist",  # a title that several artists have, or that says nothing ('Intro')
        "like title and artist",  # titles alike (0.75) or one has a subtitle, artists agree
        "short title, no artist",
        "long title, no artist",
        "near title and artist",  # titles nearly the same (0.88), artists alike
        "same words",  # the same words in artist and title, in whatever fields and order
        "near title, shared artist",
        "same title, like artist",
        "same title, shared artist",  # one side names the other's artist, too
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
_NEAR, _ALIKE, _SAME_WORDS = 0.88, 0.75, 0.93  # titles; words of artist and title
_LIKE_ARTIST, _LIKE_PERSON, _WHOLE_NAME = 0.8, 0.88, 8  # artists; one of many credits, and its letters

Sides = dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]  # a field's values on both sides
NAME_FIELDS = (*(field for field in Name._fields if field != "title"), "album")
FIELDS = (*NAME_FIELDS, "common_title", "year", "duration_s", "language", *IDS)


def compare_pairs(pairs: pd.DataFrame, settings: DedupeSettings) -> pd.DataFrame:
    """The level of each comparison, for pairs with each of FIELDS as `<field>_a` and `<field>_b`.

    Text is '' and numbers are NaN where a record says nothing. Pairs whose names are APART (other
    titles, versions or numbers; with unit `recording` other lengths, too) have that as their name's
    level.
    """
    seconds = (pairs["duration_s_a"] - pairs["duration_s_b"]).abs().to_numpy(dtype=float)
    names = _name_levels(pairs, settings)
    if settings.unit == "recording":
        names = np.where(seconds > settings.max_length_gap_s, APART, names)
    years = (pairs["year_a"] - pairs["year_b"]).abs().to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "name": names,
            "album": _text_levels(pairs, "album"),
            "year": _gap_levels(years, near=2, same=0),
            "length": _gap_levels(seconds, near=10, same=2),
            "language": _text_levels(pairs, "language"),
            "ids": _id_levels(pairs),
        },
        index=pairs.index,
        dtype="int8",
    )


def _gap_levels(gaps: npt.NDArray[Any], near: float, same: float) -> npt.NDArray[Any]:
    return np.select([np.isnan(gaps), gaps <= same, gaps <= near], [0, 3, 2], 1)


def _text_levels(pairs: pd.DataFrame, field: str) -> npt.NDArray[Any]:
    left, right = pairs[f"{field}_a"].to_numpy(), pairs[f"{field}_b"].to_numpy()
    same = left == right
    if field == "album":
        same = same | (_ratios(left, right) >= _NEAR)
    return np.select([(left == "") | (right == ""), same], [0, 2], 1)


def _id_levels(pairs: pd.DataFrame) -> npt.NDArray[Any]:
    both: npt.NDArray[Any] = np.zeros(len(pairs), dtype=int)
    agree: npt.NDArray[Any] = np.zeros(len(pairs), dtype=int)
    for name in IDS:
        left, right = pairs[f"{name}_a"].to_numpy(), pairs[f"{name}_b"].to_numpy()
        given = (left != "") & (right != "")
        both += given
        agree += given & (left == right)
    return np.select([both == 0, agree >= 2, agree == 1], [0, 3, 2], 1)


def _name_levels(pairs: pd.DataFrame, settings: DedupeSettings) -> npt.NDArray[Any]:
    sides: Sides = {f: (pairs[f"{f}_a"].to_numpy(), pairs[f"{f}_b"].to_numpy()) for f in NAME_FIELDS}
    same_title = _same_titles(sides)
    titles = np.maximum(_ratios(*sides["key"]), _ratios(*sides["sound"]))
    titles = np.where(same_title, 1.0, titles)
    near, alike = titles >= _NEAR, (titles >= _ALIKE) | _subtitles(sides)
    artists = _artist_agreement(sides)
    none, like, shared, same = (artists == degree for degree in (1, 2, 3, 4))
    one_names_none = (sides["artist"][0] == "") ^ (sides["artist"][1] == "")
    bags = _ratios(*sides["bag"])
    mixed = ~(same | like | none) | (none & one_names_none)
    words = (mixed & (bags >= _SAME_WORDS)) | (none & (bags == 1) & ~same_title)
    generic = [squash(normalize_title(title)) for title in settings.generic_titles]
    says_nothing = np.isin(sides["key"][0], generic)
    common = says_nothing | (pairs["common_title_a"] & pairs["common_title_b"]).to_numpy(dtype=bool)
    lengths = np.minimum(*(np.char.str_len(key.astype(str)) for key in sides["key"]))
    long = lengths >= settings.long_title
    ways = {
        "same title and artist": same_title & same,
        "same title, shared artist": same_title & shared,
        "same title, like artist": same_title & like,
        "near title, shared artist": near & (same | shared),
        "same words": words,
        "near title and artist": near & like,
        "long title, no artist": same_title & none & ~common & long,
        "short title, no artist": same_title & none & ~common,
        "common title, no artist": same_title & none,
        "like title and artist": alike & (same | shared | like),
        "like title, no artist": near & none & (lengths >= settings.short_title),
        "title, other artist": same_title,
    }
    at = LEVELS["name"].index
    levels = np.select(list(ways.values()), [at(way) for way in ways], APART)
    only_by_name = np.minimum(levels, at("common title, no artist"))
    levels = np.where(says_nothing, only_by_name, levels)
    return np.where(_told_apart(sides), APART, levels)


def may_be_one_song(sides: Sides, near: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whether two records' NAME_FIELDS can be one song's: what is not, compare_pairs finds APART.

    It asks for little and is quick: of candidate pairs, nineteen in twenty are not. Songs of one title by
    other artists can be one by their ids alone; they are of use where `near`, to learn what others are.
    """
    may = ~_told_apart(sides)
    left = _only(sides, may)
    same = _same_titles(left) | (_ratios(*left["bag"], least=_SAME_WORDS) > 0)
    alike = ~same & (
        _subtitles(left)
        | (_ratios(*left["key"], least=_ALIKE) > 0)
        | (_ratios(*left["sound"], least=_ALIKE) > 0)
    )
    alike[alike] = _artist_agreement(_only(left, alike)) > 0
    others = same & ~near[may]
    same[others] = _artist_agreement(_only(left, others)) > 0
    may[may] = same | alike
    return may


def _only(sides: Sides, which: npt.NDArray[Any]) -> Sides:
    return {field: (a[which], b[which]) for field, (a, b) in sides.items()}


def _same_titles(sides: Sides) -> npt.NDArray[Any]:
    same = (sides["key"][0] == sides["key"][1]) | (sides["whole"][0] == sides["whole"][1])
    return np.asarray(same & (sides["key"][0] != "") & (sides["key"][1] != ""))


def _subtitles(sides: Sides) -> npt.NDArray[Any]:
    """One has a subtitle and is the same without."""
    (core_a, core_b), (key_a, key_b) = sides["core"], sides["key"]
    either = (core_a != "") & ((core_a == key_b) | (core_a == core_b))
    return np.asarray(either | ((core_b != "") & (core_b == key_a)))


def _told_apart(sides: Sides) -> npt.NDArray[Any]:
    """What says that these are two songs: other version words, other numbers, other remixes."""
    version_a, version_b = sides["version"]
    detail_a, detail_b = sides["detail"]
    same_words = (sides["whole"][0] == sides["whole"][1]) | (sides["bag"][0] == sides["bag"][1])
    other_numbers = sides["numbers"][0] != sides["numbers"][1]
    other_detail = (version_a != "") & (_ratios(detail_a, detail_b) < _ALIKE)
    other_version = ((version_a != version_b) | other_detail) & ~same_words
    return np.asarray(other_version | other_numbers)


def _artist_agreement(sides: Sides) -> npt.NDArray[Any]:
    """4: the same; 3: one of the other's credits; 2: alike; 1: not known; 0: different."""
    artist_a, artist_b = sides["artist"]
    unknown = (artist_a == "") | (artist_b == "")
    same = (artist_a == artist_b) & ~unknown
    joined_a, joined_b = ([name.replace(" ", "") for name in artists] for artists in sides["artist"])
    alike = np.maximum.reduce(
        [
            _ratios(artist_a, artist_b, scorer=fuzz.token_sort_ratio),
            _ratios(joined_a, joined_b),
            _ratios([*map(sound, joined_a)], [*map(sound, joined_b)]),
        ]
    )
    shared = np.array(
        [_share(*names) for names in zip(*sides["people"], *sides["credits"], strict=True)], dtype=bool
    )
    told = _told_elsewhere(joined_a, sides, "b") | _told_elsewhere(joined_b, sides, "a")
    degrees = np.select([same, shared | told, unknown, alike >= _LIKE_ARTIST], [4, 3, 1, 2], 0)
    for i in np.flatnonzero(degrees == 0):
        if _share_nearly(*(side[i] for name in ("people", "credits") for side in sides[name])):
            degrees[i] = 2
    return degrees


def _share(people_a: str, people_b: str, credits_a: str, credits_b: str) -> bool:
    """Someone whom one side names as a whole is named on the other side, alone or among others."""
    if not people_a or not people_b:
        return False
    a, b = people_a.split("|"), people_b.split("|")
    if not ({*a}.isdisjoint(credits_b.split("|")) and {*b}.isdisjoint(credits_a.split("|"))):
        return True
    # names that hold an 'and' of their own: 'kool and the gang' among 'kool and the gang and others'
    all_a, all_b = (f" {people.replace('|', ' | ')} " for people in (people_a, people_b))
    return any(f" {name} " in all_b for name in a if " " in name) or any(
        f" {name} " in all_a for name in b if " " in name
    )


def _share_nearly(people_a: str, people_b: str, credits_a: str, credits_b: str) -> bool:
    """One side names several, and among them, by sound, someone whom the other names as a whole."""
    if people_a == credits_a and people_b == credits_b:
        return False
    all_a, all_b = sound(people_a), sound(people_b)
    least = 100 * _LIKE_PERSON
    return any(
        len(name) >= _WHOLE_NAME and fuzz.partial_ratio(name, others, score_cutoff=least) > 0
        for people, others in ((all_a, all_b), (all_b, all_a))
        for name in people.split("|")
    )


def _told_elsewhere(joined: list[str], sides: Sides, side: str) -> npt.NDArray[Any]:
    """The other side has no artist, but its album names this one ('The Best of ...')."""
    place = "ab".index(side)
    albums, artists = sides["album"][place], sides["artist"][place]
    return np.array(
        [
            len(name) > 4 and artist == "" and name in album.replace(" ", "")
            for name, artist, album in zip(joined, artists, albums, strict=True)
        ],
        dtype=bool,
    )


def _ratios(left: Any, right: Any, scorer: Any = fuzz.ratio, least: float = 0) -> npt.NDArray[Any]:
    """The likeness of each pair of texts, 0 to 1; 1 for two empty ones; 0 where it is under `least`."""
    found: npt.NDArray[Any] = process.cpdist(
        list(left), list(right), scorer=scorer, score_cutoff=100 * least, dtype=np.float32
    )
    return found / 100


def compare_records(pairs: DataFrame, named: DataFrame, settings: DedupeSettings) -> DataFrame:
    """song_id_a, song_id_b and the level of each comparison; without pairs that are APART."""
    sides = [
        named.select(*(F.col(name).alias(f"{name}_{side}") for name in ("song_id", *FIELDS))) for side in "ab"
    ]
    both = pairs.join(sides[0], "song_id_a").join(sides[1], "song_id_b")
    schema = ", ".join(["song_id_a string, song_id_b string", *(f"{name} byte" for name in LEVELS)])
    return both.mapInPandas(partial(_compare_batches, settings=settings), schema)


def _compare_batches(batches: Iterator[pd.DataFrame], settings: DedupeSettings) -> Iterator[pd.DataFrame]:
    for pairs in batches:
        levels = compare_pairs(pairs, settings)
        yield pd.concat([pairs[["song_id_a", "song_id_b"]], levels], axis=1)[levels["name"] != APART]
