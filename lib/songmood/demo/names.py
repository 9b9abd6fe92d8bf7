"""The names of artists and the titles of songs, and how each row spells the title."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from songmood.demo.draws import Array, Draws, pick, strings
from songmood.demo.rows import Rows, partners
from songmood.demo.words import (
    BAND_PLURALS,
    ENSEMBLES,
    FIRST_NAMES,
    MODIFIERS,
    NAME_ENDS,
    NAME_STARTS,
    NOUNS,
    PLACE_TITLES,
    TITLES,
)

FEATURED = 0.06  # of songs: 'feat.' in the title of some of their rows
QUOTED = 0.02  # of songs: quotation marks in the title, which CSV doubles

# The shares of songs whose title is a noun, an adjective and a noun, a phrase, or a phrase with a place.
# There are 67, 4,087, 98,088 and 146 million of these: short titles have many artists, long ones have one.
# They are chosen so that titles repeat at the rate of real ones. Counted by bench/titles.py: the share of
# titles that several artists have, and the number of titles for each song, in WASABI's records (60 artists),
# in a list of Spotify's songs (11,849 artists), and here. Numbers with ~ are extrapolated.
#
#   songs         WASABI           Spotify          demo
#      11,200     5.7%   .928      4.7%~  .945~     5.5%   .931
#      39,400     12.4%~ .832~     9.7%   .864      11.2%  .827
#     170,000     19.6%~ .657~     14.9%~ .721~     15.3%  .684
#   1,700,000     25.3%~ .387~     18.9%~ .484~     13.1%  .446
TITLE_SHARES = (0.02, 0.20, 0.39, 0.39)
_MOST_TITLES = 64  # of an artist: the corpus has up to 24, and wrong lyrics have more

_ARTICLE = re.compile(r"\b([Aa]) (?=[AEIOUaeiou])")


def artist_names(draws: Draws, artists: Array) -> Array:
    """Names of people and groups; no two artists have the same name."""
    surnames = len(NAME_STARTS) * len(NAME_ENDS)
    people = _scatter(draws, "person", artists // 3, len(FIRST_NAMES) * surnames)
    first, surname = strings(FIRST_NAMES)[people // surnames], _surname(people % surnames)
    bands = _scatter(draws, "band", artists // 3, len(BAND_PLURALS) * surnames)
    leader, plural = _surname(bands % surnames), strings(BAND_PLURALS)[bands // surnames]
    groups = _scatter(draws, "group", artists // 3, len(MODIFIERS) * len(NOUNS) * len(ENSEMBLES))
    group, ensemble = np.divmod(groups, len(ENSEMBLES))
    group_name = strings(MODIFIERS)[group // len(NOUNS)] + " " + strings(NOUNS)[group % len(NOUNS)]
    names = (
        first + " " + surname,
        leader + " & the " + plural,
        "The " + group_name + " " + strings(ENSEMBLES)[ensemble],
    )
    return pick(artists % 3, names)


def partner_names(draws: Draws, rows: Rows) -> Array:
    """The name of the second artist of a duet, or of the featured artist."""
    return artist_names(draws, partners(draws, rows))


def song_titles(draws: Draws, artists: Array, indices: Array) -> Array:
    """Titles, as common as TITLE_SHARES says. The first 61 of an artist share neither noun nor adjective."""
    songs = artists * _MOST_TITLES + indices
    template = draws.below("title", artists, len(TITLES)) + indices
    length = np.searchsorted(np.cumsum(TITLE_SHARES)[:-1], draws.uniform("title length", songs))
    phrases = strings(TITLES)[template % len(TITLES)]
    with_places = strings(PLACE_TITLES)[template % len(PLACE_TITLES)]
    forms = pick(length, ("{n}", "{m} {n}", phrases, with_places))
    modifier = strings(MODIFIERS)[_stride(draws, "modifier", artists, indices, len(MODIFIERS))]
    noun = strings(NOUNS)[_stride(draws, "noun", artists, indices, len(NOUNS))]
    place = _surname(draws.below("place", songs, len(NAME_STARTS) * len(NAME_ENDS)))
    parts = zip(forms, modifier, noun, place, strict=True)
    return strings([mend_article(form.format(m=m, n=n, p=p)) for form, m, n, p in parts])


def row_titles(draws: Draws, rows: Rows) -> Array:
    """The title as each row has it: with version, remaster, credit or artist in it."""
    titles = song_titles(draws, rows.artist, rows.index)
    quoted = draws.chance("quoted", rows.song, QUOTED)
    titles[quoted] = strings([_quote_longest(title) for title in titles[quoted]])
    featured = draws.chance("featured", rows.song, FEATURED) & ~rows.is_kind("best_of", "duet", "loose")
    titles[featured] += " (feat. " + partner_names(draws, rows.where(featured)) + ")"
    spelling = draws.below("spelling", rows.row, 3)
    for kind, ways in _endings(draws, rows, spelling).items():
        chosen = rows.is_kind(kind)
        titles[chosen] += pick(spelling, ways)[chosen]
    loose, duet = rows.is_kind("loose"), rows.is_kind("duet")
    names = artist_names(draws, rows.artist)
    titles[loose] = names[loose] + ":" + titles[loose]
    titles[duet] = names[duet] + " & " + partner_names(draws, rows.where(duet)) + ":" + titles[duet]
    return np.asarray(titles)


def mend_article(text: str) -> str:
    """'a island' as 'an island'."""
    return _ARTICLE.sub(r"\1n ", text)


def _endings(draws: Draws, rows: Rows, spelling: Array) -> dict[str, Sequence[Array | str]]:
    """For each kind of row the ways in which its title ends."""
    year = (1995 + draws.below("remastered", rows.row, 25)).astype(str).astype(object)
    return {
        "remaster": (" - " + year + " Remaster", " (Remastered " + year + ")", " (Remastered)"),
        "live": (" (Live)", " - Live", " [Live at the " + strings(NOUNS)[spelling * 7] + " Hall]"),
        "remix": (" (Club Remix)", " - Remix", " (Night Remix)"),
        "acoustic": (" (Acoustic)", " - Acoustic Version", " (Acoustic Version)"),
    }


def _stride(draws: Draws, name: str, artists: Array, indices: Array, prime: int) -> Array:
    step = 1 + draws.below(f"{name} step", artists, prime - 1)
    return np.asarray((draws.below(name, artists, prime) + step * indices) % prime)


def _scatter(draws: Draws, name: str, numbers: Array, space: int) -> Array:
    # 15,485,863 is prime and divides none of the spaces, so different numbers stay different.
    return np.asarray((numbers * 15_485_863 + draws.below(name, np.zeros(1), space)) % space)


def _surname(numbers: Array) -> Array:
    start, end = np.divmod(numbers, len(NAME_ENDS))
    return np.asarray(strings(NAME_STARTS)[start] + strings(NAME_ENDS)[end])


def _quote_longest(title: str) -> str:
    longest = max(title.split(), key=len)
    return title.replace(longest, f'"{longest}"', 1)
