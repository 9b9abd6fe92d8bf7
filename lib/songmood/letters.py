"""One spelling for texts that look the same: their entities, their unseen signs and their lookalikes."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from functools import lru_cache

# An ampersand that was escaped any number of times: &amp;amp;lt; is &lt;.
_AMPERSANDS = re.compile(r"&(?:(?:amp|#0*38|#x0*26);)+", re.IGNORECASE)

# Signs that are not seen: those that Unicode calls default-ignorable (soft hyphens, zero-width spaces,
# direction marks, variation selectors, the byte order mark), and controls that end no line.
_UNSEEN = re.compile(
    "[\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# No letter has more accents than these, as in Unicode's stream-safe text. The time to normalize a pile of
# accents, and that of some regular expressions of Java, is the square of its height.
_MOST_ACCENTS = 30
_PILE = re.compile(rf"[^\w\s!-~]{{{_MOST_ACCENTS},}}")
# Small capitals and the a and g of phonetic alphabets, which no language is spelled with; the Braille blank.
_PLAIN = str.maketrans("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢɑɡ\u2800", "abcdefghijklmnopqrstuvwyzag ")

LATIN, CYRILLIC, GREEK = "latin", "cyrillic", "greek"
# Letters that look like a Latin one: in most fonts; only within a word, where the others say what is meant
# (small capitals, and capitals in lower case); and those of few languages. No Latin letter stands for the
# last, and the second are sure signs of their alphabet outside such words.
_LIKE_LATIN = {
    CYRILLIC: (
        ("асеіјорѕхуАВСЕНІЈКМОРЅТХУ", "aceijopsxyABCEHIJKMOPSTXY"),
        ("вкмнт", "bkmht"),
        ("ԁһӏԛѵԝүҮӀԚѴԜ", "dhlqvwyYIQVW"),
    ),
    GREEK: (
        ("αινορυΑΒΕΗΙΚΜΝΟΡΤΥΧΖ", "aivopuABEHIKMNOPTYXZ"),
        ("βςεκηστωχγμ", "bceknotwxyu"),
        ("ϳ", "j"),
    ),
}
_TO_LATIN = {
    letter: latin
    for kinds in _LIKE_LATIN.values()
    for letters, alike in kinds
    for letter, latin in zip(letters, alike, strict=True)
}
_FROM_LATIN = {
    alphabet: {
        latin: letter
        for letters, alike in reversed(kinds[:2])
        for letter, latin in zip(letters, alike, strict=True)
    }
    for alphabet, kinds in _LIKE_LATIN.items()
}
_SURE = {letter for kinds in _LIKE_LATIN.values() for letter in kinds[1][0]}
_CYRILLIC_OR_GREEK = re.compile("[\u0370-\u03ff\u0400-\u052f\u1f00-\u1fff]")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’\u0300-\u036f])*")


def unescape(text: str) -> str:
    """A text with its HTML entities as the characters that they mean, also the entities of entities."""
    for _ in range(4):  # all ampersands at once, so that only entities of other kinds need another turn
        before, text = text, html.unescape(_AMPERSANDS.sub("&", text))
        if text == before:
            break
    return text


def composed(text: str) -> str:
    """A text in NFKC. A pile of accents on one letter is cut."""
    return unicodedata.normalize("NFKC", _PILE.sub(_without_piles, text))


def plain_letters(text: str) -> str:
    """A text in NFKC, without signs that are not seen, and with each word in the letters of one alphabet.

    A word that mixes Latin, Cyrillic and Greek letters ('whеre' with a Cyrillic е) is written in the one
    that has most of its letters, if lookalikes stand for all others. A word of lookalikes alone is written
    in the alphabet of the text, if no letter of the text is surely of another.
    """
    text = composed(_UNSEEN.sub("", text)).translate(_PLAIN)
    if not _CYRILLIC_OR_GREEK.search(text):
        return text
    counts = _counts(text)
    if len(counts) < 2:
        return text
    text = _WORD.sub(lambda word: _in_one_alphabet(word[0], counts), text)
    main = _by_number(_counts(text))[0]
    letters = set(unicodedata.normalize("NFD", text))
    sure = {_alphabet(letter) for letter in letters if letter in _SURE or not _as(main, letter)}
    return _WORD.sub(lambda word: word[0] if sure & set(_counts(word[0])) else _written(word[0], main), text)


def _without_piles(signs: re.Match[str]) -> str:
    """Signs without the accents that are too many on one letter."""
    kept, height = [], 0
    for sign in signs[0]:
        height = height + 1 if unicodedata.combining(sign) else 0
        if height < _MOST_ACCENTS:
            kept.append(sign)
    return "".join(kept)


def _counts(text: str) -> Counter[str]:
    """The number of letters of each alphabet."""
    counts: Counter[str] = Counter()
    for letter, number in Counter(unicodedata.normalize("NFD", text)).items():
        if alphabet := _alphabet(letter):
            counts[alphabet] += number
    return counts


def _by_number(*counts: Counter[str]) -> list[str]:
    """The alphabets of the first counts, the one with most letters first; the next counts decide."""
    return sorted(counts[0], key=lambda name: (*(-count[name] for count in counts), name != LATIN, name))


def _in_one_alphabet(word: str, in_text: Counter[str]) -> str:
    """A word of several alphabets in the first of them that has a letter for each; else as it is."""
    counts = _counts(word)
    if len(counts) < 2:
        return word
    spellings = (_written(word, alphabet) for alphabet in _by_number(counts, in_text))
    return next((spelling for spelling in spellings if spelling != word), word)


def _written(word: str, alphabet: str) -> str:
    """A word in letters of an alphabet that look the same; the word as it is if one has no such letter."""
    letters = [_as(alphabet, letter) for letter in unicodedata.normalize("NFD", word)]
    return unicodedata.normalize("NFKC", "".join(letters)) if all(letters) else word


@lru_cache(maxsize=10_000)
def _alphabet(letter: str) -> str:
    """The alphabet of a letter, of those that are told apart here; '' for any other character."""
    if not letter.isalpha():
        return ""
    first = unicodedata.name(letter, "").split(" ")[0].lower()
    return first if first in (LATIN, CYRILLIC, GREEK) else ""


@lru_cache(maxsize=10_000)
def _as(alphabet: str, letter: str) -> str:
    """A character as a letter of an alphabet that looks the same; '' if there is none."""
    if _alphabet(letter) in ("", alphabet):
        return letter
    latin = _TO_LATIN.get(letter, "") if _alphabet(letter) != LATIN else letter
    return latin if alphabet == LATIN else _FROM_LATIN[alphabet].get(latin, "")
