"""Numbers in names: digits, number words and Roman numerals, all written as digits without leading zeros.

They are read from plain text (normalize.plain). No text raises an error.
"""

from __future__ import annotations

import re
from itertools import pairwise

from songmood.names.words import BEFORE_NUMBERS, NUMBER_WORDS

_NUMBER_WORDS = {word: number for number, word in enumerate(NUMBER_WORDS, 1)}
_ROMAN = re.compile("m*(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")
_LETTERS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
# Names count in numerals below 40. With the letters of larger ones 'mix', 'dim', 'cd' and 'mc' are numerals.
_SMALL = frozenset("ivx")

_DIGITS = re.compile(r"\d+")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def roman_value(word: str) -> int | None:
    """The value of a lower-case Roman numeral of any size; None for another word."""
    if not word or not _ROMAN.fullmatch(word):
        return None
    values = [_LETTERS[letter] for letter in word]
    return sum(-value if value < after else value for value, after in pairwise([*values, 0]))


def counted(word: str) -> str | None:
    """The number that a word means after 'part': 'two' and 'ii' are '2'; None for another word."""
    number = _NUMBER_WORDS.get(word) or _numeral(word)
    return str(number) if number else None


def sure_numbers(text: str) -> list[str]:
    """The numbers of a title or version in their order, without words that only look like one.

    These are digits that stand alone ('2', '2nd'), numerals of two letters or more or at the end
    ('interlude v'), and any number after 'part', 'no' and the like.
    """
    words = text.split()
    numbers = []
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if word[0].isdigit() and (digits := _ORDINAL.fullmatch(word)):
            numbers.append(digits[1].lstrip("0") or "0")
        elif before in BEFORE_NUMBERS:
            numbers.append(counted(word) or "")
        elif len(word) > 1 or (place and place == len(words) - 1):
            numbers.append(str(_numeral(word) or ""))
    return [number for number in numbers if number]


def possible_numbers(text: str) -> set[str]:
    """All that may be a number in a title: digits also within words, number words and numerals.

    'one' and 'i' are left out: both are mostly words.
    """
    found = {number.lstrip("0") or "0" for number in _DIGITS.findall(text)}
    words = (word for word in text.split() if word not in ("one", "i"))
    return found | {number for word in words if (number := counted(word))}


def without_commas(text: str) -> str:
    """Text with its thousands written without a comma: '1,000 hours' is '1000 hours'."""
    return _THOUSANDS.sub("", text)


def _numeral(word: str) -> int | None:
    return roman_value(word) if _SMALL.issuperset(word) else None
