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

from songmood.corpus.checks import check_csv, check_json, check_parquet, require_artist
from songmood.corpus.fields import ADDRESSES, ALBUM_FIELDS, ARTIST_FIELDS, NAMES, SONG_FIELDS
from songmood.corpus.files import CsvHeader
from songmood.corpus.formats import Group, csv_records, decoded, json_records, parquet_records
from songmood.corpus.lines import read_json_lines, read_lines
from songmood.corpus.parquet import read_parquet


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
    parquet_files = []
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
            check_parquet(file)
            parquet_files.append(file)
        else:
            ignored.append(file)
    if json_files["song"] and not json_files["album"]:
        require_artist(json_files["song"][0])

    def read_json(kind: str, fields: Sequence[str]) -> DataFrame | None:
        group = Group("songs", json_files[kind], fields)
        lines = read_json_lines(spark, group.files, max_line_bytes)
        return _decoded_names(json_records(lines, group), fields) if group.files else None

    def read_csv(header: CsvHeader, group: Group) -> DataFrame:
        return csv_records(read_lines(spark, group.files, max_line_bytes), header, group)

    frames = [read_csv(header, Group("songs", group, SONG_FIELDS)) for header, group in csv_files.items()]
    if parquet_files:
        rows = read_parquet(spark, parquet_files, SONG_FIELDS)
        frames.append(parquet_records(rows, Group("songs", parquet_files, SONG_FIELDS)))
    json_songs = read_json("song", SONG_FIELDS)
    if not frames and json_songs is None:
        empty = Group("songs", [], SONG_FIELDS)
        frames = [json_records(read_json_lines(spark, [], max_line_bytes), empty)]
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


def _decoded_names(records: DataFrame, fields: Sequence[str]) -> DataFrame:
    """JSON records with the strings of the Zenodo dump decoded."""
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
    text = decoded(F.col(name))
    return F.when(is_encoded & ~text.contains("\ufffd"), text).otherwise(F.col(name))
