"""index: the keywords of each song, and an inverted index over lyrics (paper section 6, figure 3).

weights.py      the weight of each term in each song, by TF-IDF and by BM25
keywords.py     the terms that tell a song from others, by TF-IDF and by the encoder
__init__.py     the step
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.encoder.files import encoder_id
from songmood.encoder.kept import embeddings_key, fetch_embeddings
from songmood.engine.spark import ship
from songmood.engine.step import Notes, step
from songmood.settings import EncoderSettings, IndexSettings


class Indexed(NamedTuple):
    """The index by term, nested and flat, and by song, and the keywords of each song."""

    lyric_index: DataFrame
    postings: DataFrame
    song_terms: DataFrame
    keywords: DataFrame
    shared: tuple[DataFrame, ...]
    notes: Notes


@step("index", "keywords, and an inverted index over lyrics")
def index_songs(
    spark: SparkSession,
    tokens: DataFrame,
    embeddings: DataFrame,
    encoder: Path,
    settings: IndexSettings,
    encoder_settings: EncoderSettings,
    rows: Mapping[str, int],
    keep: Callable[[str], str],
    scratch: Path,
) -> Indexed:
    """The tables `lyric_index`, `postings`, `song_terms` and `keywords`.

    Only terms whose embeddings are not kept from earlier runs are encoded.
    """
    from songmood.steps.index.keywords import fetch_term_vectors, list_keywords, rank_terms, with_keywords
    from songmood.steps.index.weights import (
        fetch_left_out,
        index_by_song,
        index_by_term,
        place_postings,
        weigh_terms,
    )

    warnings: tuple[str, ...] = ()
    if not rows["tokens"]:
        warnings = ("no lyrics, so no index: the corpus folder lyrics/ supplies lyrics",)
    term_weights = weigh_terms(tokens, settings).cache()
    frequencies = term_weights.select("term", "document_frequency").distinct()
    texts = frequencies.select(F.col("term").alias("song_id"), F.translate("term", "_", " ").alias("lyrics"))
    kept = keep(embeddings_key(encoder_id(encoder), encoder_settings))
    vectors, notes = fetch_embeddings(texts, ship(spark, encoder), encoder_settings, kept)
    folder = scratch / f"terms-{scratch.name}"  # folders that are sent to executors have names of their own
    fetch_term_vectors(vectors.select(F.col("song_id").alias("term"), "embedding"), folder)
    ranked = rank_terms(index_by_song(term_weights), embeddings, ship(spark, folder), settings)
    postings = place_postings(term_weights, settings)
    figures = {**notes.figures, **fetch_left_out(frequencies, settings)}
    return Indexed(
        index_by_term(postings),
        postings.drop("idf"),
        with_keywords(ranked),
        list_keywords(ranked),
        (term_weights, ranked),
        Notes((*warnings, *notes.warnings), figures),
    )
