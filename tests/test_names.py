from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from songmood.names.credits import split_artists, split_credit, without_guests
from songmood.names.normalize import (
    fold,
    is_edition,
    normalize_artist,
    normalize_title,
    normalized_artist,
    normalized_title,
    plain,
    signs,
    unescaped,
    without_editions,
)
from songmood.names.numbers import counted, possible_numbers, roman_value, sure_numbers, without_commas
from songmood.names.words import AFTER_GUESTS, AT_THE_START, BEFORE_PLACES, NOT_AT_THE_END, VERSIONS

WORDS = [
    *(
        "Café",
        "feat.",
        "ft",
        "(",
        ")",
        "[",
        "]",
        " - ",
        "Remaster",
        "2009",
        "Live",
        "The",
        "&amp;",
        "n",
        "Pt.",
    ),
    *("A.B.", "Explicit", "Album Version", "$", "!", "I", "II", "+", "x", "Motörhead", "がぎ", "İ", "&#38;"),
    *("XIII", "MCMXCIX", "No.", "Vol.", "ten", "1,000", ":", "/", " by ", "and", "Take", "Remix"),
]
TEXT = st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Hey Jude", "hey jude"),
        ("  HEY   JUDE! ", "hey jude"),
        ("Déjà Vu", "deja vu"),
        ("Smørrebrød", "smorrebrod"),
        ("Straße", "strasse"),
        ("Rock &amp; Roll", "rock and roll"),
        ("Rock &amp;amp; Roll", "rock and roll"),
        ("Rock 'n' Roll", "rock and roll"),
        ("Don’t Stop", "dont stop"),
        ("Don&#39;t Stop", "dont stop"),
        ("River (feat. A Guest)", "river"),
        ("River [ft. A & B]", "river"),
        ("River featuring A Guest", "river"),
        ("River feat A Guest (Live)", "river live"),
        ("River ft. A Guest - Live", "river live"),
        ("River feat. A Guest Remix", "river remix"),
        ("River (Remix feat. A Guest)", "river remix"),
        ("River (Remastered 2009)", "river"),
        ("River (2009 Digital Remaster)", "river"),
        ("River - 2011 Remaster", "river"),
        ("River - Remastered", "river"),
        ("River (Live) - 2011 Remaster", "river live"),
        ("River (Album Version)", "river"),
        ("River [Single Version]", "river"),
        ("River (Explicit)", "river"),
        ("River (Mono)", "river"),
        ("River - Stereo Version", "river"),
        ("River (Radio Edit)", "river"),
        ("River (Live at the Hall)", "river live at the hall"),
        ("River (Acoustic Version)", "river acoustic version"),
        ("River - Demo", "river demo"),
        ("River (Instrumental)", "river instrumental"),
        ("River (Karaoke Version)", "river karaoke version"),
        ("River (Cover)", "river cover"),
        ("River (Version)", "river version"),
        ("River, Pt. 2", "river part 2"),
        ("River (Part II)", "river part 2"),
        ("River, Part XIII", "river part 13"),
        ("River, Part Mix", "river part mix"),
        ("A Feat of Strength", "a feat of strength"),
        ("Feat", "feat"),
        ("6 ft under", "6 ft under"),
        ("(Explicit)", "explicit"),
        ("Stereo", "stereo"),
        ("Clean Slate", "clean slate"),
        ("The River", "the river"),
        ("1979", "1979"),
        ("Мой Дом", "moi dom"),
        ("君が好き", "jungahaoki"),
        ("River, Vol. II", "river volume 2"),
        ("Six Ft. Under", "six ft under"),
        ("Leaving Ft. Worth", "leaving ft worth"),
        ("Slow_River_-_Live", "slow river live"),
        ("???", "???"),
        ("! !", "!!"),
        ("- . -", ""),
        ("\x08", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_titles(raw: str | None, expected: str) -> None:
    assert normalize_title(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("The Example Band", "example band"),
        ("Example Band, The", "example band"),
        ("The The", "the"),
        ("R.E.M.", "rem"),
        ("T.I.", "ti"),
        ("Ke$ha", "kesha"),
        ("P!nk", "pink"),
        ("Florence + the Machine", "florence and the machine"),
        ("Earth, Wind & Fire", "earth wind and fire"),
        ("Guns N' Roses", "guns and roses"),
        ("A Singer feat. B", "a singer"),
        ("Ólafur Þór", "olafur thor"),
        ("Сергей", "sergei"),
        ("!!!", "!!!"),
        ("Little Feat & Friends", "little feat and friends"),
        (None, ""),
    ],
)
def test_artists(raw: str | None, expected: str) -> None:
    assert normalize_artist(raw) == expected


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("f.e.a.t. x y")
@example("a ft. b.c. - 2009 remaster")
def test_normalizing_settles_on_plain_text(text: str) -> None:
    for normalize in (normalize_title, normalize_artist):
        once = normalize(text)
        assert normalize(once) == once
        assert once == once.strip()
        assert once == signs(once) or not any(
            unicodedata.category(c)[0] in "PSZC" for c in once.replace(" ", "")
        )
        assert not any("\u0300" <= c <= "\u036f" for c in unicodedata.normalize("NFD", once))


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_no_text_raises_an_error(text: str) -> None:
    for folded in (text, fold(text), plain(fold(text))):
        is_edition(folded)
        shorter, guests = without_guests(folded)
        for part in (folded, shorter, without_editions(folded), without_commas(folded)):
            assert isinstance(plain(part), str)
        for names in (guests, split_artists(folded), split_credit(folded)):
            assert all(isinstance(name, str) for name in names)
        for number in {*sure_numbers(folded), *possible_numbers(folded)}:
            assert number.isdecimal()
        for word in folded.split():
            assert (roman_value(word) or 1) > 0
            assert (counted(word) or "1").isdecimal()


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_folded_and_plain_text_is_ascii(text: str) -> None:
    assert fold(text).isascii()
    assert set(plain(fold(text))) <= set("abcdefghijklmnopqrstuvwxyz0123456789 ")


# -- numbers ---------------------------------------------------------------------------------


def numeral(number: int) -> str:
    """A Roman numeral, one digit at a time."""
    digits = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
    written = "m" * (number // 1000)
    for place, letters in ((100, "cdm"), (10, "xlc"), (1, "ivx")):
        written += digits[number // place % 10].translate(str.maketrans("ivx", letters))
    return written


def test_numerals_of_any_size() -> None:
    numbers = [*range(1, 5000), 12_345]
    assert [roman_value(numeral(number)) for number in numbers] == numbers


@pytest.mark.parametrize("word", ["", "iix", "iiii", "vx", "ic", "a", "river", "2", "XIII", "ii ii", "é"])
def test_words_that_are_not_numerals(word: str) -> None:
    assert roman_value(word) is None


@pytest.mark.parametrize(
    ("text", "sure", "possible"),
    [
        ("sonata no 2 op 2 no 2 iii", ["2", "2", "2", "3"], {"2", "3"}),
        ("interlude v", ["5"], {"5"}),
        ("river part ii", ["2"], {"2"}),
        ("river xiii", ["13"], {"13"}),
        ("river part xxxix", ["39"], {"39"}),
        ("river part x", ["10"], {"10"}),
        ("river x", ["10"], {"10"}),
        ("river volume seven", ["7"], {"7"}),
        ("seven rivers", [], {"7"}),
        ("i want one river", [], set()),
        ("part one", ["1"], set()),
        ("the 2nd river 007", ["2", "7"], {"2", "7"}),
        ("bo3552", [], {"3552"}),
        ("river 000", ["0"], {"0"}),
        ("the dim cd mix by mc mi", [], set()),
        ("", [], set()),
    ],
)
def test_numbers_of_titles(text: str, sure: list[str], possible: set[str]) -> None:
    assert (sure_numbers(text), possible_numbers(text)) == (sure, possible)


# -- credits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shorter", "guests"),
    [
        ("river (feat. ann) - live", "river (  ) - live", ["ann"]),
        ("river ft. ann remix", "river  remix", ["ann"]),
        ("feat. ann", "feat. ann", []),
        ("a feat of strength", "a feat of strength", []),
        ("twenty ft. high", "twenty ft. high", []),
        ("little feat & friends", "little feat & friends", []),
        ("leaving ft. worth ft. ann", "leaving ft. worth", ["ann"]),
    ],
)
def test_guest_credits(text: str, shorter: str, guests: list[str]) -> None:
    found, names = without_guests(text)
    assert (found.split(), names) == (shorter.split(), guests)


def test_shared_credits() -> None:
    assert split_artists("ann and bo with cy duet with dee") == ["ann", "bo", "cy", "dee"]
    assert split_artists("ann n bo con cy") == ["ann n bo con cy"]
    assert split_credit("ann & bo, cy / dee con eve presents flo") == ["ann", "bo", "cy", "dee", "eve", "flo"]


# -- vocabulary ------------------------------------------------------------------------------


def test_words_with_a_place_are_version_words() -> None:
    assert {*AFTER_GUESTS, *AT_THE_START, *BEFORE_PLACES, *NOT_AT_THE_END} <= VERSIONS.keys()


# -- columns ---------------------------------------------------------------------------------


def test_columns_are_never_null(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [("The Café", "Déjà Vu (Mono)"), (None, None)], "artist string, title string"
    )
    rows = frame.select(normalized_artist(F.col("artist")), normalized_title(F.col("title"))).collect()
    assert [tuple(row) for row in rows] == [("cafe", "deja vu"), ("", "")]


def test_unescaped(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("R&amp;B",), ("&lt;3 &amp;#39;",), ("R & B",), (None,)], "text string")
    rows = frame.select(unescaped(F.col("text"))).collect()
    assert [row[0] for row in rows] == ["R&B", "<3 '", "R & B", None]
