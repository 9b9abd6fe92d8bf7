"""The fields of song, album and artist records, as WASABI names them."""

from __future__ import annotations

# Where each column of `songs` comes from: WASABI's names first, then the table's own.
SOURCES = {
    "song_id": ("_id", "song_id"),
    "artist": ("artist",),
    "title": ("title",),
    "album": ("albumTitle", "album"),
    "album_id": ("id_album", "album_id"),
    # WASABI's position counts from 0, the others count from 1
    "track_number": ("track_number", "trackNumber", "number", "track", "position"),
    "year": ("publicationDateAlbum", "year"),
    "spotify_id": ("urlSpotify", "spotify_id"),
    "lastfm_id": ("lastfm_id", "urlLastFm"),
    "isrc": ("isrc",),
    "musicbrainz_id": ("id_song_musicbrainz", "musicbrainz_id"),
    "language": ("language_detect", "language"),  # the second if the first is missing
    "duration_s": ("length", "duration_s"),
    "popularity": ("rank", "popularity"),
}
SONG_FIELDS = tuple(name for names in SOURCES.values() for name in names)
ALBUM_FIELDS = ("_id", "title", "name", "id_artist", "publicationDate")
ARTIST_FIELDS = ("_id", "name")
# The columns that a CSV or Parquet file must have; their values may be empty.
REQUIRED = ("song_id", "artist", "title")

# The Zenodo dump percent-encodes names, and encodes addresses a second time.
NAMES = ("artist", "title", "albumTitle", "name")
ADDRESSES = ("urlSpotify", "urlLastFm")
