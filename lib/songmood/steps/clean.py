"""clean: read the lyrics of the corpus, clean them, and say what is wrong with them.

Whoever needs lyrics of the corpus (filter for languages, enrich) takes them from here, so that each text is
read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.corpus.files import read_columns
from songmood.engine.step import step
from songmood.lyrics.reading import read_texts
from songmood.tables import CORPUS_LYRICS

COLUMNS = ("song_id", "artist", "title", "lyrics")
_SCHEMA = (
    "song_id string, artist string, title string, "
    "lyrics string, fault string, language string, language_probability double"
)


class Cleaned(NamedTuple):
    """The rows of the corpus' lyrics."""

    corpus_lyrics: DataFrame


@step("clean", "clean the lyrics of the corpus")
def clean_corpus_lyrics(spark: SparkSession, lyric_files: list[str]) -> Cleaned:
    """The table `corpus_lyrics`, from the corpus' lyrics files. Rows without any text are left out."""
    return Cleaned(clean_rows(read_columns(spark, lyric_files, COLUMNS, required=("lyrics",))))


def clean_rows(rows: DataFrame) -> DataFrame:
    """The table `corpus_lyrics`, from rows of COLUMNS; equal rows are one."""
    cleaned = rows.where("trim(lyrics) <> ''").mapInPandas(_clean, _SCHEMA)
    # JSON writes each value apart from its neighbors, and leaves out what is null
    row_hash = F.sha2(F.to_json(F.struct(*COLUMNS, "fault")), 256)
    return (
        cleaned.withColumn("row_hash", row_hash)
        .dropDuplicates(["row_hash"])
        .select(*CORPUS_LYRICS.column_names)
    )


def _clean(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        read = read_texts(batch["lyrics"])
        yield pd.concat([batch[["song_id", "artist", "title"]].reset_index(drop=True), read], axis=1)
