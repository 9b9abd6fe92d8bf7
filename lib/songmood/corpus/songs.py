"""ingest: song records of every layout WASABI is published in, as one table of songs.

Files are read as lines and each line is parsed with an explicit schema of strings, so a broken line
is one reject and costs no other record; only then are numbers, years and ids taken from the strings.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import reduce
from typing import NamedTuple

import pyarrow.parquet as pq
from pyarrow import ArrowInvalid
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from songmood.corpus.files import PEEK_BYTES, CsvHeader, peek, read_header, split_cells, split_lines
from songmood.corpus.lines import filled, object_id, parse_json, read_lines
from songmood.engine.errors import UserError
from songmood.engine.store import open_filesystem
from songmood.names.normalize import unescaped
from songmood.names.words import LANGUAGE_CODES
from songmood.tables import SONGS

# Where each column of `songs` comes from: WASABI's names first, then the table's own.
SOURCES = {
    "song_id": ("_id", "song_id"),
    "artist": ("artist",),
    "title": ("title",),
    "album": ("albumTitle", "album"),
    "album_id": ("id_album", "album_id"),
    "year": ("publicationDateAlbum", "year"),
    "spotify_id": ("urlSpotify", "spotify_id"),
    "lastfm_id": ("lastfm_id", "urlLastFm"),
    "isrc": ("isrc",),
    "musicbrainz_id": ("id_song_musicbrainz", "musicbrainz_id"),
    "language": ("language_detect", "language"),  # where the first is not known, the second
    "duration_s": ("length", "duration_s"),
    "popularity": ("rank", "popularity"),
}
SONG_FIELDS = tuple(name for names in SOURCES.values() for name in names)
ALBUM_FIELDS = ("_id", "title", "name", "id_artist", "publicationDate")
ARTIST_FIELDS = ("_id", "name")
REQUIRED = (
    "song_id",
    "artist",
    "title",
)  # columns a CSV or Parquet file must have; their values may be empty

NO_LANGUAGE = ("zxx", "mul", "mis", "und", "unknown", "none")  # no words, several, not known

# Text that the Zenodo dump quotes as in addresses, and addresses, which it quotes once more.
NAMES = ("artist", "title", "albumTitle", "name")
ADDRESSES = ("urlSpotify", "urlLastFm")

DUPLICATE = "duplicate_song_id"  # the reason of a reject that could be read
UNCLOSED_QUOTE = "unclosed_quote"
# columns that may hold lyrics; explicitLyrics says only what kind they are
_WORDS = re.compile(r"^(?!explicit).*(?:lyric|text|words|verse|chorus|summary)", re.IGNORECASE)
_YEAR = r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)"
_SHORT_YEAR = r"^'?(\d\d)$"
_THIS_CENTURY = 30  # '29 is 2029 at most, '30 is 1930
_CLOCK = r"^(?:(\d+):)?(\d+):(\d\d)$"  # 1:02:03 or 1:58
_MINUTES = r"^()(\d+)\s*m(?:in(?:ute)?s?)?\.?\s*(?:(\d+)\s*s?(?:ec(?:ond)?s?)?\.?)?$"  # 1m 58sec
_SECONDS = r"^(\d+(?:\.\d*)?)\s*s(?:ec(?:ond)?s?)?\.?$"  # 118 sec
_LONGEST_S = 10_000  # no song is longer: a greater length is in milliseconds
_LONGEST_MIN = 20  # and a smaller one with a fraction, such as 3.65, is in minutes
_SPOTIFY_ID = r"(?:^|[^0-9A-Za-z])([0-9A-Za-z]{22})(?:\?.*)?$"  # alone, or at the end of an address
_BROKEN = "broken"  # the column that Spark's parsers put a line in that they cannot parse


class Records(NamedTuple):
    """What the files of a corpus hold, all strings.

    Each frame has `source` (file), `raw` (what may be shown of the record), `record_hash`, `problem`
    (null if it was read) and its fields. `songs` are complete; `json_songs` may leave artist, album and
    date to `albums` and `artists`. `ignored` are files of no known kind.
    """

    songs: DataFrame
    json_songs: DataFrame
    albums: DataFrame
    artists: DataFrame
    ignored: list[str]


class Songs(NamedTuple):
    """`checked` is the frame that both tables come from: compute it once."""

    songs: DataFrame
    rejects: DataFrame
    checked: DataFrame


# -- files to records --------------------------------------------------------------------------


def read_records(spark: SparkSession, files: Sequence[str], max_line_bytes: int) -> Records:
    """The records of song files in any of WASABI's layouts, plain or .gz, in any mixture.

    Looks at the head and the tail of each file now; the rest is read when the frames are. A line of
    more than `max_line_bytes` is a problem and never in memory. Raises UserError for a file
    without columns for id, artist and title, for song records without artists where there are no album
    records, and for a file that ends within a record.
    """
    csv_files: dict[CsvHeader, list[str]] = defaultdict(list)
    parquet_files: dict[str, list[str]] = defaultdict(list)  # by schema
    json_files: dict[str, list[str]] = {"song": [], "album": [], "artist": []}
    ignored = []
    for file in files:
        stem, extension = os.path.splitext(file.lower().removesuffix(".gz"))
        if extension in (".csv", ".tsv"):
            header = _check_csv(file)
            if header is not None:
                csv_files[header].append(file)
        elif extension in (".jsonl", ".ndjson", ".json"):
            kind = re.search(r"(?:^|/)(album|artist)s?(?:[._-][^/]*)?(?:/[^/]*)?$", stem.split("/songs/")[-1])
            _check_tail(file, _is_cut_json)
            json_files[kind[1] if kind else "song"].append(file)
        elif extension == ".parquet":
            parquet_files[_check_parquet(file)].append(file)
        else:
            ignored.append(file)
    if json_files["song"] and not json_files["album"]:
        _require_artist(json_files["song"][0])

    def read_json(kind: str, fields: Sequence[str]) -> DataFrame:
        return _json_records(read_lines(spark, json_files[kind], max_line_bytes), fields)

    frames = [_csv_records(read_lines(spark, group, max_line_bytes), h) for h, group in csv_files.items()]
    frames += [_parquet_records(spark.read.parquet(*group)) for group in parquet_files.values()]
    json_songs = read_json("song", SONG_FIELDS)
    return Records(
        songs=reduce(DataFrame.unionByName, frames) if frames else json_songs.limit(0),
        json_songs=json_songs,
        albums=read_json("album", ALBUM_FIELDS),
        artists=read_json("artist", ARTIST_FIELDS),
        ignored=ignored,
    )


def _check_csv(file: str) -> CsvHeader | None:
    header = read_header(file)
    if header is not None:
        _require(header.columns, file)
        columns, separator = len(header.columns), header.separator
        _check_tail(file, lambda line: len(split_cells(line, separator)) < columns)
    return header


def _check_parquet(file: str) -> str:
    """The schema of a Parquet file, as text."""
    filesystem, path = open_filesystem(file)
    try:
        schema = pq.read_schema(path, filesystem=filesystem)
    except (OSError, ArrowInvalid):
        raise UserError(f"{file} is damaged or cut off: fetch it again") from None
    _require(schema.names, file)
    return str([(field.name, str(field.type)) for field in schema])


def _require(columns: Sequence[str], file: str) -> None:
    for name in REQUIRED:
        if not set(SOURCES[name]) & set(columns):
            wanted = " or ".join(SOURCES[name])
            raise UserError(f"{file} has no column {wanted}: song files need an id, an artist and a title")


def _require_artist(file: str) -> None:
    for line in peek(file)[:2]:  # an array may begin with a line of its own
        with suppress(ValueError):
            first = json.loads(_bare_json(line))
            if isinstance(first, dict) and "artist" not in first:
                raise UserError(
                    f"{file} names no artists: put the album.jsonl (or .json) that does beside it"
                )


def _check_tail(file: str, is_cut: Callable[[str], bool]) -> None:
    # A broken record in the middle of a file is a reject; at its very end it says that more is lost.
    tail = _tail(file)
    lines = split_lines(tail)
    if lines and not tail.endswith(b"\n") and len(lines[-1]) < PEEK_BYTES and is_cut(lines[-1]):
        raise UserError(f"{file} ends in the middle of a record, so it was cut off: fetch it again")


def _is_cut_json(line: str) -> bool:
    text = _bare_json(line)
    try:
        json.loads(f"[{text}]")
    except ValueError:
        return text.startswith("{")
    return False


def _bare_json(line: str) -> str:
    return line.strip().removeprefix("[").rstrip(",] ")


def _tail(file: str) -> bytes:
    """The last bytes of a file; nothing for a compressed one, which fails when it is read."""
    if file.lower().endswith(".gz"):
        return b""
    filesystem, path = open_filesystem(file)
    with filesystem.open_input_file(path) as stream:
        return bytes(stream.read_at(PEEK_BYTES, max(0, stream.size() - PEEK_BYTES)))


def _csv_records(lines: DataFrame, header: CsvHeader) -> DataFrame:
    """Records from CSV lines of one header; a value that goes on in the next line is a problem of both."""
    schema = ", ".join([*(f"c{i} string" for i in range(len(header.columns))), f"{_BROKEN} string"])
    # Doubled quotes: Spark's default, a backslash, spoils titles that hold quotes.
    options = {"sep": header.separator, "quote": '"', "escape": '"', "columnNameOfCorruptRecord": _BROKEN}
    rows = lines.where(F.col("raw") != header.line).withColumn(
        "record", F.when(F.col("problem").isNull(), F.from_csv("raw", schema, options))
    )
    places = {name: f"c{header.columns.index(name)}" for name in SONG_FIELDS if name in header.columns}
    problem = F.when(_has_unclosed_quote(header.separator), UNCLOSED_QUOTE).when(
        F.col(f"record.{_BROKEN}").isNotNull(), "wrong_number_of_columns"
    )
    rows = rows.withColumn("problem", F.coalesce("problem", problem))
    raw = F.col("raw")
    if any(_WORDS.match(name) for name in header.columns):  # a broken line's first cell may be lyrics, too
        read = F.struct(*(F.col(f"record.{place}").alias(name) for name, place in places.items()))
        raw = F.when(F.col("problem").isNull(), F.to_json(read))
    return _records(rows, SONG_FIELDS, places, raw)


def _has_unclosed_quote(separator: str) -> Column:
    # Spark would take the rest of the line for the value. Possessive, or a long line overflows the stack.
    inner = '"(?:[^"]|"")*+'
    cell = f'(?:{inner}"|[^"{separator}][^{separator}]*+)?{separator}'
    return F.col("raw").contains('"') & F.col("raw").rlike(f"^(?:{cell})*+{inner}$")


def _json_records(lines: DataFrame, fields: Sequence[str]) -> DataFrame:
    """Records from JSON lines, with the strings of the Zenodo dump as they are meant."""
    rows = parse_json(lines, ", ".join(f"{name} string" for name in fields))
    # of a broken line only known fields are shown, and whole ones: the rest may be lyrics
    known = rf"""(?:{"|".join(fields)})"\s*:\s*(?:"(?:[^"\\]|\\.)*+"|[\d.]++|\{{\s*"\$oid"[^{{}}]*+\}})"""
    pairs = F.regexp_extract_all(F.substring("raw", 1, 4000), F.lit(f'"{known}'), F.lit(0))
    raw = F.coalesce(F.to_json("record"), F.concat_ws(", ", pairs))
    records = _records(rows, fields, {name: name for name in fields}, raw)
    names = [name for name in NAMES if name in fields]
    addresses = [name for name in ADDRESSES if name in fields]
    is_quoted = _is_quoted(names)
    return records.withColumns(
        {name: _unquoted(name, is_quoted) for name in names}
        | {name: _unquoted(name, F.col(name).rlike("^https?%3A")) for name in addresses}
    )


def _is_quoted(names: Sequence[str]) -> Column:
    """Whether a record is of the Zenodo dump and its names are quoted as in addresses.

    They are if its id is an object and no name has a blank, a letter beyond ASCII or a % that begins no
    %XX: quoting would have left none. So 'Don%27t%20Stop' is, and 'The 100%41' is not.
    """
    never_quoted = F.concat_ws("/", *names).rlike(r"[^\x21-\x7e]|%(?![0-9A-Fa-f]{2})")
    return F.col("_id").contains('"$oid"') & ~never_quoted


def _unquoted(name: str, is_quoted: Column) -> Column:
    # A + is a plus: the dump writes a blank as %20.
    decoded = F.url_decode(F.regexp_replace(name, r"\+", "%2B"))
    return F.when(is_quoted & ~decoded.contains("\ufffd"), decoded).otherwise(F.col(name))


def _parquet_records(rows: DataFrame) -> DataFrame:
    """Records from Parquet files of one schema."""
    fields = [name for name in SONG_FIELDS if name in rows.columns]
    nested = {f.name for f in rows.schema.fields if isinstance(f.dataType, StructType)}
    texts = [(F.to_json(f) if f in nested else F.col(f).cast("string")).alias(f) for f in fields]
    rows = rows.select(
        F.col("_metadata.file_path").alias("file"),
        F.sha2(F.to_json(F.struct(*fields)), 256).alias("record_hash"),
        F.struct(*texts).alias("record"),
        F.lit(None).cast("string").alias("problem"),
    )
    return _records(rows, SONG_FIELDS, {name: name for name in fields}, F.to_json("record"))


def _records(rows: DataFrame, fields: Sequence[str], places: dict[str, str], raw: Column) -> DataFrame:
    """Rows of `file`, `record_hash`, `problem` and `record` (each field at its place) as records."""
    nothing = F.lit(None).cast("string")
    texts = [F.col(f"record.{places[name]}") if name in places else nothing for name in fields]
    return rows.select(
        F.concat(F.lit("songs/"), F.substring_index("file", "/songs/", -1)).alias("source"),
        "record_hash",
        F.substring(raw, 1, 1000).alias("raw"),
        "problem",
        *(filled(text).alias(name) for name, text in zip(fields, texts, strict=True)),
    )


# -- records to songs --------------------------------------------------------------------------


def make_songs(records: Records) -> Songs:
    """The table of songs, and the records that are none, with the reason.

    Songs in JSON get the album, year and artist they lack from the album and artist records; songs of
    CSV and Parquet are as they are. A second record of a song id is a reject; of several, the first by
    file and hash stays. Everything is read from strings: '' is null, numbers and years that are none are
    null.
    """
    songs = _joined(records)
    texts = {name: unescaped(F.col(name)) for name in ("artist", "title", "album")}
    columns = {
        **{name: filled(text) for name, text in texts.items()},
        "song_id": object_id(F.col("song_id")),
        "year": _year("year"),
        "spotify_id": filled(F.regexp_extract("spotify_id", _SPOTIFY_ID, 1)),
        "isrc": F.upper(F.regexp_replace("isrc", r"[\s-]", "")),
        "language": F.coalesce(_language("language_detect"), _language("language")),
        "duration_s": _seconds("duration_s"),
        "popularity": _number("popularity").cast("long"),
    }
    songs = songs.withColumns(columns)
    one_song = Window.partitionBy(F.coalesce("song_id", "record_hash")).orderBy(
        F.col("problem").asc_nulls_first(), "source", "record_hash"
    )
    problem = F.coalesce(
        "problem",
        F.when(F.col("song_id").isNull(), "no_song_id"),
        F.when(F.row_number().over(one_song) > 1, DUPLICATE),
    )
    kept = ("source", "record_hash", "raw", *SONGS.column_names)
    checked = songs.withColumn("problem", problem).select("problem", *kept)
    bad = checked.where("problem IS NOT NULL").select("source", "record_hash", "raw", "problem")
    for others in (records.albums, records.artists):
        why = F.coalesce("problem", F.when(F.col("_id").isNull(), "no_id"))
        bad = bad.unionByName(
            others.withColumn("problem", why).where("problem IS NOT NULL").select(*bad.columns)
        )
    rejects = bad.groupBy("source", "record_hash").agg(
        F.min("problem").alias("reason"), F.count("*").alias("count"), F.min("raw").alias("raw")
    )
    return Songs(checked.where("problem IS NULL").select(*SONGS.column_names), rejects, checked)


def _joined(records: Records) -> DataFrame:
    """Song records under the names of table `songs`, with what album and artist records say of them."""
    artists = _one_each(records.artists, "artist_key").select(
        "artist_key", F.col("name").alias("artist_name")
    )
    albums = (
        _one_each(records.albums, "album_key")
        .withColumn("artist_key", object_id(F.col("id_artist")))
        .join(artists, "artist_key", "left")
        .select(
            F.col("album_key").alias("album_id"),
            F.coalesce("artist_name", "name").alias("album_artist"),
            F.col("title").alias("album_title"),
            F.col("publicationDate").alias("album_date"),
        )
    )
    joined = _as_songs(records.json_songs).join(albums, "album_id", "left")
    joined = joined.withColumns(
        {
            "artist": F.coalesce("artist", "album_artist"),
            "album": F.coalesce("album", "album_title"),
            "year": F.coalesce("year", "album_date"),
        }
    )
    return _as_songs(records.songs).unionByName(joined.drop("album_artist", "album_title", "album_date"))


def _as_songs(records: DataFrame) -> DataFrame:
    names = {name: F.coalesce(*sources) for name, sources in SOURCES.items() if name != "language"}
    return records.withColumns({**names, "album_id": object_id(F.coalesce(*SOURCES["album_id"]))})


def _one_each(records: DataFrame, key: str) -> DataFrame:
    """One record for each id; of several the first by content."""
    fields = [name for name in records.columns if name not in ("source", "raw", "record_hash", "problem")]
    read = (
        records.where("problem IS NULL").withColumn(key, object_id(F.col("_id"))).where(f"{key} IS NOT NULL")
    )
    return read.groupBy(key).agg(F.min(F.struct(*fields)).alias("record")).select(key, "record.*")


def _number(name: str) -> Column:
    pattern = r"^([+-]?\d{1,15}(?:\.\d*)?(?:[eE][+-]?\d\d?)?)$"
    return filled(F.regexp_extract(name, pattern, 1)).cast("double")


def _year(name: str) -> Column:
    """The year of '1975', '1975-03-21', '75 and 75."""
    short = filled(F.regexp_extract(name, _SHORT_YEAR, 1)).cast("int")
    century = F.when(short < _THIS_CENTURY, 2000).otherwise(1900)
    return F.coalesce(filled(F.regexp_extract(name, _YEAR, 1)).cast("int"), century + short)


def _seconds(name: str) -> Column:
    """A length in seconds, from seconds ('118', '118 sec'), milliseconds, minutes ('1.97'), '1:58' or
    '1m 58sec'."""
    number = F.coalesce(_number(name), filled(F.regexp_extract(name, _SECONDS, 1)).cast("double"))
    spelled = F.coalesce(*(_spelled_seconds(name, pattern) for pattern in (_CLOCK, _MINUTES)))
    in_minutes = (number < _LONGEST_MIN) & (number != F.floor(number))
    in_seconds = F.when(number >= _LONGEST_S, number / 1000).when(in_minutes, number * 60).otherwise(number)
    length = F.coalesce(in_seconds, spelled)
    return F.when(length > 0, length)


def _spelled_seconds(name: str, pattern: str) -> Column:
    """Hours, minutes and seconds of a pattern's three groups, as seconds."""
    parts = (filled(F.regexp_extract(name, pattern, group)).cast("double") for group in (1, 2, 3))
    hours, minutes, seconds = (F.coalesce(part, F.lit(0.0)) for part in parts)
    return F.when(F.col(name).rlike(pattern), 3600 * hours + 60 * minutes + seconds)


def _language(name: str) -> Column:
    """The lower-case English name of a language given by name, code or the name's beginning ('Fre.')."""
    given = F.lower(F.rtrim(F.regexp_replace(F.substring_index(F.col(name), "-", 1), r"\.$", "")))
    # one literal: create_map would take two for each of 300 forms
    known = F.from_json(F.lit(json.dumps(_LANGUAGE_FORMS)), "map<string,string>")
    return F.when(~given.isin(*NO_LANGUAGE), F.coalesce(known[given], given))


def _language_forms() -> dict[str, str]:
    names = set(LANGUAGE_CODES.values())
    begun = {name[:length]: name for name in names for length in range(3, len(name) + 1)}
    alone = {start: name for start, name in begun.items() if sum(n.startswith(start) for n in names) == 1}
    return alone | {name: name for name in names} | LANGUAGE_CODES


_LANGUAGE_FORMS = _language_forms()
