"""No text of a record ends a run: every reader of ids, numbers, names and lyrics takes whatever it says.

Readers that are Spark columns see all texts in one plan. Other rooms' readers have such a test beside them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from conftest import ROOT
from songmood.audio import AUDIO_FEATURES, RANGES, feature
from songmood.corpus.columns import facts_of_record, fit_facts
from songmood.corpus.formats import decoded
from songmood.corpus.lengths import LengthUnits, read_seconds, units_of_column
from songmood.corpus.values import (
    NO_VALUE,
    filled,
    read_id,
    read_isrc,
    read_language,
    read_number,
    read_spotify_id,
    read_track_number,
    read_uuid,
    read_year,
    stripped,
    year_at_end,
)
from songmood.letters import plain_letters
from songmood.lyrics.language import guess_language
from songmood.lyrics.reading import read_text, read_texts
from songmood.lyrics.spelling import plain_spelling, spell_out, without_repeated_lines
from songmood.names.matching import best_match, telling_words
from songmood.names.normalize import LONGEST_NAME, fold, normalize_artist, normalize_title, unescaped
from songmood.settings import Settings, load_settings
from songmood.steps.dedupe.compare import LEVELS, compare_sides, may_be_one_song
from songmood.steps.dedupe.parse import album_name, album_version, parse_name, possible_albums
from songmood.steps.dedupe.sides import FIELDS, NAME_FIELDS, sides_of
from songmood.steps.enrich.files import find_rows, lyric_rows
from songmood.tables import CORPUS_LYRICS, SONG_RECORDS

Table = Callable[..., DataFrame]
T = TypeVar("T")

PIECES = [
    *("0", "1", "7", "19", "75", "2003", "59", "1e9", "E+3", "e-7", "999999999999999", "1" * 40, "-", "+"),
    *(".", ",", ":", "/", " of ", "'", '"', " ", "\u00a0", "\u200b", "\t", "\n", "\x00", "\u2028", "h", "m"),
    *("min", "sec", "ms", "s", "PT", "days", "'75", "(1999)", "[", "(", "{", ")", "]", "}", "null", "NaN"),
    *("Infinity", "0x1F", "½", "²", "٣", "１２", "−3", "Ⅻ", "%", "%2", "%20", "%ED%A0%80", "&amp;"),
    *("&#xD800;", "&#0;", '{"$oid":"', '"}', "ObjectId(", "NumberLong(7)", "spotify:track:"),
    *("https://open.spotify.com/track/", "0123456789abcdefghiJKL", "?si=1", "US-RC1-76-07839", "ISRC "),
    *("e58ed763-928c-4155-bee9-fdbaaadc15f3", "english", "Englsih", "en_US", "fr", "-CA", "Ελληνικά", "İ"),
    *("ß", "漢字", "e\u0301", "🎵", "\U0010ffff", " - ", " by ", "feat. ", "ft", "Live", "Remix", "Part "),
    *("XIII", "MCMXCIX", "the ", ", The", "01 - ", "$"),
]
TEXT = st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
# What is quadratic or deep for somebody: the same once and again, and a megabyte of it.
REPEATED = [piece * (2000 // len(piece)) for piece in PIECES]
HUGE = [
    piece * (10**6 // len(piece))
    for piece in ("a", " ", "(", '{"$oid":"' + " ", "1", "x - ", "&amp;", "\u0301")
]

ENRICH = load_settings(ROOT / "conf" / "base.yaml").enrich


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Examples of hypothesis, all at once, for a test that has one plan for all of them."""
    found: list[T] = []

    @settings(max_examples=count, deadline=None, derandomize=True, database=None)
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


@pytest.fixture(scope="module")
def base() -> Settings:
    return load_settings(ROOT / "conf" / "base.yaml")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [*drawn(TEXT, 1000), *NO_VALUE, *PIECES, *REPEATED[::4], *HUGE[:4]]


def readers() -> dict[str, Column]:
    units = LengthUnits(decimal_clock=True)._asdict()
    return {
        "filled": filled(F.col("text")),
        "stripped": stripped(F.col("text")),
        "id": read_id("text"),
        "spotify": read_spotify_id("text"),
        "uuid": read_uuid("text"),
        "isrc": read_isrc("text"),
        "number": read_number("text"),
        "whole": read_number("text").cast("long"),
        "track": read_track_number("text", "position"),
        "year": read_year("text", short=F.lit(True)),
        "year_at_end": year_at_end("text"),
        "language": read_language("text", "position"),
        "seconds": read_seconds("text", F.struct(*(F.lit(unit).alias(name) for name, unit in units.items()))),
        "decoded": decoded(F.col("text")),
        "unescaped": unescaped(F.col("text")),
        "spelled": spell_out(without_repeated_lines(plain_spelling(F.col("lyrics")))),
    }


def test_any_text_is_an_id_a_number_a_year_or_none(spark: SparkSession, texts: list[str]) -> None:
    rows = [(text, text, plain_letters(text)) for text in texts]  # lyrics come as plain_letters writes them
    frame = spark.createDataFrame(rows, "text string, position string, lyrics string")
    read = frame.select("text", *(column.alias(name) for name, column in readers().items())).cache()
    again = [
        read_id("id"),
        read_language("language", "language"),
        stripped(F.col("stripped")),
    ]
    rows = read.select("*", *(column.alias(f"again_{i}") for i, column in enumerate(again))).collect()
    assert len(rows) == len(texts)
    wrong = [(name, row[name], row["text"][:50]) for row in rows for name in wrong_values(row)]
    assert wrong == []


def wrong_values(row: Row) -> Iterable[str]:
    """The names of the values of a text that no reader may give."""
    seconds, number = row["seconds"], row["number"]
    texts = ("stripped", "id", "isrc", "uuid", "language")
    right = {
        **{name: row[name] is None or row[name].strip() for name in texts},
        "filled": row["filled"] is None or row["filled"].strip(" "),
        "spotify": row["spotify"] is None or re.fullmatch("[0-9A-Za-z]{22}", row["spotify"]),
        "number": number is None or math.isfinite(number),
        "track": row["track"] is None or 0 < row["track"] <= 1000,
        **{n: row[n] is None or 1500 <= row[n] <= 2039 for n in ("year", "year_at_end")},
        "seconds": seconds is None or 0 < seconds < math.inf,
        **{n: row[n] is not None for n in ("decoded", "unescaped", "spelled")},
    }
    for place, name in enumerate(("id", "language", "stripped")):
        right[f"again_{place}"] = row[f"again_{place}"] == row[name]
    return (name for name, is_right in right.items() if not is_right)


def test_any_texts_of_a_column_have_units(spark: SparkSession, texts: list[str]) -> None:
    rows = [(f"songs/{i % 3}.csv", text, text) for i, text in enumerate(texts)]
    frame = spark.createDataFrame(rows, "source string, duration_s string, year string")
    facts = fit_facts(frame)
    assert set(facts) == {"songs/0.csv"}
    units = facts["songs/0.csv"].length
    assert all(map(math.isfinite, units))
    (counted,) = frame.select(facts_of_record(facts)["short_years"].alias("short")).distinct().collect()
    assert counted["short"]


LENGTHS = st.tuples(
    st.sampled_from(("spelled", "integer", "decimal")),
    st.integers(-60, 120),
    st.booleans(),
    st.integers(1, 10**12),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LENGTHS, max_size=20))
def test_any_lengths_have_units(lengths: list[tuple[str, int, bool, int]]) -> None:
    units = units_of_column(lengths)
    assert all(map(math.isfinite, units))
    assert 0 <= units.integer_minutes <= units.integer_ms
    assert 0 <= units.decimal_minutes <= units.decimal_ms


def test_any_text_is_an_audio_feature_or_none(spark: SparkSession, texts: list[str]) -> None:
    count = len(AUDIO_FEATURES)
    given_rows = [texts[i : i + count] for i in range(0, len(texts) - count, count)]
    frame = spark.createDataFrame(given_rows, ", ".join(f"{name} string" for name in AUDIO_FEATURES))
    rows = frame.select(*(feature(name).alias(name) for name in AUDIO_FEATURES)).collect()
    for name, (low, high) in RANGES.items():
        assert all(row[name] is None or low <= row[name] <= high for row in rows)


# -- names -----------------------------------------------------------------------------------


def test_a_name_of_any_length_is_short_work() -> None:
    """A megabyte took hours: some expressions try each place of a text from each other place."""
    for text in (*REPEATED, *HUGE):
        name_of_any_length(text)


def name_of_any_length(text: str) -> None:
    assert len(fold(text)) <= LONGEST_NAME
    for normalize in (normalize_title, normalize_artist):
        assert normalize(normalize(text)) == normalize(text)
    parse_name("a", text, (), [album_name(text)], 7)
    parse_name("", text)
    parse_name(text, "a")
    assert len(possible_albums(text)) <= 20
    album_version(album_name(text))


@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=4))
@example(" " * 100_000 + "x", "(" * 100_000, [("(live " * 50_000, "x"), ("a" * 10**6, "a" * 10**6)])
def test_any_names_match_or_not(title: str, artist: str, candidates: list[tuple[str, str]]) -> None:
    candidates = [*candidates, (title, artist)]
    best = best_match(title, artist, candidates, ENRICH)
    has_names = bool(normalize_title(title)) and bool(normalize_artist(artist))
    if best is not None:
        assert candidates[best.place] == (best.title, best.artist)
        assert 0 <= best.score <= 100
        assert best.accepted == (best.difference is None)
        assert best.nearest()
    if has_names and "live" not in title.lower():
        assert best is not None  # at least the song itself
    assert telling_words({"live"}, title, artist) is not None


def test_any_two_records_are_compared(base: Settings) -> None:
    records = drawn(st.tuples(TEXT, TEXT, TEXT, st.none() | st.integers(0, 1000)), 800)
    records += [(text, text, text, None) for text in REPEATED]
    rows = []
    for artist, title, album, number in records:
        place = math.nan if number is None else float(number)
        found = parse_name(artist, title, (), [album_name(album)], place)._asdict()
        found |= {"album": album_name(album), "album_version": album_version(album_name(album))}
        found |= dict.fromkeys(("track_number", "duration_s", "year"), place)
        found |= dict.fromkeys(set(FIELDS) - set(found), artist) | {"common_title": number == 1}
        rows.append(found)
    frame = pd.DataFrame(rows)
    places = np.arange(len(frame))
    for other in (places, np.roll(places, 1), np.roll(places, 7)):
        may = may_be_one_song(sides_of(frame, NAME_FIELDS, places, other), other >= 0)
        for unit in ("song", "recording"):
            dedupe = base.dedupe.model_copy(update={"unit": unit})
            levels = compare_sides(sides_of(frame, FIELDS, places, other), dedupe)
            for name, texts_of_levels in LEVELS.items():
                assert levels[name].between(-1 if name == "name" else 0, len(texts_of_levels) - 1).all()
        assert may.shape == (len(frame),)


# -- lyrics ----------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(TEXT)
@example("&#xD800;")
@example("\\ud800\\udfff \\udc00")
@example("\x00\ufffe\uffff")
def test_any_lyrics_are_read(text: str) -> None:
    language, probability = guess_language(text)
    assert (language is None) == (probability is None)
    read = read_text(text)
    assert read.lyrics or read.fault
    assert read_texts([text, None])["lyrics"].isna().tolist() == [read.lyrics is None, True]


def test_any_names_are_looked_for_in_files(spark: SparkSession, table: Table, base: Settings) -> None:
    names = drawn(st.tuples(TEXT, TEXT, TEXT), 300)
    records = table(
        SONG_RECORDS,
        *(
            {"record_id": str(i), "song_id": str(i), "title": title or None, "artist": artist or None}
            for i, (title, artist, _) in enumerate(names)
        ),
        language="english",
    )
    texts = table(
        CORPUS_LYRICS,
        *(
            {"song_id": str(i - 7), "title": title, "artist": artist, "lyrics": text}
            for i, (title, artist, text) in enumerate(names)
        ),
    )
    found = find_rows(
        records.withColumn("row_id", F.col("record_id")), lyric_rows(texts), base.enrich, heed_live=False
    ).collect()
    assert sorted(row["song_id"] for row in found) == sorted(map(str, range(len(names))))
