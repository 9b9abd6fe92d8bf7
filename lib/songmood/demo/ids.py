"""The ids of songs, recordings, albums and artists, and which of them are missing."""

from __future__ import annotations

import numpy as np

from songmood.demo.draws import Array, Draws, strings
from songmood.demo.rows import Rows

NO_SPOTIFY = 0.12  # of recordings
NO_SPOTIFY_ROW = 0.06  # of rows
SPOTIFY_SEARCH = 0.02  # of rows: the address of a search, which holds no id
OWN_SPOTIFY = 0.15  # of album copies: an id of their own, as reissues have
NO_LASTFM = 0.10  # of recordings
NO_LASTFM_ROW = 0.05  # of rows
LASTFM_ADDRESS = 0.08  # of recordings: Last.fm's address in place of a Million Song Dataset id

_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
_DIGITS = "0123456789"


def song_ids(draws: Draws, rows: Array) -> Array:
    """`_id` of each row number: 24 hexadecimal digits, all different."""
    return object_ids(draws, "song id", rows)


def object_ids(draws: Draws, name: str, numbers: Array) -> Array:
    """Ids of 24 hexadecimal digits, as MongoDB has them; different numbers have different ids."""
    return strings([f"5714de{low & 0xFF:02x}{low:016x}" for low in draws.bits(name, numbers).tolist()])


def has_search(draws: Draws, rows: Rows) -> Array:
    """True for rows whose Spotify address is that of a search."""
    return draws.chance("spotify search", rows.row, SPOTIFY_SEARCH)


def spotify_ids(draws: Draws, rows: Rows) -> Array:
    """The Spotify id of each row, or an empty string."""
    own = rows.is_kind("remaster")
    own |= rows.is_kind("best_of", "deluxe") & draws.chance("own spotify", rows.row, OWN_SPOTIFY)
    numbers = np.where(own, (1 << 40) + rows.row, rows.take)
    none = draws.chance("no spotify", rows.take, NO_SPOTIFY) | has_search(draws, rows)
    none |= draws.chance("no spotify in row", rows.row, NO_SPOTIFY_ROW)
    return np.where(none, "", draws.code("spotify", numbers, _ALPHANUMERIC, 22))


def track_ids(draws: Draws, takes: Array) -> Array:
    """The Million Song Dataset's id of each recording, or an empty string."""
    none = draws.chance("no lastfm", takes, NO_LASTFM) | draws.chance("address", takes, LASTFM_ADDRESS)
    letters = draws.code("track letters", takes, _ALPHANUMERIC[10:36], 5)
    digits = draws.code("track digits", takes, _HEX[:16].upper(), 7)
    return np.where(none, "", "TR" + letters + "128F" + digits)


def lacks_lastfm(draws: Draws, rows: Rows) -> Array:
    """True for rows that do not have the Last.fm id of their recording."""
    return draws.chance("no lastfm in row", rows.row, NO_LASTFM_ROW)


def has_lastfm_address(draws: Draws, rows: Rows) -> Array:
    """True for rows that have Last.fm's address of their recording."""
    address = draws.chance("address", rows.take, LASTFM_ADDRESS)
    address &= ~draws.chance("no lastfm", rows.take, NO_LASTFM)
    return address & ~lacks_lastfm(draws, rows)


def isrcs(draws: Draws, rows: Rows) -> Array:
    """The ISRC of each row: that of its recording, and remasters have their own."""
    numbers = np.where(rows.is_kind("remaster"), (1 << 40) + rows.row, rows.take)
    countries = strings(["US", "GB", "CA", "SE", "AU"])
    return np.asarray(
        countries[draws.below("isrc country", numbers, 5)]
        + draws.code("isrc owner", numbers, _ALPHANUMERIC[:36], 3)
        + draws.code("isrc number", numbers, _DIGITS, 7)
    )


def musicbrainz_ids(draws: Draws, takes: Array) -> Array:
    """The MusicBrainz id of each recording, a UUID."""
    codes = draws.code("musicbrainz", takes, _HEX, 32)
    return strings([f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}" for h in codes])


def deezer_ids(draws: Draws, takes: Array) -> Array:
    """The Deezer id of each recording, eight digits."""
    return draws.code("deezer", takes, _DIGITS[1:], 8)
