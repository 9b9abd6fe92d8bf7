"""clean: clean the lyrics of the corpus, and find their faults and languages.

The steps that need lyrics of the corpus (filter, for languages, and enrich) read this table, so that each
text is cleaned once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from songmood.corpus.flat import lacks_key, read_flat, with_problems
from songmood.corpus.rejects import rejects, warn_of_rejects
from songmood.corpus.values import read_id
from songmood.engine.step import Counts, Notes, step
from songmood.lyrics.reading import read_texts
from songmood.settings import IngestSettings
from songmood.tables import CORPUS_LYRICS

# A text belongs to a song by its id, or by an artist and a title.
KEYS = ("song_id", "artist", "title")
COLUMNS = (*KEYS, "lyrics")


class Cleaned(NamedTuple):
    """The rows of the corpus' lyrics, cleaned, and those that cannot be read."""

    corpus_lyrics: DataFrame
    rejects: DataFrame
    shared: tuple[DataFrame, ...] = ()


def review(counts: Mapping[str, Counts]) -> Notes:
    """Warn of rows that cannot be read."""
    return Notes(warn_of_rejects(counts["rejects"]))


@step("clean", "clean the lyrics of the corpus", review=review)
def clean_corpus_lyrics(spark: SparkSession, lyric_files: list[str], settings: IngestSettings) -> Cleaned:
    """The table `corpus_lyrics`, from the files in the corpus' folder lyrics/, and their `rejects`."""
    read = read_flat(spark, "lyrics", lyric_files, COLUMNS, ("lyrics",), settings.max_line_bytes)
    read = with_problems(read.withColumn("song_id", read_id("song_id")), lacks_key("song_id"))
    return Cleaned(clean_rows(read.where("problem IS NULL").select(*COLUMNS)), rejects([read]), (read,))


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
