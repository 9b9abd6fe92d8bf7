"""The albums that rows are on: their numbers, titles and years."""

from __future__ import annotations

import numpy as np

from songmood.demo.draws import Array, Draws, pick, strings
from songmood.demo.rows import KINDS, Rows
from songmood.demo.words import MODIFIERS, NOUNS

NO_YEAR = 0.1  # of albums

_SONGS_PER_ALBUM = 8
_ALBUMS = 64  # places for the albums of an artist, in album numbers
_BEST_OF, _LOOSE, _FEATURING, _LIVE, _REMIXES, _UNPLUGGED = 48, 49, 50, 51, 52, 53
_DELUXE, _REMASTERED = 16, 32  # added to the number of the album they come from


def album_numbers(rows: Rows, artists: Array) -> Array:
    """The number of each row's album, which is an album of `artists`."""
    album = rows.index // _SONGS_PER_ALBUM
    place = {
        "album": album,
        "best_of": np.full_like(album, _BEST_OF),
        "deluxe": album + _DELUXE,
        "remaster": album + _REMASTERED,
        "loose": np.full_like(album, _LOOSE),
        "duet": np.full_like(album, _FEATURING),
        "live": np.full_like(album, _LIVE),
        "remix": np.full_like(album, _REMIXES),
        "acoustic": np.full_like(album, _UNPLUGGED),
    }
    chosen = np.choose(rows.kind, [place[kind.name] for kind in KINDS])
    return np.asarray(artists * _ALBUMS + chosen)


def track_numbers(draws: Draws, rows: Rows) -> Array:
    """The position of each row's song on its album, from 1; editions of an album have the same order."""
    elsewhere = 1 + draws.below("track number", rows.row, 16)
    return np.where(rows.is_kind("album", "deluxe", "remaster"), 1 + rows.index % _SONGS_PER_ALBUM, elsewhere)


def album_titles(draws: Draws, albums: Array, artist_names: Array) -> Array:
    """The title of each album; editions of one album share the beginning of it."""
    place = albums % _ALBUMS
    studio = albums - np.where(place < _BEST_OF, place - place % _DELUXE, 0)
    titles = strings(MODIFIERS)[draws.below("album modifier", studio, len(MODIFIERS))] + " "
    titles = titles + strings(NOUNS)[draws.below("album noun", studio, len(NOUNS))]
    kind = np.where(place < _BEST_OF, place // _DELUXE, place - _BEST_OF + 3)
    ways = (
        titles,
        titles + " (Deluxe Edition)",
        titles + " (Remastered)",
        "The Best of " + artist_names,
        "Other Songs",
        "Songs Featuring " + artist_names,
        "Live at the " + titles,
        titles + " Remixes",
        "Unplugged Sessions",
    )
    return pick(kind, ways)


def album_years(draws: Draws, albums: Array) -> Array:
    """The year of each album's publication, or an empty string."""
    artist, place = np.divmod(albums, _ALBUMS)
    debut = 1960 + draws.below("debut", artist, 45)
    later = np.select([place < _DELUXE, place < _REMASTERED, place < _BEST_OF], [0, 1, 20], 10)
    year = np.minimum(debut + 2 * (place % _DELUXE) * (place < _BEST_OF) + later, 2019)
    none = draws.chance("no year", albums, NO_YEAR) | (place == _LOOSE) | (place == _FEATURING)
    return np.where(none, "", year.astype(str).astype(object))
