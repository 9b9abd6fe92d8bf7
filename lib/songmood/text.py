"""Words from lyrics, inside Spark: Spark SQL spells out what is sung short, Spark NLP does the rest.

English: the short forms and the stop words are. Songs in other languages keep all their words.
"""

from __future__ import annotations

from functools import reduce

from pyspark.ml import Pipeline
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sparknlp.annotator import Normalizer, RegexTokenizer, Stemmer, StopWordsCleaner
from sparknlp.base import DocumentAssembler

from songmood import config

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

# Endings and elisions, in this order, after the whole words.
_ENDINGS = (
    (r"(?<=\p{L}\p{L})in'(?!\p{L})", "ing"),  # runnin' -> running
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


def prepare_tokens(lyrics: DataFrame, conf: config.Text) -> DataFrame:
    """The words of each song: lower case, spelled out, without stop words, in the order sung.

    Takes song_id, lyrics; gives the table `tokens`, a row for every row taken. Null lyrics, or
    lyrics without a word that stays, give an empty array.
    """
    text = F.translate(F.lower(F.coalesce("lyrics", F.lit(""))), _APOSTROPHES, "'" * len(_APOSTROPHES))
    if conf.collapse_repeated_lines:
        text = first_of_each_line(text)
    texts = lyrics.select("song_id", spell_out(text).alias("text"))
    prepared = _pipeline(conf).fit(texts).transform(texts)
    return prepared.select("song_id", F.col("words.result").alias("tokens"))


def fit_bigrams(tokens: DataFrame, conf: config.Text) -> list[str]:
    """Pairs of words that stand together more often than chance would have it: 'broken_heart'.

    Of `tokens`, as `prepare_tokens` gives them, pairs of neighbours in at least
    `text.min_bigram_documents` songs, with a normalised pointwise mutual information (Bouma 2009) of
    `text.min_bigram_npmi` or more; at most `text.max_bigrams`, the highest first, then by name. A song
    counts once, so that a chorus is no evidence.
    """
    if not conf.max_bigrams:
        return []
    words = F.explode(F.array_distinct("tokens"))
    pairs = F.explode(F.array_distinct(_pairs(F.col("tokens"))))
    songs = tokens.agg(F.count(F.lit(1)).alias("songs"))
    of_word = tokens.select(words.alias("word")).groupBy("word").agg(F.count(F.lit(1)).alias("n"))
    of_pair = tokens.select(pairs.alias("pair")).groupBy("pair").agg(F.count(F.lit(1)).alias("n"))
    first, second = of_word.toDF("first", "n_first"), of_word.toDF("second", "n_second")
    npmi = (F.log(F.col("n") * F.col("songs")) - F.log(F.col("n_first") * F.col("n_second"))) / -F.log(
        F.col("n") / F.col("songs")
    )
    found = (
        of_pair.where(F.col("n") >= conf.min_bigram_documents)
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
        .where(F.col("npmi") >= conf.min_bigram_npmi)
        .orderBy(F.desc("npmi"), "pair")
        .limit(conf.max_bigrams)
    )
    return [row.pair for row in found.select("pair").collect()]


def add_bigrams(tokens: DataFrame, bigrams: list[str]) -> DataFrame:
    """The table `tokens` with each bigram after its two words, which stay: a word finds what it found."""
    if not bigrams:
        return tokens
    known = F.transform(_pairs(F.col("tokens")), lambda pair: F.when(pair.isin(bigrams), pair))
    before = F.concat(F.array(F.lit(None).cast("string")), known)  # ending in each word; none in the first
    joined = F.flatten(F.zip_with("tokens", before, lambda word, pair: F.array(word, pair)))
    return tokens.withColumn("tokens", F.array_compact(joined))


def _pairs(tokens: Column) -> Column:
    """Each word with the next, 'first_second'; one less than there are words."""
    following = F.slice(tokens, 2, F.greatest(F.size(tokens) - 1, F.lit(0)))
    both = F.zip_with(tokens, following, lambda word, after: F.concat(word, F.lit("_"), after))
    return F.array_compact(both)  # the last word has none after it


def spell_out(text: Column) -> Column:
    """Lower-case English text with contractions and sung short forms spelled out: ain't -> is not."""
    whole = [(rf"(?<![\p{{L}}']){short}(?!\p{{L}})", full) for short, full in SHORT_FORMS.items()]
    return reduce(lambda column, rule: F.regexp_replace(column, *rule), [*whole, *_ENDINGS], text)


def first_of_each_line(text: Column) -> Column:
    """Text with each line once, where it comes first: a chorus counts once."""
    lines = F.transform(F.split(text, r"\R"), lambda line: F.trim(line))
    return F.array_join(F.array_distinct(lines), "\n")


def stop_words(conf: config.Text) -> list[str]:
    """Spark NLP's English list, also as typed without apostrophes (dont), and those of the settings."""
    english: list[str] = StopWordsCleaner.loadDefaultStopWords("english")
    bare = {word.replace("'", "") for word in english} - _WORDS_OF_THEIR_OWN
    return sorted({*english, *bare, *conf.stop_words, *conf.fillers})


def _pipeline(conf: config.Text) -> Pipeline:
    """Spark NLP annotators over the column `text`; fitting it reads no row."""
    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        # all that is neither letter, accent nor apostrophe parts words
        RegexTokenizer().setInputCols(["document"]).setOutputCol("token").setPattern(r"[^\p{L}\p{M}']+"),
        Normalizer()
        .setInputCols(["token"])
        .setOutputCol("normal")
        .setCleanupPatterns([r"[^\p{L}\p{M}]"])
        .setMinLength(conf.min_token_length),
        StopWordsCleaner().setInputCols(["normal"]).setOutputCol("words").setStopWords(stop_words(conf)),
    ]
    if conf.stem:
        stages[-1].setOutputCol("kept")
        stages.append(Stemmer().setInputCols(["kept"]).setOutputCol("words"))
    return Pipeline(stages=stages)
