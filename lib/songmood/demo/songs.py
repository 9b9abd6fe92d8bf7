"""Who sings what on which album: the song records of the demo corpus, and their quirks.

A song has a number. It is recorded once, and some songs also live, as a remix or acoustic: each a
recording, numbered from its song. A recording stands on one album or more, each a row, numbered too.
All else about a song, a recording, an album or an artist is drawn from its number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws
from songmood.demo.words import (
    BAND_PLURALS,
    ENSEMBLES,
    FIRST_NAMES,
    GENRES,
    MODIFIERS,
    NAME_ENDS,
    NAME_STARTS,
    NOUNS,
    OTHER_LANGUAGES,
    TITLES,
)


@dataclass(frozen=True)
class Kind:
    """A reason for a song to have a row. `rate`: the share of songs that have it."""

    name: str
    rate: float
    version: str = ""  # empty: the recording that the song's first row has, too


# Rows that are one recording: 1.55 a song, as the paper's 37,707 rows were 24,280 songs.
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

# Shares, so that of 2,000 songs some 1,300 pass the paper's filter: harsher than this, the demo would
# be mostly rows that go nowhere (of WASABI's songs one in forty-five passes).
ENGLISH = 0.85  # of artists
NO_LANGUAGE = 0.02  # of rows: neither language nor language_detect
LANGUAGE_CODE = 0.3  # of rows: `language` is filled too, as 'eng'
NO_SPOTIFY = 0.12  # of recordings
NO_SPOTIFY_ROW = 0.06  # of rows
SPOTIFY_SEARCH = 0.02  # of rows: the address of a search, which holds no id
OWN_SPOTIFY = 0.15  # of album copies: an id of their own, as reissues have
NO_LASTFM = 0.10  # of recordings
NO_LASTFM_ROW = 0.05  # of rows
LASTFM_ADDRESS = 0.08  # of recordings: no Million Song Dataset id, but Last.fm's address
NO_ISRC, NO_MUSICBRAINZ, NO_DEEZER, NO_LENGTH, NO_YEAR = 0.35, 0.3, 0.3, 0.15, 0.1  # of rows; year: of albums
FEATURED = 0.06  # of songs: 'feat.' in the title of some of their rows
QUOTED = 0.02  # of songs: quotation marks in the title, which CSV doubles

# How many songs the artists have: 24, 12, 8, 6, ... 1, then again for the next 24 artists (Zipf's law
# within each; an artist's share of the corpus does not grow with the corpus).
_SONGS_OF = [24 // rank for rank in range(1, 25)]
_RANK = np.repeat(np.arange(24), _SONGS_OF)
_INDEX = np.concatenate([np.arange(n) for n in _SONGS_OF])
_ROUND = len(_RANK)

_ARTICLE = re.compile(r"\b([Aa]) (?=[AEIOUaeiou])")
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
_DIGITS = "0123456789"
_SONGS_AN_ALBUM = 8
_ALBUMS = 64  # room for the albums of an artist, in album numbers
_BEST_OF, _LOOSE, _FEATURING, _LIVE, _REMIXES, _UNPLUGGED = 48, 49, 50, 51, 52, 53
_DELUXE, _REMASTERED = 16, 32  # added to the number of the album they come from


@dataclass(frozen=True)
class Rows:
    """Song rows as arrays of numbers, ordered by song and kind."""

    song: Array
    kind: Array  # place in KINDS
    artist: Array  # whose song it is
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
    return rounds * len(_SONGS_OF) + _RANK[place], _INDEX[place]


def lay_out_rows(draws: Draws, songs: Array, corpus_songs: int) -> Rows:
    """The rows of these songs, in a corpus of so many."""
    has = np.stack([draws.chance(kind.name, songs, kind.rate) for kind in KINDS], axis=1)
    place, kind = np.nonzero(has)
    song = songs[place]
    artist, index = artist_of(song)
    version = np.array([VERSIONS.index(k.version) for k in KINDS])[kind]
    artists = int(artist_of(np.array([corpus_songs - 1]))[0][0]) + 1
    return Rows(song, kind, artist, index, song * len(VERSIONS) + version, song * 16 + kind, artists)


def repeats(rows: Rows) -> Array:
    """True for rows of a recording that has another row before it."""
    first = np.array([[k.version for k in KINDS].index(kind.version) == i for i, kind in enumerate(KINDS)])
    return np.asarray(~first[rows.kind])


def languages(draws: Draws, artists: Array) -> Array:
    """The language each artist sings in."""
    others = _words(list(OTHER_LANGUAGES))
    other = others[draws.below("other language", artists, len(others))]
    return np.where(draws.chance("english", artists, ENGLISH), "english", other)


def song_ids(draws: Draws, rows: Array) -> Array:
    """`_id` of each row number: 24 hexadecimal digits, no two alike."""
    return _object_ids(draws.bits("song id", rows))


def spotify_ids(draws: Draws, rows: Rows) -> Array:
    """The Spotify id of each row, or an empty string."""
    own = rows.is_kind("remaster")
    own |= rows.is_kind("best_of", "deluxe") & draws.chance("own spotify", rows.row, OWN_SPOTIFY)
    numbers = np.where(own, (1 << 40) + rows.row, rows.take)
    none = draws.chance("no spotify", rows.take, NO_SPOTIFY) | _has_search(draws, rows)
    none |= draws.chance("no spotify in row", rows.row, NO_SPOTIFY_ROW)
    return np.where(none, "", draws.code("spotify", numbers, _ALPHANUMERIC, 22))


def track_ids(draws: Draws, takes: Array) -> Array:
    """The Million Song Dataset's id of each recording, or an empty string."""
    none = draws.chance("no lastfm", takes, NO_LASTFM) | draws.chance("address", takes, LASTFM_ADDRESS)
    letters = draws.code("track letters", takes, _ALPHANUMERIC[10:36], 5)
    digits = draws.code("track digits", takes, _HEX[:16].upper(), 7)
    return np.where(none, "", "TR" + letters + "128F" + digits)


def artist_names(draws: Draws, artists: Array) -> Array:
    """Names of people and groups; no two artists have the same."""
    surnames = len(NAME_STARTS) * len(NAME_ENDS)
    people = _scatter(draws, "person", artists // 3, len(FIRST_NAMES) * surnames)
    first, surname = _words(FIRST_NAMES)[people // surnames], _surname(people % surnames)
    bands = _scatter(draws, "band", artists // 3, len(BAND_PLURALS) * surnames)
    leader, plural = _surname(bands % surnames), _words(BAND_PLURALS)[bands // surnames]
    groups = _scatter(draws, "group", artists // 3, len(MODIFIERS) * len(NOUNS) * len(ENSEMBLES))
    named, ensemble = np.divmod(groups, len(ENSEMBLES))
    group = _words(MODIFIERS)[named // len(NOUNS)] + " " + _words(NOUNS)[named % len(NOUNS)]
    names = (
        first + " " + surname,
        leader + " & the " + plural,
        "The " + group + " " + _words(ENSEMBLES)[ensemble],
    )
    return pick(artists % 3, names)


def song_titles(draws: Draws, artists: Array, indices: Array) -> Array:
    """Titles; those of one artist share no template, noun or adjective (up to 24 songs, then no noun)."""
    template = (draws.below("title", artists, len(TITLES)) + indices) % len(TITLES)
    modifier = _words(MODIFIERS)[_stride(draws, "modifier", artists, indices, len(MODIFIERS))]
    noun = _words(NOUNS)[_stride(draws, "noun", artists, indices, len(NOUNS))]
    parts = zip(template, modifier, noun, strict=True)
    return _objects([mend_article(TITLES[t].format(m=m, n=n)) for t, m, n in parts])


def mend_article(text: str) -> str:
    """'a island' as 'an island'."""
    return _ARTICLE.sub(r"\1n ", text)


def partner_names(draws: Draws, rows: Rows) -> Array:
    """The second artist of a duet, or the one featured."""
    return artist_names(draws, _partners(draws, rows))


def row_titles(draws: Draws, rows: Rows) -> Array:
    """The title as each row has it: with version, remaster, credit or artist in it."""
    plain = song_titles(draws, rows.artist, rows.index)
    quoted = draws.chance("quoted", rows.song, QUOTED)
    titles = plain.copy()
    titles[quoted] = _objects([_quote_longest(title) for title in plain[quoted]])
    featured = draws.chance("featured", rows.song, FEATURED) & ~rows.is_kind("best_of", "duet", "loose")
    titles[featured] += " (feat. " + partner_names(draws, rows.where(featured)) + ")"
    year = (1995 + draws.below("remastered", rows.row, 25)).astype(str).astype(object)
    spelling = draws.below("spelling", rows.row, 3)
    endings: dict[str, Sequence[Array | str]] = {
        "remaster": (" - " + year + " Remaster", " (Remastered " + year + ")", " (Remastered)"),
        "live": (" (Live)", " - Live", " [Live at the " + _words(NOUNS)[spelling * 7] + " Hall]"),
        "remix": (" (Club Remix)", " - Remix", " (Night Remix)"),
        "acoustic": (" (Acoustic)", " - Acoustic Version", " (Acoustic Version)"),
    }
    for name, ways in endings.items():
        chosen = rows.is_kind(name)
        ending = pick(spelling, ways)
        titles[chosen] += ending[chosen]
    loose, duet = rows.is_kind("loose"), rows.is_kind("duet")
    names = artist_names(draws, rows.artist)
    titles[loose] = names[loose] + ":" + titles[loose]
    titles[duet] = names[duet] + " & " + partner_names(draws, rows.where(duet)) + ":" + titles[duet]
    return np.asarray(titles)


def make_songs(draws: Draws, rows: Rows) -> pd.DataFrame:
    """WASABI's columns for each row: `album_` and `artist_` ones belong to the row's album and its artist.

    Missing strings are empty. Numbers are strings but for rank, as the API has them.
    """
    titles = row_titles(draws, rows)
    duet = rows.is_kind("duet")
    holder = np.where(duet, _partners(draws, rows), rows.artist)
    names = artist_names(draws, holder)
    album = _album_numbers(rows, holder)
    take, row = rows.take, rows.row

    def maybe(name: str, numbers: Array, none: float, values: Array) -> Array:
        return np.where(draws.chance(f"no {name}", numbers, none), "", values)

    spotify = spotify_ids(draws, rows)
    address = np.where(spotify == "", "", "https://play.spotify.com/track/" + spotify)
    search = _has_search(draws, rows)
    address[search] = ["https://play.spotify.com/search/track%3A" + quote(t) for t in titles[search]]

    no_lastfm = draws.chance("no lastfm in row", row, NO_LASTFM_ROW)
    plain = song_titles(draws, rows.artist, rows.index)
    by_address = draws.chance("address", take, LASTFM_ADDRESS) & ~draws.chance("no lastfm", take, NO_LASTFM)
    lastfm_address = np.full(len(row), "", dtype=object)
    chosen = by_address & ~no_lastfm
    lastfm_address[chosen] = [
        f"http://www.last.fm/music/{_plus(a)}/_/{_plus(t)}"
        for a, t in zip(names[chosen], plain[chosen], strict=True)
    ]

    language = languages(draws, rows.artist)
    no_language = draws.chance("no language", row, NO_LANGUAGE)
    code = draws.chance("language code", row, LANGUAGE_CODE) & ~no_language
    codes = np.vectorize(_LANGUAGE_CODES.get, otypes=[object])(language)
    own = np.where(rows.is_kind("remaster"), (1 << 40) + row, take)
    seconds = 150 + draws.below("length", take, 150) + draws.below("length in row", row, 3)
    hexes = draws.code("musicbrainz", take, _HEX, 32)
    made: pd.DataFrame = pd.DataFrame(
        {
            "_id": song_ids(draws, row),
            "artist": names,
            "title": titles,
            "albumTitle": _album_titles(draws, album, names),
            "id_album": _object_ids(draws.bits("album id", album)),
            "publicationDateAlbum": _album_years(draws, album),
            "album_genre": _words(GENRES)[genres(draws, holder)],
            "urlSpotify": address,
            "urlLastFm": lastfm_address,
            "lastfm_id": np.where(no_lastfm, "", track_ids(draws, take)),
            "isrc": maybe("isrc", row, NO_ISRC, _isrcs(draws, own)),
            "id_song_musicbrainz": maybe(
                "musicbrainz",
                row,
                NO_MUSICBRAINZ,
                _objects([f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}" for h in hexes]),
            ),
            "id_song_deezer": maybe("deezer", row, NO_DEEZER, draws.code("deezer", take, _DIGITS[1:], 8)),
            "language": np.where(code, codes, ""),
            "language_detect": np.where(no_language, "", language),
            "length": maybe("length", row, NO_LENGTH, seconds.astype(str).astype(object)),
            "bpm": maybe("bpm", row, 0.4, (60 + draws.below("bpm", take, 120)).astype(str).astype(object)),
            "rank": (1e6 * draws.uniform("rank", rows.song) ** 2).astype(np.int64),
            "explicitLyrics": draws.chance("explicit", rows.song, 0.05),
            "isClassic": draws.chance("classic", rows.song, 0.02),
            "artist_id": _object_ids(draws.bits("artist id", holder)),
        }
    )
    return made


def pick(which: Array, ways: Sequence[Array | str]) -> Array:
    """For each row the string of one of the ways, which are arrays or the same string for all rows."""
    columns = [np.broadcast_to(np.asarray(way, dtype=object), which.shape) for way in ways]
    return np.asarray(np.choose(which, columns), dtype=object)


def genres(draws: Draws, artists: Array) -> Array:
    """The genre of each artist, as a place in GENRES."""
    return draws.below("genre", artists, len(GENRES))


_LANGUAGE_CODES = {"english": "eng", "spanish": "spa", "german": "deu", "french": "fra", "italian": "ita"}


def _has_search(draws: Draws, rows: Rows) -> Array:
    return draws.chance("spotify search", rows.row, SPOTIFY_SEARCH)


def _partners(draws: Draws, rows: Rows) -> Array:
    return (rows.artist + 1 + draws.below("partner", rows.song, rows.artists - 1)) % rows.artists


def _album_numbers(rows: Rows, holder: Array) -> Array:
    album = rows.index // _SONGS_AN_ALBUM
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
    return np.asarray(holder * _ALBUMS + chosen)


def _album_titles(draws: Draws, albums: Array, artists: Array) -> Array:
    place = albums % _ALBUMS
    studio = albums - np.where(place < _BEST_OF, place - place % _DELUXE, 0)
    titles = _words(MODIFIERS)[draws.below("album modifier", studio, len(MODIFIERS))] + " "
    titles = titles + _words(NOUNS)[draws.below("album noun", studio, len(NOUNS))]
    kind = np.where(place < _BEST_OF, place // _DELUXE, place - _BEST_OF + 3)
    ways = (
        titles,
        titles + " (Deluxe Edition)",
        titles + " (Remastered)",
        "The Best of " + artists,
        "Other Songs",
        "Songs Featuring " + artists,
        "Live at the " + titles,
        titles + " Remixes",
        "Unplugged Sessions",
    )
    return pick(kind, ways)


def _album_years(draws: Draws, albums: Array) -> Array:
    artist, place = np.divmod(albums, _ALBUMS)
    debut = 1960 + draws.below("debut", artist, 45)
    later = np.select([place < _DELUXE, place < _REMASTERED, place < _BEST_OF], [0, 1, 20], 10)
    year = np.minimum(debut + 2 * (place % _DELUXE) * (place < _BEST_OF) + later, 2019)
    none = draws.chance("no year", albums, NO_YEAR) | (place == _LOOSE) | (place == _FEATURING)
    return np.where(none, "", year.astype(str).astype(object))


def _isrcs(draws: Draws, numbers: Array) -> Array:
    country = _words(["US", "GB", "CA", "SE", "AU"])[draws.below("isrc country", numbers, 5)]
    return np.asarray(
        country
        + draws.code("isrc owner", numbers, _ALPHANUMERIC[:36], 3)
        + draws.code("isrc number", numbers, _DIGITS, 7)
    )


def _stride(draws: Draws, name: str, artists: Array, indices: Array, prime: int) -> Array:
    step = 1 + draws.below(f"{name} step", artists, prime - 1)
    return np.asarray((draws.below(name, artists, prime) + step * indices) % prime)


def _scatter(draws: Draws, name: str, numbers: Array, space: int) -> Array:
    # 15,485,863 is prime and no divisor of a space, so that different numbers stay different.
    return np.asarray((numbers * 15_485_863 + draws.below(name, np.zeros(1), space)) % space)


def _surname(numbers: Array) -> Array:
    start, end = np.divmod(numbers, len(NAME_ENDS))
    return np.asarray(_words(NAME_STARTS)[start] + _words(NAME_ENDS)[end])


def _object_ids(bits: Array) -> Array:
    return _objects([f"5714de{low & 0xFF:02x}{low:016x}" for low in bits.tolist()])


def _quote_longest(title: str) -> str:
    longest = max(title.split(), key=len)
    return title.replace(longest, f'"{longest}"', 1)


def _plus(text: str) -> str:
    return quote(text.replace(" ", "+"), safe="+")


def _words(words: list[str] | tuple[str, ...]) -> Array:
    return np.array(words, dtype=object)


def _objects(values: list[str]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
