"""The rows of flat files: lyrics, audio features and tags, in any mixture of formats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.corpus.files import CsvHeader, folder_columns, read_header
from songmood.corpus.formats import Group, csv_records, json_records, parquet_records
from songmood.corpus.lines import read_csv_records, read_json_lines
from songmood.corpus.parquet import parquet_columns, read_parquet
from songmood.engine.errors import UserError

NO_KEY = "no_key"
JSON_EXTENSIONS = (".jsonl", ".ndjson", ".json")


def read_flat(
    spark: SparkSession,
    part: str,
    files: Sequence[str],
    fields: Sequence[str],
    required: Sequence[str],
    max_bytes: int,
) -> DataFrame:
    """The records of flat files, with the columns that `songmood.corpus.formats` describes.

    The files may be .parquet, and .csv, .tsv, .jsonl, .ndjson and .json, plain or .gz, in any mixture. A
    field is null where a file does not have it. In CSV the separator is a tab if the header has one, else a
    comma; quotes within quotes are doubled; a quoted value may have line breaks. An empty file has no
    records. A record that cannot be read has a problem, and so has one of more than `max_bytes`. Raises
    UserError for a file of another format, a file that cannot be read, and a file without a `required`
    column (JSON has no header).
    """
    csv_files: dict[CsvHeader, list[str]] = defaultdict(list)
    json_files, parquet_files = [], []
    for file in files:
        name = file.lower().removesuffix(".gz")
        if name.endswith((".csv", ".tsv")):
            header = read_header(file)
            if header is not None:
                _require(required, header.columns, file)
                csv_files[header].append(file)
        elif name.endswith(JSON_EXTENSIONS):
            json_files.append(file)
        elif file.lower().endswith(".parquet"):
            _require(required, parquet_columns(file), file)
            parquet_files.append(file)
        else:
            raise UserError(
                f"cannot read {file}: this folder may have .parquet, .csv, .tsv, .jsonl and .json files, "
                "plain or .gz; move the file elsewhere"
            )
    frames = [
        csv_records(
            read_csv_records(spark, same_header, header, max_bytes), header, Group(part, same_header, fields)
        )
        for header, same_header in csv_files.items()
    ]
    if parquet_files:
        group = Group(part, parquet_files, fields)
        frames.append(parquet_records(read_parquet(spark, parquet_files, fields), group))
    if json_files or not frames:
        lines = read_json_lines(spark, json_files, max_bytes)
        frames.append(json_records(lines, Group(part, json_files, fields)))
    return reduce(DataFrame.unionByName, frames)


def _require(required: Sequence[str], columns: Sequence[str], file: str) -> None:
    missing = [name for name in required if name not in {*columns, *folder_columns([file])}]
    if missing:
        raise UserError(f"{file} has no column {missing[0]}; its columns are {', '.join(columns)}")


def with_problems(records: DataFrame, *problems: Column) -> DataFrame:
    """Records with the first of these problems that they have, if any. Only of these is `raw` kept."""
    problem = F.coalesce("problem", *problems)
    return records.withColumns({"problem": problem, "raw": F.when(problem.isNotNull(), F.col("raw"))})


def lacks_key(*keys: str) -> Column:
    """The problem of a row that has none of these columns, and not both an artist and a title either."""
    is_named = F.col("artist").isNotNull() & F.col("title").isNotNull()
    return F.when(F.coalesce(*keys).isNull() & ~is_named, NO_KEY)
