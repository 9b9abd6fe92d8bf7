"""Words from lyrics, inside Spark: Spark SQL spells out what is sung short, Spark NLP does the rest.

English: the short forms and the stop words are. Songs in other languages keep all their words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.ml import Pipeline
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sparknlp.annotator import Normalizer, RegexTokenizer, SentenceDetector, Stemmer, StopWordsCleaner
from sparknlp.base import DocumentAssembler

from songmood.engine.step import Notes, step
from songmood.settings import TextSettings

# U+2018, U+2019, U+02BC, U+2032, U+00B4, U+FF07 and the grave accent, all used for an apostrophe
_APOSTROPHES = "‘’ʼ′´＇`"

# Whole words that are sung or written short, and what they stand for.
SHORT_FORMS = {
    "can't": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "ain't": "is not",
    "let's": "let us",
    "y'all": "you all",
    "c'mon": "come on",
    "'cause": "because",
    "'cos": "because",
    "'coz": "because",
    "'cuz": "because",
    "'til": "until",
    "'till": "until",
    "'em": "them",
    "'bout": "about",
    "'round": "around",
    "'neath": "beneath",
    "'gainst": "against",
    "'n'": "and",
    "'n": "and",
    "an'": "and",
    "th'": "the",
    "o'": "of",
    "ol'": "old",
    "li'l": "little",
    "lil'": "little",
    "'tis": "it is",
    "'twas": "it was",
    "'twill": "it will",
    "'twould": "it would",
    "tho'": "though",
    "thro'": "through",
    "o'er": "over",
    "e'er": "ever",
    "e'en": "even",
    "ne'er": "never",
}

# The beginnings of words that end in -in by themselves; no verb's -ing follows an a.
_IN = r"\bbeg|\bwith|\bsk|\bsp|\bgr|\btw|\bch|\bcous|\bru|\bjo|\bco|\bvirg|\bcab"

# Before all else.
_DRAWN_OUT = (
    (r"(\p{L})\1{2,}", "$1$1"),  # ohhhhh -> ohh, looove -> loove
    (r"(?<=\p{L})\s?'n'\s?(?=\p{L})", " and "),  # rock'n'roll
    (r"(?<=\b(?:rock|drum))\s?'n\s?(?=\s|roll|bass)", " and "),  # rock'n roll, but heav'n above
)

# Endings and elisions, in this order, after the whole words.
_ENDINGS = (
    (r"(?<=(?:no|any|some|every)thin)(?='(?:s|ll)(?!\p{L}))", "g"),  # nothin's -> nothing's
    # runnin' -> running, but not 'come again' nor 'in your skin': there the apostrophe ends what is quoted
    (rf"(?<=\p{{L}}\p{{L}})(?<!a|{_IN})in'(?!\p{{L}})", "ing"),
    (r"(?<=\p{L})n't(?!\p{L})", " not"),  # don't -> do not
    (r"(?<=\p{L})'(?:ll|re|ve|m|s)(?!\p{L})", ""),  # I'll, love's: a stop word or a genitive
    # I'd: would or had, a stop word
    (r"(?<![\p{L}'])(i|you|he|she|it|we|they|who|what|where|how|that|there)'d(?!\p{L})", "$1"),
    (r"(?<=\p{L})'d(?!\p{L})", "ed"),  # bless'd -> blessed
    (r"(?<=\p{L})e'er", "ever"),  # where'er -> wherever
    (r"(?<=\p{L}\p{L})'(?=[lnr])", "e"),  # ev'ry -> every, heav'n -> heaven, wand'rer -> wanderer
)

# Contractions that are another word when the apostrophe is left out: they stay.
_WORDS_OF_THEIR_OWN = {"hell", "ill", "shed", "shell", "wed", "well"}


class Tokenized(NamedTuple):
    """The words of each song."""

    tokens: DataFrame
    shared: tuple[DataFrame, ...] = ()
    notes: Notes = Notes()


@step("text", "words from lyrics")
def tokenize_lyrics(lyrics: DataFrame, settings: TextSettings, rows: Mapping[str, int]) -> Tokenized:
    """The table `tokens`: words prepared by Spark NLP, with the pairs of words that belong together."""
    warnings: tuple[str, ...] = ()
    if not rows["lyrics"]:
        warnings = (
            "no lyrics: the corpus' folder lyrics/ supplies them; topics, keywords and index stay empty",
        )
    words = prepare_tokens(lyrics, settings).persist(StorageLevel.DISK_ONLY)
    bigrams = fit_bigrams(words, settings)
    return Tokenized(add_bigrams(words, bigrams), (words,), Notes(warnings, {"bigrams": len(bigrams)}))


def prepare_tokens(lyrics: DataFrame, settings: TextSettings) -> DataFrame:
    """The words of each song: lower case, spelled out, without stop words, in the order sung.

    Takes song_id, lyrics; gives song_id, tokens and `line_of`, which says of each word in which line it
    stands (array<string>), a row for every row taken. Null lyrics, or lyrics without a word that stays,
    give empty arrays.
    """
    text = F.translate(F.lower(F.coalesce("lyrics", F.lit(""))), _APOSTROPHES, "'" * len(_APOSTROPHES))
    if settings.collapse_repeated_lines:
        text = first_of_each_line(text)
    texts = lyrics.select("song_id", spell_out(text).alias("text"))
    prepared = _pipeline(settings).fit(texts).transform(texts)
    line_of = F.transform("words.metadata", lambda of: of["sentence"])
    return prepared.select("song_id", F.col("words.result").alias("tokens"), line_of.alias("line_of"))


def fit_bigrams(tokens: DataFrame, settings: TextSettings) -> list[str]:
    """Pairs of words that stand together more often than chance would have it: 'broken_heart'.

    Of `tokens`, as `prepare_tokens` gives them, pairs of neighbors in a line in at least
    `text.min_bigram_documents` songs, with a normalized pointwise mutual information (Bouma 2009) of
    `text.min_bigram_npmi` or more; at most `text.max_bigrams`, the highest first, then by name. A song
    counts once, so that a chorus is no evidence.
    """
    if not settings.max_bigrams:
        return []
    words = F.explode(F.array_distinct("tokens"))
    pairs = F.explode(F.array_distinct(F.array_compact(_pairs())))
    songs = tokens.agg(F.count(F.lit(1)).alias("songs"))
    of_word = tokens.select(words.alias("word")).groupBy("word").agg(F.count(F.lit(1)).alias("n"))
    of_pair = tokens.select(pairs.alias("pair")).groupBy("pair").agg(F.count(F.lit(1)).alias("n"))
    first, second = of_word.toDF("first", "n_first"), of_word.toDF("second", "n_second")
    npmi = (F.log(F.col("n") * F.col("songs")) - F.log(F.col("n_first") * F.col("n_second"))) / -F.log(
        F.col("n") / F.col("songs")
    )
    found = (
        of_pair.where(F.col("n") >= settings.min_bigram_documents)
        .withColumns(
            {
                "first": F.split_part("pair", F.lit("_"), F.lit(1)),
                "second": F.split_part("pair", F.lit("_"), F.lit(2)),
            }
        )
        .where(F.col("first") != F.col("second"))  # sung twice, not said together
        .join(first, "first")
        .join(second, "second")
        .crossJoin(songs)
        .where(F.col("n") < F.col("songs"))
        .withColumn("npmi", F.round(npmi, 6))
        .where(F.col("npmi") >= settings.min_bigram_npmi)
        .orderBy(F.desc("npmi"), "pair")
        .limit(settings.max_bigrams)
    )
    return [row.pair for row in found.select("pair").collect()]


def add_bigrams(tokens: DataFrame, bigrams: list[str]) -> DataFrame:
    """The table `tokens`: the words, each bigram after its two, which stay: a word finds what it found."""
    joined = F.col("tokens")
    if bigrams:
        known = F.transform(_pairs(), lambda pair: F.when(pair.isin(bigrams), pair))
        both = F.zip_with("tokens", known, lambda word, pair: F.array(word, pair))
        joined = F.array_compact(F.flatten(both))
    return tokens.select("song_id", joined.alias("tokens"))


def _pairs() -> Column:
    """Of each word of `tokens` the one before and itself, 'first_second'; null where none is in its line."""
    word, line = F.col("tokens"), F.col("line_of")
    return F.transform(
        word,
        lambda second, i: F.when(
            (i > 0) & (F.get(line, i) == F.get(line, i - 1)), F.concat(F.get(word, i - 1), F.lit("_"), second)
        ),
    )


def spell_out(text: Column) -> Column:
    """Lower-case English text with contractions and sung short forms spelled out: ain't -> is not."""
    whole = [(rf"(?<![\p{{L}}']){short}(?!\p{{L}})", full) for short, full in SHORT_FORMS.items()]
    rules = [*_DRAWN_OUT, *whole, *_ENDINGS]
    return reduce(lambda column, rule: F.regexp_replace(column, *rule), rules, text)


def first_of_each_line(text: Column) -> Column:
    """Text with each line once, where it comes first: a chorus counts once."""
    lines = F.transform(F.split(text, r"\R"), lambda line: F.trim(line))
    return F.array_join(F.array_distinct(lines), "\n")


def stop_words(settings: TextSettings) -> list[str]:
    """Spark NLP's English list, also as typed without apostrophes (dont), and those of the settings."""
    english: list[str] = StopWordsCleaner.loadDefaultStopWords("english")
    bare = {word.replace("'", "") for word in english} - _WORDS_OF_THEIR_OWN
    drawn_out = {filler + filler[-1] for filler in settings.fillers}
    ours = {*settings.stop_words, *settings.fillers, *drawn_out}
    # of a letter as often as `spell_out` leaves it
    return sorted({*english, *bare, *(re.sub(r"(.)\1{2,}", r"\1\1", word) for word in ours)})


def _pipeline(settings: TextSettings) -> Pipeline:
    """Spark NLP annotators over the column `text`; fitting it reads no row."""
    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        # a line is what a lyric has for a sentence
        SentenceDetector()
        .setInputCols(["document"])
        .setOutputCol("line")
        .setCustomBounds([r"\n+"])
        .setUseCustomBoundsOnly(True),
        # all that is neither letter, accent nor apostrophe parts words
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
