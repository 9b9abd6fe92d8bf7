"""Whether the artists of two records are the same, as far as their names say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

from songmood.steps.dedupe.parse import sound
from songmood.steps.dedupe.sides import Sides, ratios_of

# The least similarities: of artists, of one artist among many credits, whose name has a least number of
# letters, and of the words that two artists do not share.
_LIKE_ARTIST, _LIKE_PERSON, _WHOLE_NAME, _LIKE_OTHER = 0.8, 0.88, 8, 0.6


def artist_agreement(sides: Sides) -> npt.NDArray[Any]:
    """4: the same; 3: one is among the other's credits; 2: similar; 1: one is missing; 0: different."""
    artist_a, artist_b = sides["artist"]
    unknown = (artist_a == "") | (artist_b == "")
    same = (artist_a == artist_b) & ~unknown
    joined_a, joined_b = ([name.replace(" ", "") for name in artists] for artists in sides["artist"])
    similarities = np.maximum.reduce(
        [
            ratios_of(artist_a, artist_b, scorer=fuzz.token_sort_ratio),
            ratios_of(joined_a, joined_b),
            ratios_of([*map(sound, joined_a)], [*map(sound, joined_b)]),
        ]
    )
    similar = similarities >= _LIKE_ARTIST
    for i in np.flatnonzero(similar & ~same):
        similar[i] = _other_words_are_alike(artist_a[i], artist_b[i])
    shared = np.array(
        [_share(*names) for names in zip(*sides["people"], *sides["credits"], strict=True)], dtype=bool
    )
    in_album = _in_album(joined_a, sides, 1) | _in_album(joined_b, sides, 0)
    degrees = np.select([same, shared | in_album, unknown, similar], [4, 3, 1, 2], 0)
    for i in np.flatnonzero(degrees == 0):
        if _share_nearly(*(side[i] for name in ("people", "credits") for side in sides[name])):
            degrees[i] = 2
    return degrees


def _other_words_are_alike(artist_a: str, artist_b: str) -> bool:
    """The words that two artists do not share are alike, if both have such words.

    They are 'ann' and 'bo' of 'ann and the shores' and 'bo and the shores'.
    """
    words_a, words_b = artist_a.split(), artist_b.split()
    other_a = "".join(word for word in words_a if word not in words_b)
    other_b = "".join(word for word in words_b if word not in words_a)
    if not other_a or not other_b:
        return True
    return max(fuzz.ratio(other_a, other_b), fuzz.ratio(sound(other_a), sound(other_b))) >= 100 * _LIKE_OTHER


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
