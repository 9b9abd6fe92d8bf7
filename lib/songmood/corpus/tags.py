"""The tag files of a corpus: flat files, and the JSON files and pickles that WASABI publishes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.corpus.flat import NO_KEY, read_flat, with_problems
from songmood.corpus.pickles import read_pickle
from songmood.corpus.rejects import rejects
from songmood.corpus.values import read_id

BAD_WEIGHT = "bad_weight"
COLUMNS = ("song_id", "lastfm_id", "tag", "weight")
_FIELDS = (*COLUMNS, "socials", "emotions")
REQUIRED = ("tag", "weight")
_ROWS = "song_id string, lastfm_id string, tag string, weight string, origin string"
# Of a flat row, a record of social-tags.json or a record of emotion-tags.json the fields of the others are
# null.
_SOCIALS = "array<struct<social_tag string, nbr_tags string>>"
_EMOTIONS = "array<struct<emotion_tag string, nbr_tags string>>"


class TagFiles(NamedTuple):
    """The tags, and the table `rejects`. Both come from `read`, which should be computed once.

    `rows` has song_id or lastfm_id, tag and weight, all strings, and `origin`: 'files' or 'wasabi'. The
    weights of a song from one origin can be compared: they are all percentages, or all counts.
    """

    rows: DataFrame
    rejects: DataFrame
    read: DataFrame


def read_tags(
    spark: SparkSession, files: Sequence[str], max_line_bytes: int, max_pickle_bytes: int
) -> TagFiles:
    """The tags of flat files, of WASABI's social-tags.json and emotion-tags.json, and of its pickles.

    The files may be .pickle (or .pkl) and all that `read_flat` reads, in any mixture. Pickles are read now,
    on the driver. Raises UserError for a file that cannot be read and for a pickle that `read_pickle`
    refuses.
    """
    pickles = [file for file in files if file.lower().removesuffix(".gz").endswith((".pickle", ".pkl"))]
    others = [file for file in files if file not in pickles]
    read = _with_tags(read_flat(spark, "tags", others, _FIELDS, REQUIRED, max_line_bytes))
    rows = read.where("problem IS NULL").select("song_id", "lastfm_id", F.inline("tags"))
    frames = [rows, *(_pickle_rows(spark, file, max_pickle_bytes) for file in pickles)]
    return TagFiles(reduce(DataFrame.unionByName, frames), rejects([read]), read)


def _with_tags(records: DataFrame) -> DataFrame:
    """Records with an array of their `tags`: structs of tag, weight and origin."""

    def listed(field: str, schema: str, name: str) -> Column:
        tags = F.transform(F.from_json(field, schema), lambda tag: _tag(tag[name], tag["nbr_tags"], "wasabi"))
        return F.coalesce(tags, F.array())

    own = F.array(_tag(F.col("tag"), F.col("weight"), "files"))
    tags = F.concat(
        own, listed("socials", _SOCIALS, "social_tag"), listed("emotions", _EMOTIONS, "emotion_tag")
    )
    is_flat = F.col("socials").isNull() & F.col("emotions").isNull()
    is_weight = F.expr("try_cast(weight AS double)").between(0, 1e15)
    keyed = records.withColumns({name: read_id(name) for name in ("song_id", "lastfm_id")})
    checked = with_problems(
        keyed,
        F.when(F.col("song_id").isNull() & F.col("lastfm_id").isNull(), NO_KEY),
        F.when(is_flat & F.col("tag").isNull(), "no_tag"),
        F.when(is_flat & ~F.coalesce(is_weight, F.lit(False)), BAD_WEIGHT),
    )
    has_tag = F.filter(tags, lambda tag: tag["tag"].isNotNull())
    names = ("source", "record_hash", "raw", "problem", "song_id", "lastfm_id")
    return checked.select(*names, has_tag.alias("tags"))


def _tag(tag: Column, weight: Column, origin: str) -> Column:
    return F.struct(tag.alias("tag"), weight.alias("weight"), F.lit(origin).alias("origin"))


def _pickle_rows(spark: SparkSession, file: str, max_bytes: int) -> DataFrame:
    rows = pd.DataFrame(read_pickle(file, max_bytes), dtype=object).assign(song_id=None, origin="wasabi")
    return spark.createDataFrame(rows[["song_id", "lastfm_id", "tag", "weight", "origin"]], _ROWS)
