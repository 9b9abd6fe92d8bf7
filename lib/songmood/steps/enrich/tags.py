"""The table `tags`: the tags of each song, from the first source that has any."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from songmood.letters import plain_letters, unescape
from songmood.settings import EnrichSettings
from songmood.steps.enrich.questions import with_answers
from songmood.steps.enrich.service import OK
from songmood.tables import TAGS

_SIGNS = str.maketrans("‘’‛ʼ`´‐‑‒–—−", 6 * "'" + 6 * "-")


def collect_tags(
    records: DataFrame, tags: DataFrame, answers: Mapping[str, DataFrame], settings: EnrichSettings
) -> DataFrame:
    """Table `tags`: each tag of a song once, in one spelling (see `plain_tag`), with its greatest weight.

    `tags` are the rows of `read_tags`, of files, and `answers` the cached answers of services. A song has the
    tags of the first source in settings.tags that has any. Weights of 0 to 100 stay as they are. If a weight
    of a song from one origin is greater, all weights of the song from that origin are counts, and they are
    scaled so that its top tag has 100. Origins are compared after that. A row is left out if it has no tag,
    or a weight that is not a number of at least 0.
    """
    frames = []
    for rank, source in enumerate(settings.tags):
        if source == "files":
            rows = _tags_in_files(records, tags)
        else:
            rows = _tags_of_service(records.where("record_id = song_id"), source, answers[source])
        frames.append(rows.withColumns({"source": F.lit(source), "rank": F.lit(rank)}))
    cleaned = reduce(DataFrame.unionByName, frames).withColumns(
        {"tag": _plain_tags(F.col("tag")), "weight": F.expr("try_cast(weight AS double)")}
    )
    valid = cleaned.where("tag <> '' AND weight >= 0 AND weight < double('infinity')")
    valid = valid.repartition("song_id")  # once for all that follows
    if len(frames) > 1:
        first = F.min("rank").over(Window.partitionBy("song_id"))
        valid = valid.withColumn("first", first).where("rank = first")
    top = F.max("weight").over(Window.partitionBy("song_id", "origin"))
    scaled = valid.withColumn("weight", F.col("weight") * 100 / F.greatest(F.lit(100.0), top))
    collected = scaled.groupBy("song_id", "tag").agg(
        F.max("weight").alias("weight"), F.min("source").alias("source")
    )
    return collected.select(*TAGS.column_names)


def plain_tag(tag: str) -> str:
    """A tag in one spelling: lower case, one space between words, letters as `plain_letters` writes them.

    Entities are the characters that they mean, and all apostrophes and hyphens are the same.
    """
    # once more: a letter in lower case may be another letter that looks like a Latin one
    letters = plain_letters(plain_letters(unescape(tag).translate(_SIGNS)).lower())
    return " ".join(letters.split())


def _plain_tags(column: Column) -> Column:
    """`plain_tag` of a column; null stays null."""

    def each(tags: pd.Series) -> pd.Series:
        # the tags of a corpus are few, and each is on many songs
        return tags.map({tag: plain_tag(tag) for tag in tags.dropna().unique()}).astype(object)

    plain: Column = pandas_udf(each, StringType())(column)  # type: ignore[call-overload]
    return plain


def _tags_in_files(records: DataFrame, tags: DataFrame) -> DataFrame:
    rows = tags.select(_tag_keys("song_id", "lastfm_id").alias("keys"), "tag", "weight", "origin")
    # distinct, because several records of a song may have the same lastfm_id
    songs = records.select("song_id", F.explode(_tag_keys("record_id", "lastfm_id")).alias("key")).distinct()
    keyed = rows.withColumn("key", F.explode("keys")).join(songs, "key")
    return keyed.select("song_id", "tag", "weight", "origin")


def _tag_keys(song_id: str, lastfm_id: str) -> Column:
    return F.array_compact(F.array(F.concat(F.lit("song "), song_id), F.concat(F.lit("lastfm "), lastfm_id)))


def _tags_of_service(songs: DataFrame, source: str, answers: DataFrame) -> DataFrame:
    answered = with_answers(songs, source, answers.where(F.col("status") == OK), how="inner")
    pairs = answered.select(
        "song_id", F.explode(F.from_json("content", "array<array<string>>")).alias("pair")
    )
    return pairs.select(
        "song_id",
        F.col("pair")[0].alias("tag"),
        F.col("pair")[1].alias("weight"),
        F.lit(source).alias("origin"),
    )
