"""The song records of the demo corpus, and their quirks."""

from __future__ import annotations

from urllib.parse import quote

import numpy as np
import pandas as pd

from songmood.demo import ids
from songmood.demo.albums import album_numbers, album_titles, album_years, track_numbers
from songmood.demo.draws import Array, Draws, strings
from songmood.demo.names import artist_names, row_titles, song_titles
from songmood.demo.rows import Rows, partners
from songmood.demo.words import GENRES, OTHER_LANGUAGES

# Shares, so that about 1,300 of 2,000 songs pass the paper's filter. One in forty-five of WASABI's songs
# passes it; with that share, most of the demo's rows would be lost at once.
ENGLISH = 0.85  # of artists
NO_LANGUAGE = 0.02  # of rows: neither language nor language_detect
LANGUAGE_CODE = 0.3  # of rows: `language` is filled too, as 'eng'
NO_ISRC, NO_MUSICBRAINZ, NO_DEEZER, NO_LENGTH, NO_BPM = 0.35, 0.3, 0.3, 0.15, 0.4  # of rows

_LANGUAGE_CODES = {"english": "eng", "spanish": "spa", "german": "deu", "french": "fra", "italian": "ita"}


def make_songs(draws: Draws, rows: Rows) -> pd.DataFrame:
    """WASABI's columns for each row: `album_` and `artist_` ones belong to the row's album and its artist.

    Missing strings are empty. Numbers are strings except for rank, as the API has them.
    """
    row, take = rows.row, rows.take
    artist = np.where(rows.is_kind("duet"), partners(draws, rows), rows.artist)
    name, title = artist_names(draws, artist), row_titles(draws, rows)
    album = album_numbers(rows, artist)
    code, language = _language_columns(draws, rows)

    def maybe(column: str, rate: float, values: Array) -> Array:
        return np.where(draws.chance(f"no {column}", row, rate), "", values)

    made: pd.DataFrame = pd.DataFrame(
        {
            "_id": ids.song_ids(draws, row),
            "artist": name,
            "title": title,
            "albumTitle": album_titles(draws, album, name),
            "id_album": ids.object_ids(draws, "album id", album),
            "publicationDateAlbum": album_years(draws, album),
            "album_genre": strings(GENRES)[genres(draws, artist)],
            "urlSpotify": _spotify_addresses(draws, rows, title),
            "urlLastFm": _lastfm_addresses(draws, rows, name),
            "lastfm_id": np.where(ids.lacks_lastfm(draws, rows), "", ids.track_ids(draws, take)),
            "isrc": maybe("isrc", NO_ISRC, ids.isrcs(draws, rows)),
            "id_song_musicbrainz": maybe("musicbrainz", NO_MUSICBRAINZ, ids.musicbrainz_ids(draws, take)),
            "id_song_deezer": maybe("deezer", NO_DEEZER, ids.deezer_ids(draws, take)),
            "language": code,
            "language_detect": language,
            "length": maybe("length", NO_LENGTH, _lengths(draws, rows)),
            "number": _as_text(track_numbers(draws, rows)),
            "bpm": maybe("bpm", NO_BPM, _as_text(60 + draws.below("bpm", take, 120))),
            "rank": (1e6 * draws.uniform("rank", rows.song) ** 2).astype(np.int64),
            "explicitLyrics": draws.chance("explicit", rows.song, 0.05),
            "isClassic": draws.chance("classic", rows.song, 0.02),
            "artist_id": ids.object_ids(draws, "artist id", artist),
        }
    )
    return made


def languages(draws: Draws, artists: Array) -> Array:
    """The language each artist sings in."""
    choices = strings(OTHER_LANGUAGES)
    foreign = choices[draws.below("other language", artists, len(choices))]
    return np.where(draws.chance("english", artists, ENGLISH), "english", foreign)


def genres(draws: Draws, artists: Array) -> Array:
    """The genre of each artist, as a place in GENRES."""
    return draws.below("genre", artists, len(GENRES))


def _language_columns(draws: Draws, rows: Rows) -> tuple[Array, Array]:
    """The columns language (a code) and language_detect (a name)."""
    language = languages(draws, rows.artist)
    missing = draws.chance("no language", rows.row, NO_LANGUAGE)
    coded = draws.chance("language code", rows.row, LANGUAGE_CODE) & ~missing
    codes = np.vectorize(_LANGUAGE_CODES.get, otypes=[object])(language)
    return np.where(coded, codes, ""), np.where(missing, "", language)


def _lengths(draws: Draws, rows: Rows) -> Array:
    """Seconds; rows of one recording differ by two at most."""
    seconds = 150 + draws.below("length", rows.take, 150) + draws.below("length in row", rows.row, 3)
    return _as_text(seconds)


def _spotify_addresses(draws: Draws, rows: Rows, titles: Array) -> Array:
    spotify = ids.spotify_ids(draws, rows)
    address = np.where(spotify == "", "", "https://play.spotify.com/track/" + spotify)
    search = ids.has_search(draws, rows)
    address[search] = ["https://play.spotify.com/search/track%3A" + quote(t) for t in titles[search]]
    return address


def _lastfm_addresses(draws: Draws, rows: Rows, artists: Array) -> Array:
    titles = song_titles(draws, rows.artist, rows.index)
    address = np.full(len(titles), "", dtype=object)
    chosen = ids.has_lastfm_address(draws, rows)
    address[chosen] = [
        f"http://www.last.fm/music/{_plus(artist)}/_/{_plus(title)}"
        for artist, title in zip(artists[chosen], titles[chosen], strict=True)
    ]
    return address


def _plus(text: str) -> str:
    return quote(text.replace(" ", "+"), safe="+")


def _as_text(numbers: Array) -> Array:
    return numbers.astype(str).astype(object)
