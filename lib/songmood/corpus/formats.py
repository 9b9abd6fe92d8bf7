"""The records of files of one format, as frames of strings.

Each frame has `source` (the file, from its part on), `raw` (the parts of the record that may be shown),
`record_hash`, `problem` (null if the record was read) and its fields. An empty text is null.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.corpus.files import CsvHeader, folder_columns
from songmood.corpus.lines import parse_json
from songmood.corpus.splitting import UNCLOSED_QUOTE
from songmood.corpus.values import filled, is_in

WRONG_NUMBER_OF_COLUMNS = "wrong_number_of_columns"
# The names of columns that may have lyrics; explicitLyrics is only a flag.
_LYRICS_COLUMN = re.compile(r"^(?!explicit).*(?:lyric|text|words|verse|chorus|summary)", re.IGNORECASE)
_BROKEN = "broken"  # the column in which Spark's parsers put a line that they cannot parse
_SHOWN = 1000  # characters of a reject
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # the folder of the rows without a value


class Group(NamedTuple):
    """Files of one part that are read together, and the fields to read."""

    part: str
    files: Sequence[str]
    fields: Sequence[str]

    @property
    def shown(self) -> list[str]:
        """The fields that may be shown."""
        return [name for name in self.fields if not _LYRICS_COLUMN.match(name)]


def csv_records(lines: DataFrame, header: CsvHeader, group: Group) -> DataFrame:
    """Records from CSV texts of one header. The header itself is not a record."""
    schema = ", ".join([*(f"c{i} string" for i in range(len(header.columns))), f"{_BROKEN} string"])
    # Quotes are doubled: with Spark's default, a backslash, titles with quotes would be read wrong.
    options = {"sep": header.separator, "quote": '"', "escape": '"', "columnNameOfCorruptRecord": _BROKEN}
    options["inputBufferSize"] = "16384"  # characters; by default each parser of each task takes 2 MB
    rows = lines.where(F.col("raw") != header.line).withColumn(
        "record", F.when(F.col("problem").isNull(), F.from_csv("raw", schema, options))
    )
    # of columns of the same name the first counts
    names = {name: f"c{header.columns.index(name)}" for name in group.fields if name in header.columns}
    problem = F.when(_has_unclosed_quote(header.separator), UNCLOSED_QUOTE).when(
        F.col(f"record.{_BROKEN}").isNotNull(), WRONG_NUMBER_OF_COLUMNS
    )
    rows = rows.withColumn("problem", F.coalesce("problem", problem))
    raw = F.col("raw")
    if any(map(_LYRICS_COLUMN.match, header.columns)):  # any cell of a broken line may be lyrics
        raw = F.when(F.col("problem").isNull(), _as_json({n: names[n] for n in group.shown if n in names}))
    return _records(rows, group, names, raw)


def _has_unclosed_quote(separator: str) -> Column:
    # Spark would read the rest of the line as the value. The pattern is possessive, because a long line
    # would overflow the stack otherwise.
    inner = '"(?:[^"]|"")*+'
    cell = f'(?:{inner}"|[^"{separator}][^{separator}]*+)?{separator}'
    return F.col("raw").contains('"') & F.col("raw").rlike(f"^(?:{cell})*+{inner}$")


def json_records(lines: DataFrame, group: Group) -> DataFrame:
    """Records from JSON lines."""
    rows = parse_json(lines, ", ".join(f"{name} string" for name in group.fields))
    # of a broken line only complete fields of these names are shown, because the rest may be lyrics
    names = "|".join(group.shown)
    shown = rf""""(?:{names})"\s*:\s*(?:"(?:[^"\\]|\\.)*+"|[\d.]++|\{{\s*"\$oid"[^{{}}]*+\}})"""
    pairs = F.concat_ws(", ", F.regexp_extract_all(F.substring("raw", 1, 4000), F.lit(shown), F.lit(0)))
    whole = F.when(F.col("record").isNotNull(), _as_json({name: name for name in group.shown}))
    records = _records(rows, group, {name: name for name in group.fields}, F.coalesce(whole, pairs))
    # Spark reads NaN, which is not JSON, as the text "NaN", with its quotes
    not_a_number = ('"NaN"', '"Infinity"', '"-Infinity"')
    return records.withColumns({n: F.when(~is_in(F.col(n), not_a_number), F.col(n)) for n in group.fields})


def parquet_records(rows: DataFrame, group: Group) -> DataFrame:
    """Records from the rows of `read_parquet`."""
    fields = F.struct(*group.fields)
    rows = rows.select(
        "file",
        F.sha2(F.to_json(fields), 256).alias("record_hash"),
        fields.alias("record"),
        F.lit(None).cast("string").alias("problem"),
    )
    names = {name: name for name in group.fields}
    return _records(rows, group, names, _as_json({name: name for name in group.shown}))


def _as_json(names: dict[str, str]) -> Column:
    """Fields of the column `record`, under the names that they have there, as JSON."""
    return F.to_json(F.struct(*(F.col(f"record.{inner}").alias(name) for name, inner in names.items())))


def _records(rows: DataFrame, group: Group, names: dict[str, str], raw: Column) -> DataFrame:
    """Rows of `file`, `record_hash`, `problem` and `record` as records.

    `names` has the name of each field within `record`. Others are null, unless a folder names the value.
    """
    null = F.lit(None).cast("string")
    texts = {n: filled(F.col(f"record.{names[n]}")) if n in names else null for n in group.fields}
    for name in folder_columns(group.files) & set(group.fields):
        texts[name] = F.coalesce(texts[name], _in_folder(name, group.part))
    return rows.select(
        F.concat(F.lit(f"{group.part}/"), _inner_path(group.part)).alias("source"),
        "record_hash",
        F.substring(raw, 1, _SHOWN).alias("raw"),
        "problem",
        *(text.alias(name) for name, text in texts.items()),
    )


def _inner_path(part: str) -> Column:
    return F.substring_index("file", f"/{part}/", -1)


def _in_folder(name: str, part: str) -> Column:
    """The value that a folder of a file names: spanish, of language=spanish/a.csv."""
    value = filled(F.regexp_extract(F.concat(F.lit("/"), _inner_path(part)), f"/{name}=([^/]*)/", 1))
    return F.when(value != _NO_VALUE, decoded(value))


def decoded(text: Column) -> Column:
    """A percent-encoded text as the text that it stands for; a % that encodes nothing stays."""
    return F.url_decode(F.regexp_replace(F.regexp_replace(text, r"\+", "%2B"), "%(?![0-9A-Fa-f]{2})", "%25"))
