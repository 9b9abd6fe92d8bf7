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
from songmood.lyrics.reading import read_text, read_texts
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


# What programs, sites and players put into the texts of files, and what is sung there.
FROM_FILES = {
    # line ends and signs as programs write them
    r"over the hill\nthe river": "over the hill\nthe river",
    r"one\r\ntwo\\nthree\\\\nfour": "one\ntwo\nthree\nfour",
    r"I don\'t say \"stay\"\tnow": 'I don\'t say "stay" now',
    r"don\u2019t go, caf\xe9 \ud83d\ude00\ud83d": "don’t go, café 😀",
    "one\\\ntwo\\": "one\ntwo",  # a backslash at the end of a line
    "I%20don%27t%20go%0Ano%20more": "I don't go\nno more",
    "I+don%27t+go%0D%0Ano+more": "I don't go\nno more",
    "one\x0btwo\x0cthree\u2028four\x85five": "one\ntwo\nthree\nfour\nfive",
    # escaped several times
    "one&amp;lt;br&amp;gt;two": "one\ntwo",
    "one&amp;amp;lt;br /&amp;amp;gt;two &amp;amp;amp; three": "one\ntwo & three",
    r"one\u003cbr\u003etwo\u0026lt;br/\u0026gt;three": "one\ntwo\nthree",
    "don&amp;#039;t &amp;quot;go&amp;quot;": 'don\'t "go"',
    # markup
    "one</br>two<BR clear=all>three[br]four": "one\ntwo\nthree\nfour",
    "<p>one</p>\n<p>two</p><div>three</div>": "one\ntwo\nthree",
    "<ul><li>one</li><li>two</li></ul>": "one\ntwo",
    "one<!-- start of lyrics --> two<script type='x'>push(1 < 2);</script> three": "one two three",
    "[i]one[/i] [color=red]two[/color]": "one two",
    "i <3 you": "i <3 you",
    # notices of sites
    "one\n...\n\n******* This Lyrics is NOT for Commercial use *******\n(1409617829201)": "one\n...",
    "one two ******* This Lyrics is NOT for Commercial use ******* (1409)": "one two",
    "one\nLyrics powered by LyricFind": "one",
    "one two three Lyrics powered by LyricFind": "one two three",
    "one\nLyrics licensed & provided by LyricFind": "one",
    "one\nLyrics provided by www.songs.example\ntwo": "one\ntwo",
    "one\n\nLyrics © Sea Music Publishing LLC\nSongwriters: Ann Bo / Cy": "one",
    "one\nWriter(s): Ann, Bo\n© 1999 Sea Music\nAll rights reserved.": "one",
    "Artist: Ann\nTitle: Stay\none\nSubmit Corrections": "one",
    "one\nFind more lyrics at ※ Mojim.com\ntwo": "one\ntwo",
    "one\n[Thanks to ann@songs.example for these lyrics]": "one",
    "one\n(Written by Ann and Bo)": "one",
    "one\nhttp://songs.example/ann/stay.html": "one",
    'Send "Stay" Ringtone to your Cell\none': "one",
    "one\nThis lyrics is for personal, non-commercial use only.": "one",
    "one123Embed": "one",
    "one\n12EmbedShare URLCopyEmbedCopy": "one",
    "one\nSee Ann LiveGet tickets as low as £52You might also like\ntwo": "one\n\ntwo",
    # files of players
    "[ar: Ann]\n[ti:Stay [Live]]\n[#: made by hand]\n[tool:lrcs]\n[00:12.34]one": "one",
    "[ar:Ann][ti:Stay][00:12,3]one\n[0:14]two\n[01:02:03.40]three": "one\ntwo\nthree",
    "[00:00.00] 作词 : Ann\n[00:12.34]<00:12.34>one <00:12.90>two": "one two",
    "1\n00:00:01,000 --> 00:00:03,500\none\n\n2\n00:00:04,000 --> 00:00:05,000\ntwo": "one\n\ntwo",
    "Chorus:\none\n(Verse 2)\ntwo\n(x2)\n(repeat chorus)": "one\n\ntwo",
    # signs that look like letters, and signs not seen
    "wh\u0435re is the pep\u00adper": "where is the pepper",
    "\ufeffthe r\u200biver \u202eb\u03bfat\u202c": "the river boat",
    "ｆｕｌｌ\u3000ｍｏｏｎ": "full moon",
    # what is sung stays
    "the lyrics of my heart\nwritten by the hand of the sea": (
        "the lyrics of my heart\nwritten by the hand of the sea"
    ),
    "thanks to the rain, thanks to you": "thanks to the rain, thanks to you",
    "AC/DC and/or R&B": "AC/DC and/or R&B",
    "produced a song: la la": "produced a song: la la",
    "*** you": "*** you",
    "♪ la la ♪": "♪ la la ♪",
}


@pytest.mark.parametrize(("text", "sung"), FROM_FILES.items())
def test_what_files_put_into_lyrics_is_removed(text: str, sung: str) -> None:
    assert clean_lyrics(text) == sung
    assert clean_lyrics(sung) == sung


PIECES = st.sampled_from(
    [
        *("a", " ", "\n", "<br>", "&lt;", "&amp;", "\\", "\\n", "\\u", "d83d", "[Hook]", "[00:12.3]", "[ar:"),
        *("]", "lyrics ", "by ", "not ", "***", "1Embed", "\u0435", "\u200b", "\u0301", "%20", "-->"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60) | st.lists(PIECES).map("".join))
@example("<" * 20_000)
@example("[verse" * 5_000)
@example("\\" * 100_000 + "q")
@example("\\ud83d" * 10_000)
@example("&amp;" * 100_000)
@example("*" * 100_000)
@example("<" + " " * 100_000)
@example("<!--" * 20_000)
@example("<script>" * 10_000)
@example("[ar:" * 20_000)
@example("lyrics not " * 20_000)
@example("lyrics-by-" * 20_000)
@example(" " * 100_000 + "Embed")
@example("1:" * 50_000)
@example("-" * 100_000 + "a")
@example("a" + ("\u0301\u0316" * 10 + "<b>") * 10_000)
def test_cleaning_any_text_leaves_words_or_nothing(text: str) -> None:
    cleaned = clean_lyrics(text)
    assert cleaned is None or (cleaned == cleaned.strip() != "" and "\n\n\n" not in cleaned)
    assert cleaned is None or unicodedata.is_normalized("NFKC", cleaned)
    assert cleaned is None or cleaned.encode()  # no half of a pair of UTF-16
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

WITHOUT_WORDS = (
    *("Instrumental", "(instrumental)", "♪ Instrumental ♪", "This is an instrumental track.", "♪♪♪"),
    *(
        "[au: instrumental]",
        "[ar: Ann]\n[au:instrumental]\n[length: 2:03]",
        "[ar: instrumental]",
        "[ins:true]",
    ),
    *("[00:00.00] Instrumental", "[Intro]\n[Instrumental Break]\n[Outro]", "No lyrics (instrumental)"),
    *("Instrumental\nLyrics powered by LyricFind", "[00:05.00] 纯音乐,请欣赏", "[Instrumental]12Embed"),
)
NOTES = (
    "Lyrics for this song have yet to be released",
    "Lyrics for this song have yet to be released. Please check back once the song is out.",
    "We are not licensed to display the full lyrics for this song.",
    "Unfortunately we don't have the lyrics for this song yet.",
    "Sorry, we have no lyrics for Ann - Stay at the moment.",
    "Looks like we don't know the lyrics for this one.",
    "The lyrics for this track are currently being transcribed.",
    "Lyrics not available",
    "Lyrics<br>coming soon!",
    "[Lyrics will be added later]",
    "&lt;i&gt;Lyrics not found&lt;/i&gt;",
    "No lyrics",
    "Be the first to add the lyrics of this song!",
    "This song's lyrics were removed at the request of the owner.",
    "Artist: Ann\nTitle: Stay\n\nLyrics unavailable\nLyrics powered by LyricFind",
    "Paroles non disponibles",
    "Letra no disponible por el momento",
    "Songtext nicht verfügbar",
    "Текст песни не найден",
    "暂无歌词",
    *("N/A", "null", "None", "TBA", "Not found.", "Coming soon..."),
)


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
        *((text, "instrumental") for text in WITHOUT_WORDS),
        *((text, "none yet") for text in NOTES),
        *((text, "too short") for text in ("na na", "none of us", "no more lies")),
        ("...", "empty"),
        ("Lyrics powered by LyricFind", "empty"),
        ("the lyrics of my heart are lost in the night", None),
        ("no more lies, no more tears to cry", None),
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
@example("lyrics not " * 20)
@example("no " * 100 + "lyric")
@example("." * 390 + "q")
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
    cleaned = [None if text in WITHOUT_WORDS else clean_lyrics(text) for text in texts]
    assert list(read["lyrics"]) == cleaned
    assert list(read["fault"]) == [find_fault(text) for text in texts[:-1]] + [None]
    assert list(read["language"]) == ["english"] * 4 + [None] * 4
    assert [p is None for p in read["language_probability"]] == [
        language is None for language in read["language"]
    ]
    assert all(0 < p <= 1 for p in read["language_probability"][:4])


@pytest.mark.parametrize("text", [*WITHOUT_WORDS, *NOTES])
def test_a_note_that_there_are_no_lyrics_is_not_read_as_lyrics(text: str) -> None:
    read = read_text(text)
    assert read.fault in ("instrumental", "none yet")
    assert (read.lyrics, read.language, read.language_probability) == (None, None, None)


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
