"""The tag files of a corpus: flat files, and the JSON files and pickles that WASABI publishes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.corpus.files import read_columns
from songmood.corpus.lines import object_id, parse_json, read_lines
from songmood.corpus.pickles import read_pickle

COLUMNS = ("song_id", "lastfm_id", "tag", "weight")
REQUIRED = ("tag", "weight")
_ROWS = "song_id string, lastfm_id string, tag string, weight string, origin string"
# A flat row, a record of social-tags.json or a record of emotion-tags.json; fields of the others are null.
_RECORD = (
    "song_id string, lastfm_id string, tag string, weight string, "
    "socials array<struct<social_tag string, nbr_tags string>>, "
    "emotions array<struct<emotion_tag string, nbr_tags string>>"
)


class TagFiles(NamedTuple):
    """The tags, and the lines that cannot be read.

    `rows` has song_id or lastfm_id, tag and weight, all strings, and `origin`: 'files' or 'wasabi'. The
    weights of a song from one origin can be compared: they are all percentages, or all counts. `unread`
    has a row (file, problem) for each line of JSON that cannot be read.
    """

    rows: DataFrame
    unread: DataFrame


def read_tags(
    spark: SparkSession, files: Sequence[str], max_line_bytes: int, max_pickle_bytes: int
) -> TagFiles:
    """The tags of flat files, of WASABI's social-tags.json and emotion-tags.json, and of its pickles.

    The files may be .parquet, .csv, .tsv, .json, .jsonl and .pickle (or .pkl), plain or .gz, in any
    mixture. Pickles are read now, on the driver. Raises UserError for a file that cannot be read and for a
    pickle that `read_pickle` refuses.
    """

    def with_extension(*extensions: str) -> list[str]:
        return [file for file in files if file.lower().removesuffix(".gz").endswith(extensions)]

    json_files, pickles = with_extension(".json", ".jsonl"), with_extension(".pickle", ".pkl")
    flat_files = [file for file in files if file not in {*json_files, *pickles}]
    records = parse_json(read_lines(spark, json_files, max_line_bytes), _RECORD)
    frames = [
        read_columns(spark, flat_files, COLUMNS, REQUIRED).withColumn("origin", F.lit("files")),
        _json_rows(records.where("problem IS NULL").select("record.*")),
        *(_pickle_rows(spark, file, max_pickle_bytes) for file in pickles),
    ]
    unread = records.where("problem IS NOT NULL").select("file", "problem")
    return TagFiles(reduce(DataFrame.unionByName, frames), unread)


def _json_rows(records: DataFrame) -> DataFrame:
    def tags_of(field: str, name: str) -> Column:
        tags = F.transform(
            field,
            lambda tag: F.struct(tag[name].alias("tag"), tag["nbr_tags"].alias("weight"), F.lit("wasabi")),
        )
        return F.coalesce(tags, F.array())

    flat = F.array(F.struct("tag", "weight", F.lit("files")))
    tags = F.concat(flat, tags_of("socials", "social_tag"), tags_of("emotions", "emotion_tag"))
    keyed = records.select(object_id(F.col("song_id")).alias("song_id"), "lastfm_id", F.inline(tags))
    return keyed.toDF("song_id", "lastfm_id", "tag", "weight", "origin").where("tag IS NOT NULL")


def _pickle_rows(spark: SparkSession, file: str, max_bytes: int) -> DataFrame:
    rows = pd.DataFrame(read_pickle(file, max_bytes), dtype=object).assign(song_id=None, origin="wasabi")
    return spark.createDataFrame(rows[["song_id", "lastfm_id", "tag", "weight", "origin"]], _ROWS)
