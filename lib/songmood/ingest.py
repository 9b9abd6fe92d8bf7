"""ingest: song records of every layout WASABI is published in, as one table of songs.

Files are read as lines and each line is parsed with an explicit schema of strings, so a broken line
is one reject and costs no other record; only then are numbers, years and ids taken from the strings.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import pyarrow.parquet as pq
from pyarrow import ArrowInvalid
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from songmood.errors import SongmoodError
from songmood.names import unescaped
from songmood.store import open_filesystem
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

# ISO 639 codes, as MusicBrainz gives them, of the languages that WASABI's detector names.
LANGUAGES = {
    **{"afr": "afrikaans", "ara": "arabic", "bul": "bulgarian", "cat": "catalan", "ces": "czech"},
    **{"cym": "welsh", "dan": "danish", "deu": "german", "ell": "greek", "eng": "english"},
    **{"est": "estonian", "eus": "basque", "fas": "persian", "fin": "finnish", "fra": "french"},
    **{"gle": "irish", "glg": "galician", "heb": "hebrew", "hin": "hindi", "hrv": "croatian"},
    **{"hun": "hungarian", "ind": "indonesian", "isl": "icelandic", "ita": "italian", "jpn": "japanese"},
    **{"kor": "korean", "lat": "latin", "lav": "latvian", "lit": "lithuanian", "nld": "dutch"},
    **{"nor": "norwegian", "pol": "polish", "por": "portuguese", "ron": "romanian", "rus": "russian"},
    **{"slk": "slovak", "slv": "slovene", "spa": "spanish", "sqi": "albanian", "srp": "serbian"},
    **{"swa": "swahili", "swe": "swedish", "tgl": "tagalog", "tha": "thai", "tur": "turkish"},
    **{"ukr": "ukrainian", "vie": "vietnamese", "zho": "chinese"},
    **{"en": "english", "fr": "french", "de": "german", "es": "spanish", "it": "italian"},
    **{"pt": "portuguese", "nl": "dutch", "sv": "swedish", "ja": "japanese", "zh": "chinese"},
}
NO_LANGUAGE = ("zxx", "mul", "mis", "und", "unknown", "none")  # no words, several, not known

DUPLICATE = "duplicate_song_id"  # the reason of a reject that could be read
PEEK_BYTES = 2**20
_YEAR = r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)"
_SPOTIFY_ID = r"(?:^|[^0-9A-Za-z])([0-9A-Za-z]{22})(?:\?.*)?$"  # alone, or at the end of an address
_BROKEN = "broken"  # the column that Spark's parsers put a line in that they cannot parse


class Records(NamedTuple):
    """What the files of a corpus hold, all strings.

    Each frame has `source` (file), `raw` (the record's text, cut), `record_hash`, `problem` (null if
    it was read) and its fields. `ignored` are files of no known kind.
    """

    songs: DataFrame
    albums: DataFrame
    artists: DataFrame
    ignored: list[str]


class Ingested(NamedTuple):
    """`checked` is the frame that both tables come from: compute it once."""

    songs: DataFrame
    rejects: DataFrame
    checked: DataFrame


# -- files to records --------------------------------------------------------------------------


def read_records(spark: SparkSession, files: Sequence[str]) -> Records:
    """The records of song files in any of WASABI's layouts, plain or .gz, in any mixture.

    Looks at the head and the tail of each file now; the rest is read when the frames are.
    Raises SongmoodError for a file without columns for id, artist and title, for song records
    without artists where there are no album records, and for a file that ends within a record.
    """
    csv_files: dict[str, list[str]] = defaultdict(list)  # by header
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
    songs = _parse_json(_read_lines(spark, json_files["song"]), SONG_FIELDS)
    for header, group in csv_files.items():
        songs = songs.unionByName(_parse_csv(_read_lines(spark, group), header))
    for group in parquet_files.values():
        songs = songs.unionByName(_read_parquet(spark, group))
    albums = _parse_json(_read_lines(spark, json_files["album"]), ALBUM_FIELDS)
    artists = _parse_json(_read_lines(spark, json_files["artist"]), ARTIST_FIELDS)
    return Records(songs, albums, artists, ignored)


def _check_csv(file: str) -> str | None:
    """The header of a CSV file; None for an empty file."""
    header = next(iter(_lines(_head(file))), None)
    if header is not None:
        _require(_cells(header), file)
        columns = len(_cells(header))
        _check_tail(file, lambda line: len(_cells(line, like=header)) < columns)
    return header


def _check_parquet(file: str) -> str:
    """The schema of a Parquet file, as text."""
    filesystem, path = open_filesystem(file)
    try:
        schema = pq.read_schema(path, filesystem=filesystem)
    except (OSError, ArrowInvalid):
        raise SongmoodError(f"{file} is damaged or cut off: fetch it again") from None
    _require(schema.names, file)
    return str([(field.name, str(field.type)) for field in schema])


def _require(columns: Sequence[str], file: str) -> None:
    for name in REQUIRED:
        if not set(SOURCES[name]) & set(columns):
            wanted = " or ".join(SOURCES[name])
            raise SongmoodError(
                f"{file} has no column {wanted}: song files need an id, an artist and a title"
            )


def _require_artist(file: str) -> None:
    for line in _lines(_head(file))[:1]:
        with suppress(ValueError):
            if "artist" not in json.loads(_bare_json(line)):
                raise SongmoodError(f"{file} names no artists: put the album.jsonl that does beside it")


def _check_tail(file: str, is_cut: Callable[[str], bool]) -> None:
    # A broken record in the middle of a file is a reject; at its very end it says that more is lost.
    lines = _lines(tail := _tail(file))
    if lines and not tail.endswith("\n") and len(lines[-1]) < PEEK_BYTES and is_cut(lines[-1]):
        raise SongmoodError(f"{file} ends in the middle of a record, so it was cut off: fetch it again")


def _is_cut_json(line: str) -> bool:
    text = _bare_json(line)
    try:
        json.loads(text)
    except ValueError:
        return text.startswith("{")
    return False


def _bare_json(line: str) -> str:
    return line.strip().removeprefix("[").rstrip(",] ")


def _head(file: str) -> str:
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            return str(stream.read(PEEK_BYTES).decode("utf-8", errors="replace"))
    except OSError as error:
        raise SongmoodError(f"{file} cannot be read ({error}): fetch it again") from None


def _tail(file: str) -> str:
    """The last bytes of a file as text; nothing for a compressed one, which fails when it is read."""
    if file.lower().endswith(".gz"):
        return ""
    filesystem, path = open_filesystem(file)
    with filesystem.open_input_file(path) as stream:
        last = stream.read_at(PEEK_BYTES, max(0, stream.size() - PEEK_BYTES))
    return str(last.decode("utf-8", errors="replace"))


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")) if line.strip()]


def _delimiter(header: str) -> str:
    return "\t" if "\t" in header else ","


def _cells(line: str, like: str | None = None) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=_delimiter(like or line)))]


def _read_lines(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    """Lines with the file each is from; blank ones are left out."""
    if not files:
        return spark.createDataFrame([], "source string, raw string")
    lines = spark.read.text(list(files)).select(_source(), F.col("value").alias("raw"))
    if len(files) < spark.sparkContext.defaultParallelism and any(f.lower().endswith(".gz") for f in files):
        lines = lines.repartition("raw")  # a .gz is read by one task, however large
    return lines.where(F.col("raw").rlike(r"\S"))


def _source() -> Column:
    inner = F.substring_index(F.col("_metadata.file_path"), "/songs/", -1)
    return F.concat(F.lit("songs/"), inner).alias("source")


def _parse_csv(lines: DataFrame, header: str) -> DataFrame:
    columns = _cells(header)
    schema = ", ".join([*(f"c{i} string" for i in range(len(columns))), f"{_BROKEN} string"])
    # Doubled quotes: Spark's default, a backslash, spoils titles that hold quotes.
    options = {"sep": _delimiter(header), "quote": '"', "escape": '"', "columnNameOfCorruptRecord": _BROKEN}
    rows = lines.where(F.col("raw") != header).withColumn("parsed", F.from_csv("raw", schema, options))
    places = {name: f"c{columns.index(name)}" for name in SONG_FIELDS if name in columns}
    return _records(rows, SONG_FIELDS, places, "wrong_number_of_columns")


def _parse_json(lines: DataFrame, fields: Sequence[str]) -> DataFrame:
    """Records from JSON lines, or from an array that has a record a line."""
    bare = F.regexp_replace("raw", r"^\s*\[\s*(?=\{)|(?<=\})\s*[,\]][,\]\s]*$", "")
    schema = ", ".join(f"{name} string" for name in (*fields, _BROKEN))
    rows = lines.where(~F.col("raw").rlike(r"^\s*[\[\]]\s*,?\s*$"))
    rows = rows.withColumn("parsed", F.from_json(bare, schema, {"columnNameOfCorruptRecord": _BROKEN}))
    return _records(rows, fields, {name: name for name in fields}, "broken_json")


def _read_parquet(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    """Records from Parquet files of one schema."""
    rows = spark.read.parquet(*files)
    fields = [name for name in SONG_FIELDS if name in rows.columns]
    nested = {f.name for f in rows.schema.fields if isinstance(f.dataType, StructType)}
    texts = [(F.to_json(f) if f in nested else F.col(f).cast("string")).alias(f) for f in fields]
    no_problem = F.lit(None).cast("string").alias(_BROKEN)
    rows = rows.select(
        _source(), F.to_json(F.struct(*fields)).alias("raw"), F.struct(*texts, no_problem).alias("parsed")
    )
    return _records(rows, SONG_FIELDS, {name: name for name in fields}, "")


def _records(rows: DataFrame, fields: Sequence[str], places: dict[str, str], problem: str) -> DataFrame:
    """Rows of `source`, `raw` and `parsed` (each field at its place) as records."""
    nothing = F.lit(None).cast("string")
    texts = [F.col(f"parsed.{places[name]}") if name in places else nothing for name in fields]
    return rows.select(
        "source",
        F.sha2("raw", 256).alias("record_hash"),
        F.substring("raw", 1, 1000).alias("raw"),
        F.when(F.col(f"parsed.{_BROKEN}").isNotNull(), problem).alias("problem"),
        *(_filled(text).alias(name) for name, text in zip(fields, texts, strict=True)),
    )


# -- records to songs --------------------------------------------------------------------------


def ingest_songs(records: Records) -> Ingested:
    """The table of songs, and the records that are none, with the reason.

    Songs of the API's layout get album, year and artist from the album and artist records. A second
    record of a song id is a reject; of several, the first by file and hash stays. Everything is read
    from strings: '' is null, numbers and years that are none are null.
    """
    songs = _joined(records)
    texts = {name: unescaped(F.col(name)) for name in ("artist", "title", "album")}
    columns = {
        **{name: _filled(text) for name, text in texts.items()},
        "song_id": _object_id("song_id"),
        "year": _filled(F.regexp_extract("year", _YEAR, 1)).cast("int"),
        "spotify_id": _filled(F.regexp_extract("spotify_id", _SPOTIFY_ID, 1)),
        "isrc": F.upper(F.regexp_replace("isrc", r"[\s-]", "")),
        "language": F.coalesce(_language("language_detect"), _language("language")),
        "duration_s": F.when(_number("duration_s") > 0, _number("duration_s")),
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
    return Ingested(checked.where("problem IS NULL").select(*SONGS.column_names), rejects, checked)


def _joined(records: Records) -> DataFrame:
    """Song records under the names of table `songs`, with what album and artist records say of them."""
    artists = _one_each(records.artists, "artist_key").select(
        "artist_key", F.col("name").alias("artist_name")
    )
    albums = (
        _one_each(records.albums, "album_key")
        .withColumn("artist_key", _object_id("id_artist"))
        .join(artists, "artist_key", "left")
        .select(
            F.col("album_key").alias("album_id"),
            F.coalesce("artist_name", "name").alias("album_artist"),
            F.col("title").alias("album_title"),
            F.col("publicationDate").alias("album_date"),
        )
    )
    names = {name: F.coalesce(*sources) for name, sources in SOURCES.items() if name != "language"}
    songs = records.songs.withColumns({**names, "album_id": _object_id_of(F.coalesce(*SOURCES["album_id"]))})
    return songs.join(albums, "album_id", "left").withColumns(
        {
            "artist": F.coalesce("artist", "album_artist"),
            "album": F.coalesce("album", "album_title"),
            "year": F.coalesce("year", "album_date"),
        }
    )


def _one_each(records: DataFrame, key: str) -> DataFrame:
    """One record for each id; of several the first by content."""
    fields = [name for name in records.columns if name not in ("source", "raw", "record_hash", "problem")]
    read = records.where("problem IS NULL").withColumn(key, _object_id("_id")).where(f"{key} IS NOT NULL")
    return read.groupBy(key).agg(F.min(F.struct(*fields)).alias("record")).select(key, "record.*")


def _filled(text: Column) -> Column:
    trimmed = F.trim(text)
    return F.when(trimmed != "", trimmed)


def _object_id(name: str) -> Column:
    """A MongoDB id as it is, as {"$oid": ...} or as ObjectId(...)."""
    return _object_id_of(F.col(name))


def _object_id_of(text: Column) -> Column:
    inner = F.regexp_extract(text, r"""(?:"\$oid"\s*:\s*"|^ObjectId\(["']?)([^"')]+)""", 1)
    return F.coalesce(_filled(inner), text)


def _number(name: str) -> Column:
    pattern = r"^([+-]?\d{1,15}(?:\.\d*)?(?:[eE][+-]?\d\d?)?)$"
    return _filled(F.regexp_extract(name, pattern, 1)).cast("double")


def _language(name: str) -> Column:
    """The lower-case English name of a language given by name or code."""
    given = F.lower(F.substring_index(F.col(name), "-", 1))
    known = F.create_map(*(F.lit(text) for pair in LANGUAGES.items() for text in pair))
    return F.when(~given.isin(*NO_LANGUAGE), F.coalesce(known[given], given))
