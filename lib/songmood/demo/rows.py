"""The rows of the demo corpus as numbers: songs, their recordings, and the albums these are on.

A song has a number. It has one main recording, and some songs also have a live, remix or acoustic
version; each recording has a number derived from its song's. A recording has a row for each album it is
on, and each row has a number, too. Everything else about a song, a recording, an album or an artist is
drawn from its number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from songmood.demo.draws import Array, Draws


@dataclass(frozen=True)
class Kind:
    """A reason for a song to have a row. `rate` is the share of songs that have it."""

    name: str
    rate: float
    version: str = ""  # empty: the main recording


# The main recording has 1.55 rows per song, as the paper's 37,707 rows were 24,280 songs.
KINDS = (
    Kind("album", 1.0),
    Kind("best_of", 0.22),
    Kind("deluxe", 0.12),
    Kind("remaster", 0.12),
    Kind("loose", 0.06),  # pseudo-album 'Other Songs', title 'Artist:Title'
    Kind("duet", 0.03),  # the same recording under the second artist
    Kind("live", 0.07, "live"),
    Kind("remix", 0.03, "remix"),
    Kind("acoustic", 0.02, "acoustic"),
)
VERSIONS = ("", "live", "remix", "acoustic")

# How many songs the artists have: 24, 12, 8, 6, ... 1, then the same for the next 24 artists (Zipf's law
# within each 24; an artist's number of songs does not grow with the corpus).
_ARTIST_SIZES = [24 // rank for rank in range(1, 25)]
_RANK = np.repeat(np.arange(24), _ARTIST_SIZES)
_INDEX = np.concatenate([np.arange(n) for n in _ARTIST_SIZES])
_ROUND = len(_RANK)


@dataclass(frozen=True)
class Rows:
    """Song rows as arrays of numbers, ordered by song and kind."""

    song: Array
    kind: Array  # place in KINDS
    artist: Array  # of the song
    index: Array  # of the song among its artist's
    take: Array  # the recording: rows of one recording share it
    row: Array  # the row's own number
    artists: int  # in the whole corpus

    def is_kind(self, *names: str) -> Array:
        """True for rows of these kinds."""
        return np.isin(self.kind, [i for i, kind in enumerate(KINDS) if kind.name in names])

    def where(self, chosen: Array) -> Rows:
        """Some of the rows."""
        numbers = {name: value[chosen] for name, value in vars(self).items() if name != "artists"}
        return replace(self, **numbers)


def artist_of(songs: Array) -> tuple[Array, Array]:
    """The number of each song's artist, and of the song among the artist's."""
    rounds, place = np.divmod(songs, _ROUND)
    return rounds * len(_ARTIST_SIZES) + _RANK[place], _INDEX[place]


def lay_out_rows(draws: Draws, songs: Array, corpus_songs: int) -> Rows:
    """The rows of these songs, in a corpus of `corpus_songs` songs."""
    has = np.stack([draws.chance(kind.name, songs, kind.rate) for kind in KINDS], axis=1)
    place, kind = np.nonzero(has)
    song = songs[place]
    artist, index = artist_of(song)
    version = np.array([VERSIONS.index(k.version) for k in KINDS])[kind]
    artists = int(artist_of(np.array([corpus_songs - 1]))[0][0]) + 1
    return Rows(song, kind, artist, index, song * len(VERSIONS) + version, song * 16 + kind, artists)


def partners(draws: Draws, rows: Rows) -> Array:
    """The number of the second artist of a duet, or of the featured artist."""
    return (rows.artist + 1 + draws.below("partner", rows.song, rows.artists - 1)) % rows.artists
