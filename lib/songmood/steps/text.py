"""text: the words of each song's lyrics, for topics, keywords and the lyric index.

Spark SQL spells out sung short forms, and Spark NLP does the rest, so lyrics do not leave Spark. Short forms
and stop words are English; songs in other languages keep all their words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.engine.step import Notes, step
from songmood.lyrics.spelling import plain_spelling, spell_out, without_repeated_lines
from songmood.settings import TextSettings

if TYPE_CHECKING:
    from pyspark.ml import Pipeline

# Contractions that are another word without their apostrophe: these other words are not stop words.
_OTHER_WORDS = {"hell", "ill", "shed", "shell", "wed", "well"}


class Tokenized(NamedTuple):
    """The words of each song."""

    tokens: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


@step("text", "words from lyrics")
def tokenize_lyrics(lyrics: DataFrame, settings: TextSettings, rows: Mapping[str, int]) -> Tokenized:
    """The table `tokens`: the words of each song's lyrics, and the pairs of words that are phrases."""
    warnings: tuple[str, ...] = ()
    if not rows["lyrics"]:
        warnings = (
            "there are no lyrics, so topics, keywords and the lyric index stay empty: "
            "lyrics come from the corpus' folder lyrics/",
        )
    words = prepare_tokens(lyrics, settings).persist(StorageLevel.DISK_ONLY)
    bigrams = fit_bigrams(words, rows["lyrics"], settings)
    return Tokenized(add_bigrams(words, bigrams), (words,), Notes(warnings, {"bigrams": len(bigrams)}))


def prepare_tokens(lyrics: DataFrame, settings: TextSettings) -> DataFrame:
    """The words of each song in the order sung: lower case, spelled out, without stop words.

    Reads song_id and lyrics. Returns, for each row, song_id, tokens, and `line_numbers`, the number of the
    line of each token (array<string>). Both arrays are empty where the lyrics are null or no word remains.
    """
    text = plain_spelling(F.col("lyrics"))
    if settings.collapse_repeated_lines:
        text = without_repeated_lines(text)
    texts = lyrics.select("song_id", spell_out(text).alias("text"))
    # fitted to an empty frame, because that is quicker to plan
    annotators = _annotators(settings).fit(texts.sparkSession.createDataFrame([], texts.schema))
    annotated = annotators.transform(texts)
    line_numbers = F.transform("words.metadata", lambda metadata: metadata["sentence"])
    return annotated.select(
        "song_id", F.col("words.result").alias("tokens"), line_numbers.alias("line_numbers")
    )


def fit_bigrams(tokens: DataFrame, songs: int, settings: TextSettings) -> list[str]:
    """The pairs of neighboring words that occur together more often than by chance, such as 'broken_heart'.

    They are neighbors in a line in at least `text.min_bigram_documents` songs, and their normalized
    pointwise mutual information (Bouma 2009) is at least `text.min_bigram_npmi`. At most `text.max_bigrams`
    are returned, those of the highest information first, then by name. A song counts once, so that its
    chorus is not evidence. `tokens` is what `prepare_tokens` returns, and `songs` the number of its rows.
    """
    if not settings.max_bigrams or not songs:
        return []
    by_word = _count_songs(tokens, F.col("tokens"), "word")
    by_pair = _count_songs(tokens, F.array_compact(_pairs()), "pair")
    pairs = by_pair.where(F.col("n").between(settings.min_bigram_documents, songs - 1))
    first, second = by_word.toDF("first", "n_first"), by_word.toDF("second", "n_second")
    n, products = F.col("n"), F.col("n_first") * F.col("n_second")
    npmi = (F.log(n * songs) - F.log(products)) / -F.log(n / songs)
    bigrams = (
        pairs.withColumns({"first": _word(1), "second": _word(2)})
        .where("first <> second")  # a repeated word is not a phrase
        .join(first, "first")
        .join(second, "second")
        .withColumn("npmi", F.round(npmi, 6))
        .where(F.col("npmi") >= settings.min_bigram_npmi)
        .orderBy(F.desc("npmi"), "pair")
        .limit(settings.max_bigrams)
    )
    return [row.pair for row in bigrams.select("pair").collect()]


def _count_songs(tokens: DataFrame, values: Column, name: str) -> DataFrame:
    """The number `n` of songs that have each value of an array, under the column `name`."""
    exploded = tokens.select(F.explode(F.array_distinct(values)).alias(name))
    return exploded.groupBy(name).agg(F.count(F.lit(1)).alias("n"))


def _word(number: int) -> Column:
    """The first or the second word of a pair."""
    return F.split_part("pair", F.lit("_"), F.lit(number))


def add_bigrams(tokens: DataFrame, bigrams: list[str]) -> DataFrame:
    """The table `tokens`, with each bigram after its two words, which stay: searches for them still match."""
    words = F.col("tokens")
    if bigrams:
        phrases = F.transform(_pairs(), lambda pair: F.when(pair.isin(bigrams), pair))
        words = F.array_compact(
            F.flatten(F.zip_with("tokens", phrases, lambda word, phrase: F.array(word, phrase)))
        )
    return tokens.select("song_id", words.alias("tokens"))


def _pairs() -> Column:
    """For each word of `tokens` 'previous_word'; null for the first word of a line."""
    words, lines = F.col("tokens"), F.col("line_numbers")
    return F.transform(
        words,
        lambda word, i: F.when(
            (i > 0) & (F.get(lines, i) == F.get(lines, i - 1)),
            F.concat(F.get(words, i - 1), F.lit("_"), word),
        ),
    )


def stop_words(settings: TextSettings) -> list[str]:
    """Spark NLP's English list, with and without apostrophes (don't, dont), and the words of the settings."""
    from sparknlp.annotator import StopWordsCleaner

    english: list[str] = StopWordsCleaner.loadDefaultStopWords("english")
    bare = {word.replace("'", "") for word in english} - _OTHER_WORDS
    drawn_out = {filler + filler[-1] for filler in settings.fillers}
    ours = {*settings.stop_words, *settings.fillers, *drawn_out}
    # as `spell_out` leaves them: a letter at most twice in a row
    return sorted({*english, *bare, *(re.sub(r"(.)\1{2,}", r"\1\1", word) for word in ours)})


def _annotators(settings: TextSettings) -> Pipeline:
    """Spark NLP's annotators of the column `text`. Fitting them reads no row."""
    from pyspark.ml import Pipeline
    from sparknlp.annotator import (
        Normalizer,
        RegexTokenizer,
        SentenceDetector,
        Stemmer,
        StopWordsCleaner,
    )
    from sparknlp.base import DocumentAssembler

    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        # a line of a lyric is its sentence
        SentenceDetector()
        .setInputCols(["document"])
        .setOutputCol("line")
        .setCustomBounds([r"\n+"])
        .setUseCustomBoundsOnly(True),
        # everything but letters, accents and apostrophes separates words
        RegexTokenizer().setInputCols(["line"]).setOutputCol("token").setPattern(r"[^\p{L}\p{M}']+"),
        Normalizer()
        .setInputCols(["token"])
        .setOutputCol("normal")
        .setCleanupPatterns([r"[^\p{L}\p{M}]"])
        .setMinLength(settings.min_token_length),
        StopWordsCleaner().setInputCols(["normal"]).setOutputCol("words").setStopWords(stop_words(settings)),
    ]
    if settings.stem:
        stages[-1].setOutputCol("kept")
        stages.append(Stemmer().setInputCols(["kept"]).setOutputCol("words"))
    return Pipeline(stages=stages)
