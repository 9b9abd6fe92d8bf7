"""clean: clean the lyrics of the corpus, and find their faults and languages.

The steps that need lyrics of the corpus (filter, for languages, and enrich) read this table, so that each
text is cleaned once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from songmood.corpus.files import read_columns
from songmood.engine.step import step
from songmood.lyrics.reading import read_texts
from songmood.tables import CORPUS_LYRICS

# A text belongs to a song by its id, or by an artist and a title.
KEYS = ("song_id", "artist", "title")
COLUMNS = (*KEYS, "lyrics")


class Cleaned(NamedTuple):
    """The rows of the corpus' lyrics, cleaned."""

    corpus_lyrics: DataFrame


@step("clean", "clean the lyrics of the corpus")
def clean_corpus_lyrics(spark: SparkSession, lyric_files: list[str]) -> Cleaned:
    """The table `corpus_lyrics`, from the files in the corpus' folder lyrics/."""
    return Cleaned(clean_rows(read_columns(spark, lyric_files, COLUMNS, required=("lyrics",))))


def clean_rows(rows: DataFrame) -> DataFrame:
    """The table `corpus_lyrics`, from rows of COLUMNS as the corpus has them.

    Rows without a text are left out, and of equal rows all but one.
    """
    schema = StructType([field for field in CORPUS_LYRICS.schema if field.name != "row_hash"])
    cleaned = rows.where("trim(lyrics) <> ''").mapInPandas(_clean, schema)
    # as JSON, neighboring values cannot run into each other
    row_hash = F.sha2(F.to_json(F.struct(*COLUMNS, "fault")), 256)
    hashed = cleaned.withColumn("row_hash", row_hash)
    return hashed.dropDuplicates(["row_hash"]).select(*CORPUS_LYRICS.column_names)


def _clean(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        texts = read_texts(batch["lyrics"])
        yield pd.concat([batch[list(KEYS)].reset_index(drop=True), texts], axis=1)
