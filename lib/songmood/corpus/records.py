"""Song records of every layout in which WASABI is published, as frames of strings.

Files are read as lines, and each line is parsed with an explicit schema of strings, so a broken line is one
reject and spoils no other record.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from songmood.corpus.checks import check_csv, check_json, check_parquet, require_artist
from songmood.corpus.fields import ADDRESSES, ALBUM_FIELDS, ARTIST_FIELDS, NAMES, SONG_FIELDS
from songmood.corpus.files import CsvHeader
from songmood.corpus.lines import filled, parse_json, read_lines

UNCLOSED_QUOTE = "unclosed_quote"
# The names of columns that may have lyrics; explicitLyrics is only a flag.
_LYRICS_COLUMN = re.compile(r"^(?!explicit).*(?:lyric|text|words|verse|chorus|summary)", re.IGNORECASE)
_BROKEN = "broken"  # the column in which Spark's parsers put a line that they cannot parse


class Records(NamedTuple):
    """The records of a corpus' song files.

    `songs` are the records of CSV and Parquet files; those of `json_songs` may have their artist, album and
    date in `albums` and `artists`. A frame is None if there are no files for it, because joins of empty
    frames take seconds, too. `ignored` are the files of other formats.

    Each frame has `source` (the file), `raw` (the parts of the record that may be shown), `record_hash`,
    `problem` (null if the record was read) and its fields, all strings.
    """

    songs: DataFrame | None
    json_songs: DataFrame | None
    albums: DataFrame | None
    artists: DataFrame | None
    ignored: list[str]


def read_records(spark: SparkSession, files: Sequence[str], max_line_bytes: int) -> Records:
    """The records of song files in any of WASABI's layouts, plain or .gz, in any mixture.

    The head and the tail of each file are read now, the rest when the frames are computed. A line of more
    than `max_line_bytes` becomes a problem and is never in memory. Raises UserError for a file without
    columns for id, artist and title, for song records without artists if there are no album records, and
    for a file that ends within a record.
    """
    csv_files: dict[CsvHeader, list[str]] = defaultdict(list)
    parquet_files: dict[str, list[str]] = defaultdict(list)  # by schema
    json_files: dict[str, list[str]] = {"song": [], "album": [], "artist": []}
    ignored = []
    for file in files:
        stem, extension = os.path.splitext(file.lower().removesuffix(".gz"))
        if extension in (".csv", ".tsv"):
            header = check_csv(file)
            if header is not None:
                csv_files[header].append(file)
        elif extension in (".jsonl", ".ndjson", ".json"):
            check_json(file)
            json_files[_kind_of_json(stem)].append(file)
        elif extension == ".parquet":
            parquet_files[check_parquet(file)].append(file)
        else:
            ignored.append(file)
    if json_files["song"] and not json_files["album"]:
        require_artist(json_files["song"][0])

    def read(group: Sequence[str]) -> DataFrame:
        return read_lines(spark, group, max_line_bytes)

    def read_json(kind: str, fields: Sequence[str]) -> DataFrame | None:
        return _json_records(read(json_files[kind]), fields) if json_files[kind] else None

    frames = [_csv_records(read(group), header) for header, group in csv_files.items()]
    frames += [_parquet_records(spark.read.parquet(*group)) for group in parquet_files.values()]
    json_songs = read_json("song", SONG_FIELDS)
    if not frames and json_songs is None:
        frames = [_json_records(read([]), SONG_FIELDS)]
    return Records(
        songs=reduce(DataFrame.unionByName, frames) if frames else None,
        json_songs=json_songs,
        albums=read_json("album", ALBUM_FIELDS),
        artists=read_json("artist", ARTIST_FIELDS),
        ignored=ignored,
    )


def _kind_of_json(stem: str) -> str:
    """The kind of the records of a JSON file, by its name without extensions: song, album or artist."""
    kind = re.search(r"(?:^|/)(album|artist)s?(?:[._-][^/]*)?(?:/[^/]*)?$", stem.split("/songs/")[-1])
    return kind[1] if kind else "song"


def _csv_records(lines: DataFrame, header: CsvHeader) -> DataFrame:
    """Records from CSV lines of one header. A value that continues in the next line makes both a problem."""
    schema = ", ".join([*(f"c{i} string" for i in range(len(header.columns))), f"{_BROKEN} string"])
    # Quotes are doubled: with Spark's default, a backslash, titles with quotes would be read wrong.
    options = {"sep": header.separator, "quote": '"', "escape": '"', "columnNameOfCorruptRecord": _BROKEN}
    rows = lines.where(F.col("raw") != header.line).withColumn(
        "record", F.when(F.col("problem").isNull(), F.from_csv("raw", schema, options))
    )
    names = {name: f"c{header.columns.index(name)}" for name in SONG_FIELDS if name in header.columns}
    problem = F.when(_has_unclosed_quote(header.separator), UNCLOSED_QUOTE).when(
        F.col(f"record.{_BROKEN}").isNotNull(), "wrong_number_of_columns"
    )
    rows = rows.withColumn("problem", F.coalesce("problem", problem))
    raw = F.col("raw")
    if any(map(_LYRICS_COLUMN.match, header.columns)):  # any cell of a broken line may be lyrics
        shown = F.struct(*(F.col(f"record.{column}").alias(name) for name, column in names.items()))
        raw = F.when(F.col("problem").isNull(), F.to_json(shown))
    return _records(rows, SONG_FIELDS, names, raw)


def _has_unclosed_quote(separator: str) -> Column:
    # Spark would read the rest of the line as the value. The pattern is possessive, because a long line
    # would overflow the stack otherwise.
    inner = '"(?:[^"]|"")*+'
    cell = f'(?:{inner}"|[^"{separator}][^{separator}]*+)?{separator}'
    return F.col("raw").contains('"') & F.col("raw").rlike(f"^(?:{cell})*+{inner}$")


def _json_records(lines: DataFrame, fields: Sequence[str]) -> DataFrame:
    """Records from JSON lines, with the strings of the Zenodo dump decoded."""
    rows = parse_json(lines, ", ".join(f"{name} string" for name in fields))
    # of a broken line only complete fields of these names are shown, because the rest may be lyrics
    shown = rf""""(?:{"|".join(fields)})"\s*:\s*(?:"(?:[^"\\]|\\.)*+"|[\d.]++|\{{\s*"\$oid"[^{{}}]*+\}})"""
    pairs = F.regexp_extract_all(F.substring("raw", 1, 4000), F.lit(shown), F.lit(0))
    raw = F.coalesce(F.to_json("record"), F.concat_ws(", ", pairs))
    records = _records(rows, fields, {name: name for name in fields}, raw)
    names = [name for name in NAMES if name in fields]
    addresses = [name for name in ADDRESSES if name in fields]
    is_encoded = _is_encoded(names)
    return records.withColumns(
        {name: _decoded(name, is_encoded) for name in names}
        | {name: _decoded(name, F.col(name).rlike("^https?%3A")) for name in addresses}
    )


def _is_encoded(names: Sequence[str]) -> Column:
    """Whether a record is from the Zenodo dump and its names are percent-encoded.

    They are if its id is an object and no name has a space, a letter beyond ASCII or a % that does not
    begin %XX, because encoding leaves none of these. So 'Don%27t%20Stop' is, and 'The 100%41' is not.
    """
    never_encoded = F.concat_ws("/", *names).rlike(r"[^\x21-\x7e]|%(?![0-9A-Fa-f]{2})")
    return F.col("_id").contains('"$oid"') & ~never_encoded


def _decoded(name: str, is_encoded: Column) -> Column:
    # A + stays a plus: the dump writes a space as %20.
    decoded = F.url_decode(F.regexp_replace(name, r"\+", "%2B"))
    return F.when(is_encoded & ~decoded.contains("\ufffd"), decoded).otherwise(F.col(name))


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


def _records(rows: DataFrame, fields: Sequence[str], names: dict[str, str], raw: Column) -> DataFrame:
    """Rows of `file`, `record_hash`, `problem` and `record` as records.

    `names` has the name of each field within `record`. A field without one is null.
    """
    null = F.lit(None).cast("string")
    texts = [F.col(f"record.{names[name]}") if name in names else null for name in fields]
    return rows.select(
        F.concat(F.lit("songs/"), F.substring_index("file", "/songs/", -1)).alias("source"),
        "record_hash",
        F.substring(raw, 1, 1000).alias("raw"),
        "problem",
        *(filled(text).alias(name) for name, text in zip(fields, texts, strict=True)),
    )
