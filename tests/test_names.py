from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from songmood.names.normalize import (
    normalize_artist,
    normalize_title,
    normalized_artist,
    normalized_title,
    unescaped,
)

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
        ("???", ""),
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
        assert not any(unicodedata.category(c)[0] in "PSZC" and c != " " for c in once)
        assert not any("\u0300" <= c <= "\u036f" for c in unicodedata.normalize("NFD", once))


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
