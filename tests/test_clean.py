"""clean: lyrics as they are sung, texts that are not lyrics, and the table of both. The texts are made up."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import as_rows
from songmood.engine.errors import UserError
from songmood.lyrics.cleaning import clean_lyrics
from songmood.lyrics.faults import find_fault
from songmood.lyrics.reading import read_texts
from songmood.settings import Settings
from songmood.steps.clean import COLUMNS, clean_corpus_lyrics, clean_rows
from songmood.tables import CORPUS_LYRICS


@pytest.mark.parametrize(
    ("raw_text", "expected"),
    [
        ("a<br>b<br/>\nc<BR />d", "a\nb\nc\nd"),
        ("don&#x27;t &lt;3 &amp; go", "don't <3 & go"),
        ("<i>soft</i> <a href='x'>link</a>", "soft link"),
        ("ﬁne\u00a0day", "fine day"),
        ("I don\u00b4t", "I don't"),
        ("[Verse 1]\none\n [Pre-Chorus: Ann] \ntwo\n{Bridge}\n[Chorus x2]\nthree", "one\n\ntwo\n\nthree"),
        ("[ar: Ann]\n[00:12.30] one\n[01:02]two <00:03.10>three\n[length: 03:12]", "one\ntwo three"),
        ("[Produced by Ann & Bo]\none\n[Guitar Solo]\n[Coro: Ann]\ntwo\n[x2]", "one\n\ntwo"),
        ("keep [this] here\n[laughs]", "keep [this] here\n[laughs]"),
        ("one\r\n\r\n\r\n\r\n  two  ", "one\n\ntwo"),
        ("12 ContributorsTranslationsA Song Lyrics[Verse 1]\nwords23Embed", "words"),
        (
            "words\nYou might also likemore words\nYou might also like you",
            "words\nmore words\nYou might also like you",
        ),
        ("one\nSee Ann LiveGet tickets as low as $52\ntwo", "one\n\ntwo"),
        ("we Embed", "we Embed"),
        ("words\n5.3KEmbed", "words"),
        ("A Song Lyrics[Verse 1]\nwords", "words"),
        ("3 ContributorsA Song Lyrics“A Song” is about a song… Read More\u00a0\n[Verse 1]\nwords", "words"),
        ("[Instrumental]", None),
        ("<br>&nbsp; \n", None),
        ("", None),
        (None, None),
    ],
)
def test_cleaning(raw_text: str | None, expected: str | None) -> None:
    assert clean_lyrics(raw_text) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60) | st.lists(st.sampled_from(["a", "<br>", "&lt;", "[Hook]", "\n", " "])).map("".join)
)
@example("<" * 20_000)
@example("[verse" * 5_000)
def test_cleaning_any_text_leaves_words_or_nothing(text: str) -> None:
    cleaned = clean_lyrics(text)
    assert cleaned is None or (cleaned == cleaned.strip() != "" and "\n\n\n" not in cleaned)
    assert cleaned is None or unicodedata.is_normalized("NFKC", cleaned)
    assert cleaned is None or "<br>" not in cleaned


# -- texts that are not lyrics ---------------------------------------------------------------------

VERSE = "\n".join(
    ["we walk along the river", "and nobody calls our name", "oh, the morning is a stranger"] * 6
)
CALENDAR = """[January]
1/2
Kid Marble – Hotel (feat. Ann)
The Larks - Over the Sea
1/9
Moss & Dane – Rain
Nobody - "Nothing at All"
1/16
Ivo - Sand
More to come"""
MONTHS = "\n".join(f"January {day}: The Larks, an album of that day" for day in range(2, 20, 3))
TRACKS = "\n".join(f"{n}. Song Number {n}" for n in range(1, 12))
LENGTHS = "\n".join(
    f"Song of the {word} 3:2{n}" for n, word in enumerate(["sea", "hill", "sand", "moon", "day", "fog"])
)
SENTENCE = (
    "The record was made over two winters in a barn outside the town, where the band had moved after the "
    "tour, and it is often said to be the most careful of their work so far. "
)
ALBUM = "\n\n".join(f"{n}. Title {n}\n{VERSE}" for n in range(1, 9))
PARTS = "\n\n".join(f"[Verse 1]\n{VERSE}\n[Chorus]\n{VERSE}" for _ in range(7))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (VERSE, None),
        (VERSE.replace("\n", " "), None),  # all on one line
        (VERSE.replace("\n", ". "), None),  # on one line, a full stop after each
        (SENTENCE, None),  # a few sentences are not an essay
        ("2 Contributors[Intro]\n" + VERSE, None),
        ("\n".join(f"{word} - are you there, are you there" for word in ["hey"] * 9), None),
        ("1999, 1999, 1999\n" * 8, None),
        ("May 5 was a morning\n" + VERSE, None),
        ("Tequila! Tequila! Tequila! Tequila!", None),
        ("[Instrumental]", "instrumental"),
        ("(This song is an instrumental)", "instrumental"),
        ("7 ContributorsA Song Lyrics[Instrumental]Embed", "instrumental"),
        ("", "empty"),
        (None, "empty"),
        ("[Verse 1]\n[Chorus]", "empty"),
        ("na na", "too short"),
        ("Lyrics for this song have yet to be released. Please check back once the song is out.", "none yet"),
        ("We are not licensed to display the full lyrics for this song.", "none yet"),
        (CALENDAR, "list"),
        (MONTHS, "list"),
        (TRACKS, "list"),
        (LENGTHS, "list"),
        ((SENTENCE * 4 + "\n\n") * 4, "essay"),
        (ALBUM, "several songs"),
        (PARTS, "several songs"),
        (VERSE * 40, "too long"),
    ],
)
def test_faults(text: str | None, fault: str | None) -> None:
    assert find_fault(text) == fault


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
@example("[verse" * 5_000)
@example("a - " * 5_000)
@example("1. " * 5_000)
def test_any_text_has_a_fault_or_words(text: str) -> None:
    assert find_fault(text) or clean_lyrics(text)


def test_real_songs_have_no_fault(shared_data: Path) -> None:
    file = shared_data / "public-domain" / "lyrics" / "public_domain.jsonl"
    faults = [find_fault(json.loads(line)["lyrics"]) for line in file.read_text().splitlines()]
    assert len(faults) == 452
    assert set(faults) == {None}


def test_a_text_is_read_as_its_parts_are() -> None:
    texts = [
        VERSE,
        f"2 ContributorsA Song Lyrics[Intro]<br>{VERSE}",
        ALBUM,
        CALENDAR,
        "[Instrumental]",
        " ",
        "12 12",
        None,
    ]
    read = read_texts(texts)
    assert list(read["lyrics"]) == [clean_lyrics(text) for text in texts]
    assert list(read["fault"]) == [find_fault(text) for text in texts[:-1]] + [None]
    assert list(read["language"]) == ["english"] * 4 + [None] * 4
    assert [p is None for p in read["language_probability"]] == [
        language is None for language in read["language"]
    ]
    assert all(0 < p <= 1 for p in read["language_probability"][:4])


# -- the table -------------------------------------------------------------------------------------

Row = dict[str, str | None]


def raw(spark: SparkSession, *rows: Row) -> DataFrame:
    """Rows as lyrics files have them; columns that are not named are null."""
    schema = ", ".join(f"{name} string" for name in COLUMNS)
    return spark.createDataFrame([tuple(row.get(name) for name in COLUMNS) for row in rows], schema)


RAW: list[Row] = [
    {"song_id": "page", "lyrics": f"3 ContributorsA Song Lyrics[Verse 1]<br>{VERSE}"},
    {"artist": "Ann", "title": "Song", "lyrics": "Au clair de la lune, mon ami Pierrot, prête-moi ta plume"},
    {"song_id": "twice", "lyrics": VERSE},
    {"song_id": "twice", "lyrics": VERSE + "<br>"},  # the same after cleaning
    {"song_id": "twice", "lyrics": CALENDAR},
    {"song_id": "nothing left", "lyrics": "[Instrumental]"},
    {"song_id": None, "lyrics": "12 12 12 12"},
    {"song_id": "blank", "lyrics": "  "},
    {"song_id": "null", "lyrics": None},
]


def test_rows_are_cleaned_and_equal_rows_are_one(spark: SparkSession) -> None:
    cleaned = clean_rows(raw(spark, *RAW))
    assert cleaned.columns == CORPUS_LYRICS.column_names
    rows = as_rows(cleaned)
    found = {
        (row["song_id"], row["artist"], row["title"], row["lyrics"]): (row["fault"], row["language"])
        for row in rows
    }
    assert found == {
        ("page", None, None, VERSE): (None, "english"),
        (None, "Ann", "Song", RAW[1]["lyrics"]): (None, "french"),
        ("twice", None, None, VERSE): (None, "english"),
        ("twice", None, None, clean_lyrics(CALENDAR)): ("list", "english"),
        ("nothing left", None, None, None): ("instrumental", None),
        (None, None, None, "12 12 12 12"): (None, None),
    }
    assert len({row["row_hash"] for row in rows}) == len(rows) == len(found)
    assert all((row["language"] is None) == (row["language_probability"] is None) for row in rows)


def test_values_of_neighboring_columns_are_not_confused(spark: SparkSession) -> None:
    rows: list[Row] = [
        {"artist": "ab", "title": "c", "lyrics": VERSE},
        {"artist": "a", "title": "bc", "lyrics": VERSE},
        {"artist": "abc", "lyrics": VERSE},
        {"title": "abc", "lyrics": VERSE},
    ]
    assert clean_rows(raw(spark, *rows)).count() == 4


def test_no_rows_give_no_rows(spark: SparkSession, make_settings: Callable[..., Settings]) -> None:
    ingest = make_settings().ingest
    for frame in (clean_rows(raw(spark)), clean_corpus_lyrics(spark, [], ingest).corpus_lyrics):
        assert frame.columns == CORPUS_LYRICS.column_names
        assert as_rows(frame) == []


def test_order_and_partitions_change_nothing(spark: SparkSession) -> None:
    rows = raw(spark, *RAW)
    assert as_rows(clean_rows(rows.coalesce(1))) == as_rows(
        clean_rows(rows.orderBy(F.desc("lyrics")).repartition(5))
    )


def test_the_step_reads_the_files_of_the_corpus(
    spark: SparkSession, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    ingest = make_settings().ingest
    (tmp_path / "a.jsonl").write_text(json.dumps({"song_id": "json", "lyrics": VERSE}) + "\n")
    (tmp_path / "b.tsv").write_text("artist\ttitle\tlyrics\nAnn\tSong\tna na na na na\n")
    files = [f"file://{tmp_path}/{name}" for name in ("a.jsonl", "b.tsv")]
    rows = as_rows(clean_corpus_lyrics(spark, files, ingest).corpus_lyrics)
    assert {(row["song_id"], row["artist"], row["lyrics"]) for row in rows} == {
        ("json", None, VERSE),
        (None, "Ann", "na na na na na"),
    }
    (tmp_path / "c.csv").write_text("song_id,text\na,b\n")
    with pytest.raises(UserError, match=r"c\.csv has no column lyrics; its columns are song_id, text"):
        clean_corpus_lyrics(spark, [f"file://{tmp_path}/c.csv"], ingest)
