"""The spelling of sung English: contractions and short forms spelled out, inside Spark."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

# The characters that are used for an apostrophe: U+2018, U+2019, U+201B, U+02BB, U+02BC, U+02B9, U+2032,
# U+A78C, U+00B4, U+FF07 and the grave accent.
_APOSTROPHES = "‘’‛ʻʼʹ′ꞌ´＇`"

# Whole words that are sung or written in a short form, and what they stand for.
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

# The beginnings of words that end in -in and are no short form. A verb's -ing never follows an a.
_IN = r"\bbeg|\bwith|\bsk|\bsp|\bgr|\btw|\bch|\bcous|\bru|\bjo|\bco|\bvirg|\bcab"

# Applied first.
_FIRST = (
    (r"(\p{L})\1{2,}", "$1$1"),  # ohhhhh -> ohh, looove -> loove
    (r"(?<=\p{L})\s?'n'\s?(?=\p{L})", " and "),  # rock'n'roll
    (r"(?<=\b(?:rock|drum))\s?'n\s?(?=\s|roll|bass)", " and "),  # rock'n roll, but heav'n above
)

# Endings and elisions, applied in this order after the whole words.
_ENDINGS = (
    (r"(?<=(?:no|any|some|every)thin)(?='(?:s|ll)(?!\p{L}))", "g"),  # nothin's -> nothing's
    # runnin' -> running, but not 'come again' nor 'in your skin', where the apostrophe ends a quotation
    (rf"(?<=\p{{L}}\p{{L}})(?<!a|{_IN})in'(?!\p{{L}})", "ing"),
    (r"(?<=\p{L})n't(?!\p{L})", " not"),  # don't -> do not
    (r"(?<=\p{L})'(?:ll|re|ve|m|s)(?!\p{L})", ""),  # I'll, love's: a stop word or a genitive
    # I'd: would or had, a stop word
    (r"(?<![\p{L}'])(i|you|he|she|it|we|they|who|what|where|how|that|there)'d(?!\p{L})", "$1"),
    (r"(?<=\p{L})'d(?!\p{L})", "ed"),  # bless'd -> blessed
    (r"(?<=\p{L})e'er", "ever"),  # where'er -> wherever
    (r"(?<=\p{L}\p{L})'(?=[lnr])", "e"),  # ev'ry -> every, heav'n -> heaven, wand'rer -> wanderer
)


def plain_spelling(text: Column) -> Column:
    """Text in lower case, with one character for all apostrophes; an empty string for null."""
    return F.translate(F.lower(F.coalesce(text, F.lit(""))), _APOSTROPHES, "'" * len(_APOSTROPHES))


def spell_out(text: Column) -> Column:
    """Lower-case English text with contractions and sung short forms spelled out: ain't -> is not."""
    whole = [
        (rf"{short}(?<![\p{{L}}']{short})(?!\p{{L}})", full)  # quicker than a lookbehind at each letter
        for short, full in SHORT_FORMS.items()
    ]
    rules = [*_FIRST, *whole, *_ENDINGS]
    return reduce(lambda column, rule: F.regexp_replace(column, *rule), rules, text)


def without_repeated_lines(text: Column) -> Column:
    """Text with each line only where it comes first, so that a chorus counts once."""
    lines = F.transform(F.split(text, r"\R"), lambda line: F.trim(line))
    return F.array_join(F.array_distinct(lines), "\n")
