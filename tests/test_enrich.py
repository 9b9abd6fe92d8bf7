"""enrich: what files and services have of each song, and what they lack."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from conftest import ROOT, as_rows
from songmood.audio import AUDIO_FEATURES
from songmood.corpus import tags as tag_files
from songmood.corpus.audio_features import AUDIO_COLUMNS, read_audio_features
from songmood.corpus.files import list_files
from songmood.corpus.flat import read_flat
from songmood.letters import plain_letters
from songmood.names.normalize import normalize_artist, normalize_title
from songmood.settings import EnrichSettings, Settings, load_settings
from songmood.steps.clean import COLUMNS as LYRIC_COLUMNS
from songmood.steps.clean import clean_rows
from songmood.steps.enrich.cache import ANSWER_SCHEMA
from songmood.steps.enrich.files import find_rows
from songmood.steps.enrich.questions import open_requests, with_requests
from songmood.steps.enrich.sources import Files, find_parts
from songmood.steps.enrich.tags import collect_tags, plain_tag
from songmood.tables import DEDUPED, SONG_RECORDS, TABLES

Row = dict[str, Any]
Table = Callable[..., DataFrame]
ID = {n: f"{n:022}" for n in range(1, 10)}  # Spotify ids
PARTS = ("tags", "audio_features", "lyrics", "enrichment_failures")

# Three songs; the record 'merged' belongs to the song 'one'.
SONGS: list[Row] = [
    {"song_id": "one", "spotify_id": ID[1], "lastfm_id": "TR1", "artist": "Adele", "title": "Hello You"},
    {"song_id": "two", "lastfm_id": "TR2", "artist": "The Band", "title": "Driving Old Dixie Down (Live)"},
    {"song_id": "three", "artist": "Simone", "title": "Feeling Quite Good"},
]
MERGED: Row = {
    "record_id": "merged",
    "song_id": "one",
    "spotify_id": ID[2],
    "lastfm_id": "TR9",
    "artist": "Adele",
    "language": None,
}

TAGS: list[Row] = [
    {"song_id": "one", "tag": " Happy ", "weight": "7"},
    {"song_id": "merged", "tag": "happy", "weight": "9.5"},  # the greatest weight counts
    {"lastfm_id": "TR1", "tag": "Feel  Good", "weight": "3"},
    {"lastfm_id": "TR9", "tag": "pop", "weight": "5"},
    {"song_id": "one", "tag": "rock", "weight": "many"},
    {"song_id": "one", "tag": "rock", "weight": "-1"},
    {"song_id": "one", "tag": "rock", "weight": "NaN"},
    {"song_id": "one", "tag": "rock", "weight": "Infinity"},
    {"song_id": "one", "tag": " ", "weight": "5"},
    {"song_id": "one", "tag": None, "weight": None},
    {"song_id": "two", "tag": "sad", "weight": "400"},  # counts, not weights
    {"song_id": "two", "tag": "folk", "weight": "100"},
    {"song_id": "two", "tag": "folk", "weight": "40", "origin": "wasabi"},  # weights again: of another origin
    {"song_id": "two", "tag": "live", "weight": "10", "origin": "wasabi"},
    {"song_id": "elsewhere", "tag": "sad", "weight": "100"},
    {"tag": "of nobody", "weight": "100"},
]
GOOD = dict.fromkeys(AUDIO_FEATURES, "0.5") | {
    "key": "5",
    "mode": "1.0",
    "time_signature": "4",
    "tempo": "120",
}
AUDIO: list[Row] = [
    {"spotify_id": ID[2], **GOOD, "valence": "0.9"},  # of the merged row
    {
        "spotify_id": ID[1],
        **GOOD,
        "energy": "1.5",
        "key": "-1",
        "mode": "0.5",
        "loudness": "NaN",
        "tempo": "x",
    },
    {"artist": "Band", "title": "Driving Old Dixie Down", **GOOD},  # not the live version
    {"artist": "Simone", "title": "Feeling Quite Bad", **GOOD},
    {"artist": "Simone", "title": "Feeling Quite Good", **dict.fromkeys(AUDIO_FEATURES)},  # nothing in it
    {**GOOD},
]
LYRICS: list[Row] = [
    {"song_id": "merged", "lyrics": "hello<br>you &amp; me"},
    {"artist": "BAND", "title": "Driving Old Dixy Down", "lyrics": "one line\n\n[Chorus]\nand another"},
    {"artist": "Band", "title": "Unknown", "lyrics": "x"},
    {"song_id": "three", "lyrics": "[Instrumental]"},
    {"song_id": "three", "lyrics": None},
]


@pytest.fixture(scope="module")
def settings() -> EnrichSettings:
    return load_settings(ROOT / "conf" / "base.yaml").enrich


def frame(spark: SparkSession, rows: list[Row], schema: StructType) -> DataFrame:
    # by way of pandas, so that Spark knows how small it is and joins without shuffles
    values = {field.name: pd.Series([row.get(field.name) for row in rows], dtype=object) for field in schema}
    return spark.createDataFrame(pd.DataFrame(values), schema)


READ = {"tags": (*tag_files.COLUMNS, "origin"), "audio_features": AUDIO_COLUMNS, "lyrics": LYRIC_COLUMNS}


def raw(spark: SparkSession, part: str, rows: list[Row]) -> DataFrame:
    """Rows as files have them."""
    return frame(spark, rows, StructType([StructField(column, StringType()) for column in READ[part]]))


def cleaned(spark: SparkSession, lyrics: list[Row]) -> DataFrame:
    """The table `corpus_lyrics`, from rows as files have them."""
    return clean_rows(raw(spark, "lyrics", lyrics))


def enrich(
    spark: SparkSession,
    settings: EnrichSettings,
    tags: list[Row],
    audio: list[Row] | None,
    lyrics: list[Row] | None,
    answers: dict[str, DataFrame] | None = None,
    songs: list[Row] | None = None,
) -> dict[str, list[Row]]:
    """The rows of every table, from files with these rows."""
    songs = [*SONGS, MERGED] if songs is None else songs
    songs = [{"record_id": song["song_id"], "language": "english", **song} for song in songs]
    records = frame(spark, songs, SONG_RECORDS.schema).persist()
    song_tags = collect_tags(records, raw(spark, "tags", tags), answers or {}, settings)
    files = Files(
        song_tags,
        None if audio is None else raw(spark, "audio_features", audio),
        None if lyrics is None else cleaned(spark, lyrics),
    )
    result = find_parts(records, files, answers or {}, settings)
    result.found.persist()
    tables = {"tags": song_tags} | {part: getattr(result, part) for part in PARTS[1:]}
    assert {part: rows.columns for part, rows in tables.items()} == {p: TABLES[p].column_names for p in PARTS}
    return {part: as_rows(rows) for part, rows in tables.items()}


@pytest.fixture(scope="module")
def enriched(spark: SparkSession, settings: EnrichSettings) -> dict[str, list[Row]]:
    return enrich(spark, settings, TAGS, AUDIO, LYRICS)


def test_tags_by_either_id_cleaned_and_counted_once(enriched: dict[str, list[Row]]) -> None:
    assert {(row["song_id"], row["tag"]): row["weight"] for row in enriched["tags"]} == {
        ("one", "happy"): 9.5,
        ("one", "feel good"): 3.0,
        ("one", "pop"): 5.0,
        ("two", "sad"): 100.0,
        ("two", "folk"): 40.0,
        ("two", "live"): 10.0,
    }
    assert len(enriched["tags"]) == 6


# One spelling of each tag.
TAG_SPELLINGS = {
    "happy": [
        *(
            "Happy",
            "\u00a0happy",
            "happy\u3000",
            "ｈａｐｐｙ",
            "𝐡𝐚𝐩𝐩𝐲",
            "h\u0430ppy",
            "HAPPY\ufe0f",
            "hap\u00adpy",
        ),
        *("\ufeffhappy", "ha\u200bppy", "\tHappy\n", "&nbsp;happy", "\u202ahappy\u202c", "\u041dAPPY"),
    ],
    "feel good": [
        "Feel  Good",
        "feel\u00a0good",
        "feel\u2009good",
        "ｆｅｅｌ　ｇｏｏｄ",
        "feel&amp;nbsp;good",
    ],
    "déprimé": ["De\u0301prime\u0301", "DÉPRIMÉ", "d&eacute;prim&eacute;"],
    "r&b": ["R&B", "r&amp;b", "r&amp;amp;b", "Ｒ＆Ｂ"],
    "80's": ["80’s", "80`s", "80&#39;s", "８０＇ｓ"],
    "lo-fi": ["Lo‐Fi", "lo–fi", "LO\u2011FI"],
    "грусть": ["Грусть", "гр\u0443\u0441ть", "\u0433pyc\u0442\u044c"],
    "슬픔": [unicodedata.normalize("NFD", "슬픔")],
}


def test_tags_have_one_spelling(spark: SparkSession, table: Table, settings: EnrichSettings) -> None:
    rows: list[Row] = [
        {"song_id": "one", "tag": tag, "weight": str(weight)}
        for spellings in TAG_SPELLINGS.values()
        for weight, tag in enumerate(spellings, start=1)
    ]
    rows += [
        {"song_id": "one", "tag": tag, "weight": "9"} for tag in ("\u200b", "\u00a0\ufeff", "&nbsp;", "\x00")
    ]
    records = table(SONG_RECORDS, record_id="one", song_id="one")
    tags = collect_tags(records, raw(spark, "tags", rows), {}, settings).collect()
    assert len(tags) == len(TAG_SPELLINGS)
    assert {row["tag"]: row["weight"] for row in tags} == {
        tag: len(spellings) for tag, spellings in TAG_SPELLINGS.items()
    }


@given(st.text(max_size=30))
@hypothesis_settings(max_examples=200, deadline=None)
@example("\u0130")
@example("&amp;" * 1000)
def test_any_tag_has_one_spelling(tag: str) -> None:
    plain = plain_tag(tag)
    assert plain == plain_tag(f"\ufeff \u00a0{tag}\u200b\n")
    assert plain == " ".join(plain_letters(plain).split())


def test_the_fullest_audio_features_of_all_records_count(enriched: dict[str, list[Row]]) -> None:
    (features,) = enriched["audio_features"]
    assert (features["song_id"], features["source"], features["valence"]) == ("one", "files", 0.9)
    assert all(features[name] is not None for name in AUDIO_FEATURES)


def test_lyrics_by_id_and_by_name(enriched: dict[str, list[Row]]) -> None:
    by_id, by_name = enriched["lyrics"]
    assert by_id == {
        "song_id": "one",
        "lyrics": "hello\nyou & me",
        "source": "files",
        "match_title": None,
        "match_artist": None,
        "match_score": None,
        "fault": None,
    }
    # a live version has the same words
    assert by_name["song_id"] == "two"
    assert (by_name["match_title"], by_name["match_artist"]) == ("Driving Old Dixy Down", "BAND")
    assert by_name["lyrics"] == "one line\n\nand another"
    assert 90 < by_name["match_score"] < 100


def test_failures_say_what_is_lacking_and_what_came_near(enriched: dict[str, list[Row]]) -> None:
    failures = {(row["song_id"], row["source"]): row for row in enriched["enrichment_failures"]}
    assert {key: row["status"] for key, row in failures.items()} == {
        ("three", "tags:files"): "not_found",
        ("two", "audio_features:files"): "no_match",
        ("three", "audio_features:files"): "no_match",
        ("three", "lyrics:files"): "instrumental",
    }
    assert failures["three", "audio_features:files"]["last_error"] == (
        "nearest: 'Feeling Quite Bad' by 'Simone' (title 74, artist 100)"
    )
    assert "only one has: live" in failures["two", "audio_features:files"]["last_error"]
    for row in failures.values():
        assert (row["http_status"], row["attempts"], row["fetched_at"]) == (None, 1, None)


def test_no_lyrics_are_in_the_failures(enriched: dict[str, list[Row]]) -> None:
    assert not any("line" in str(row["last_error"]) for row in enriched["enrichment_failures"])


def test_order_and_partitions_change_nothing(
    spark: SparkSession, settings: EnrichSettings, enriched: dict[str, list[Row]]
) -> None:
    twice = [*AUDIO[::-1], *AUDIO]
    again = enrich(spark, settings, [*TAGS[::-1], *TAGS], twice, [*LYRICS[::-1], *LYRICS])
    assert again == enriched


def test_without_any_files_every_song_lacks_everything(spark: SparkSession, settings: EnrichSettings) -> None:
    result = enrich(spark, settings, [], None, None)
    assert result == enrich(spark, settings, [], [], [])
    assert [result[part] for part in PARTS[:3]] == [[], [], []]
    assert len(result["enrichment_failures"]) == 3 * len(SONGS)
    assert {row["status"] for row in result["enrichment_failures"]} == {"not_found"}


# -- several rows for one song -----------------------------------------------------------------------

TEXT = "we walk along the river\nand nobody calls our name"
LONG = TEXT + "\noh, the morning is a stranger\nand the evening is the same"
NOTE = "Lyrics for this song have yet to be released"
LISTED = "\n".join(f"{n}. Song Number {n}" for n in range(1, 12))
FRENCH = "je ne sais pas pourquoi tu es parti ce matin sans moi\n" * 9
# What the files have of a song (under its id, the id of a record that is merged with it, its name, and
# another spelling of the name), and the lyrics and the fault that it gets, or the status and the error.
Texts = list[tuple[str, str]]
CHOICES: dict[str, tuple[Texts, tuple[str, str | None]]] = {
    "the longest": ([("id", TEXT), ("id", LONG), ("id", "we walk along the")], (LONG, None)),
    "no fault, though shorter": ([("id", LISTED), ("id", TEXT)], (TEXT, None)),
    "the longest fault": ([("id", "na na"), ("id", LISTED)], (LISTED, "list")),
    "the song's language": ([("id", FRENCH), ("id", LONG)], (LONG, None)),
    "a merged record's, not a note": ([("id", NOTE), ("merged", TEXT)], (TEXT, None)),
    "a merged record's, not a list": ([("id", LISTED), ("merged", TEXT)], (TEXT, None)),
    "a merged record's, not silence": ([("id", "[Instrumental]"), ("merged", TEXT)], (TEXT, None)),
    "the name's, not a note": ([("id", NOTE), ("name", TEXT)], (TEXT, None)),
    "the name's, not a word for nothing": ([("id", "N/A"), ("name", TEXT)], (TEXT, None)),
    "the name's, not markup": ([("id", "<br>"), ("name", TEXT)], (TEXT, None)),
    "another spelling's, not a note": ([("name", NOTE), ("spelling", TEXT)], (TEXT, None)),
    "the name's in the song's language": ([("name", FRENCH), ("name", TEXT)], (TEXT, None)),
    "the id's, though the name has more": ([("id", TEXT), ("name", LONG)], (TEXT, None)),
    "the id's fault, for the name has a note": ([("id", LISTED), ("name", NOTE)], (LISTED, "list")),
    "a note": ([("id", NOTE)], ("implausible", "none yet")),
    "a note under the name": ([("name", NOTE)], ("implausible", "none yet")),
    "two notes": ([("id", NOTE), ("name", "Lyrics not found")], ("implausible", "none yet")),
    "a header": ([("id", "[au: instrumental]")], ("instrumental", None)),
    "a sentence": ([("id", "This song is an instrumental"), ("name", TEXT)], ("instrumental", None)),
}
FEW = {**GOOD, "energy": None, "key": "-1", "tempo": "0", "valence": "0.8"}
NONE = dict.fromkeys(AUDIO_FEATURES)
# The same of audio features. The right ones have a valence of 0.5.
FEATURES: list[list[tuple[str, Row]]] = [
    [("id", FEW), ("id", GOOD)],
    [("id", NONE), ("id", GOOD)],
    [("id", FEW), ("merged", GOOD)],
    [("name", FEW), ("name", GOOD)],
    [("name", FEW), ("spelling", GOOD)],
    [("id", GOOD), ("merged", {**GOOD, "valence": "0.1"})],  # both are full: the song's own
    [("id", {**GOOD, "key": "-1"}), ("name", {**GOOD, "valence": "0.1"})],  # the id is surer than the name
]


def keys_of(number: int) -> dict[str, Row]:
    """What names a song in rows; no two numbers have similar words."""
    word = (
        hashlib.md5(str(number).encode())
        .hexdigest()[:12]
        .translate(str.maketrans("0123456789", "ghijklmnop"))
    )
    return {
        "id": {"song_id": f"{number:02}", "spotify_id": f"{number:022}"},
        "merged": {"song_id": f"{number:02} merged", "spotify_id": f"{number + 100:022}"},
        "name": {"artist": word.title(), "title": f"{word[::-1]} Day"},
        "spelling": {"artist": word.upper(), "title": f"{word[::-1]} day!"},
    }


def rows_of(number: int, found: list[tuple[str, Row]]) -> list[Row]:
    return [{**keys_of(number)[key], **values} for key, values in found]


@pytest.fixture(scope="module")
def chosen(spark: SparkSession, settings: EnrichSettings) -> dict[str, list[Row]]:
    """The tables of one corpus with all cases: the songs of CHOICES, then those of FEATURES, twice."""
    audio_cases = [*FEATURES, *(rows[::-1] for rows in FEATURES)]
    lyrics = [
        row
        for number, (texts, _) in enumerate(CHOICES.values())
        for row in rows_of(number, [(key, {"lyrics": text}) for key, text in texts])
    ]
    audio = [
        row for number, rows in enumerate(audio_cases, start=len(CHOICES)) for row in rows_of(number, rows)
    ]
    songs = []
    for number in range(len(CHOICES) + len(audio_cases)):
        keys = keys_of(number)
        songs += [
            {**keys["id"], **keys["name"]},
            {
                **keys["merged"],
                **keys["name"],
                "song_id": keys["id"]["song_id"],
                "record_id": keys["merged"]["song_id"],
            },
        ]
    return enrich(
        spark,
        settings,
        [],
        [{name: value for name, value in row.items() if name != "song_id"} for row in audio],
        [{name: value for name, value in row.items() if name != "spotify_id"} for row in lyrics],
        songs=songs,
    )


@pytest.mark.parametrize("case", CHOICES)
def test_of_several_lyrics_the_best_count(chosen: dict[str, list[Row]], case: str) -> None:
    song = f"{list(CHOICES).index(case):02}"
    lyrics = {row["song_id"]: (row["lyrics"], row["fault"]) for row in chosen["lyrics"]}
    failures = {
        row["song_id"]: (row["status"], row["last_error"])
        for row in chosen["enrichment_failures"]
        if row["source"] == "lyrics:files"
    }
    assert (lyrics.get(song) or failures.get(song)) == CHOICES[case][1]


def test_of_several_audio_features_the_fullest_count(chosen: dict[str, list[Row]]) -> None:
    valences = {row["song_id"]: row["valence"] for row in chosen["audio_features"]}
    numbers = range(len(CHOICES), len(CHOICES) + 2 * len(FEATURES))
    assert valences == {f"{number:02}": 0.5 for number in numbers}


# -- services ----------------------------------------------------------------------------------------

SUNG = "a line of it<br>another line of it<br>and the third"
ANSWERS: dict[str, list[Row]] = {
    "lastfm": [
        {"request": "simone\tfeeling quite good", "status": "ok", "content": '[["Sad", 100], ["sad ", 9]]'},
        {"request": "adele\thello you", "status": "ok", "content": '[["angry", 100]]'},
    ],
    "spotify": [{"request": ID[1], "status": "not_found"}],
    "reccobeats": [{"request": ID[1], "status": "ok", "content": '{"valence": 0.25, "energy": 7, "key": 2}'}],
    "genius": [
        {
            "request": "simone\tfeeling quite good",
            "status": "ok",
            "content": json.dumps({"title": "Good", "artist": "Simone", "score": 95.5, "lyrics": SUNG}),
        },
        {
            "request": "adele\thello you",
            "status": "ok",
            # without a score: it was asked by name, so it is refused like what is found by name
            "content": json.dumps({"title": "Hello You", "artist": "Adele", "lyrics": "na na"}),
        },
        {
            "request": "band\tdriving old dixie down live",
            "status": "transient",
            "http_status": 503,
            "attempts": 4,
            "last_error": "busy",
        },
    ],
}


def answered(spark: SparkSession) -> dict[str, DataFrame]:
    schema = spark.createDataFrame([], ANSWER_SCHEMA).schema
    return {source: frame(spark, rows, schema) for source, rows in ANSWERS.items()}


def test_the_first_source_that_has_something_counts(spark: SparkSession, settings: EnrichSettings) -> None:
    order = {
        "tags": ("files", "lastfm"),
        "audio_features": ("spotify", "files", "reccobeats"),
        "lyrics": ("genius", "files"),
    }
    audio = [{"spotify_id": ID[2], **GOOD}]
    lyrics = [{"song_id": "one", "lyrics": "from a file"}, {"song_id": "two", "lyrics": "two in a file"}]
    found = enrich(spark, settings.model_copy(update=order), TAGS[:1], audio, lyrics, answered(spark))
    assert {(row["song_id"], row["tag"], row["source"]) for row in found["tags"]} == {
        ("one", "happy", "files"),
        ("three", "sad", "lastfm"),
    }
    assert {(row["song_id"], row["source"]) for row in found["audio_features"]} == {("one", "files")}
    assert {(row["song_id"], row["source"], row["match_score"]) for row in found["lyrics"]} == {
        ("three", "genius", 95.5),
        ("one", "files", None),
        ("two", "files", None),
    }
    failures = {(row["song_id"], row["source"]): row for row in found["enrichment_failures"]}
    assert {key: row["status"] for key, row in failures.items()} == {
        ("two", "tags:files"): "not_found",
        ("two", "tags:lastfm"): "not_asked",
        ("three", "tags:files"): "not_found",
        ("one", "audio_features:spotify"): "not_found",
        **{("two", f"audio_features:{s}"): "not_asked" for s in ("spotify", "reccobeats")},
        **{("three", f"audio_features:{s}"): "not_asked" for s in ("spotify", "reccobeats")},
        **{(song, "audio_features:files"): "not_found" for song in ("two", "three")},
        ("one", "lyrics:genius"): "implausible",
        ("two", "lyrics:genius"): "transient",
    }
    assert failures["one", "lyrics:genius"]["last_error"] == "too short"
    failed = failures["two", "lyrics:genius"]
    assert (failed["http_status"], failed["attempts"], failed["last_error"]) == (503, 4, "busy")


def test_features_of_a_service_are_checked_as_those_of_files(
    spark: SparkSession, settings: EnrichSettings
) -> None:
    only = settings.model_copy(update={"audio_features": ("reccobeats",)})
    (row,) = enrich(spark, only, [], [], [], answered(spark))["audio_features"]
    assert (row["song_id"], row["valence"], row["energy"], row["key"]) == ("one", 0.25, None, 2)


def test_an_unknown_source_raises(table: Table) -> None:
    with pytest.raises(LookupError, match="shazam is not a service"):
        with_requests(table(DEDUPED, song_id="a"), "shazam")


def test_implausible_lyrics_found_by_name_are_refused(spark: SparkSession, settings: EnrichSettings) -> None:
    listed = "\n".join(f"{n}. Song Number {n}" for n in range(1, 12))
    french = "je ne sais pas pourquoi tu es parti ce matin sans moi " * 4
    lyrics = [
        {"song_id": "one", "lyrics": listed},
        {"artist": "The Band", "title": "Driving Old Dixie Down", "lyrics": french},
        {"artist": "Simone", "title": "Feeling Quite Good", "lyrics": listed},
    ]
    found = enrich(spark, settings, [], [], lyrics)
    (row,) = found["lyrics"]
    assert (row["song_id"], row["fault"]) == ("one", "list")  # found by id: kept, with the fault
    assert {
        row["song_id"]: (row["status"], row["last_error"])
        for row in found["enrichment_failures"]
        if row["source"] == "lyrics:files"
    } == {"two": ("implausible", "other language"), "three": ("implausible", "list")}


def test_which_requests_are_open(
    spark: SparkSession, table: Table, make_settings: Callable[..., Settings]
) -> None:
    now = datetime(2026, 6, 1, tzinfo=timezone.utc)
    old, new = datetime(2025, 1, 1), datetime(2026, 5, 30)
    answers = [
        {"request": "ann\tok", "status": "ok", "fetched_at": old, "attempts": 1},
        {"request": "ann\tgone", "status": "not_found", "fetched_at": new, "attempts": 1},
        {"request": "ann\tlong gone", "status": "no_match", "fetched_at": old, "attempts": 1},
        {"request": "ann\tbad", "status": "permanent", "fetched_at": old, "attempts": 1},
        {"request": "ann\tfailed", "status": "transient", "fetched_at": new, "attempts": 4},
        {"request": "ann\tgiven up", "status": "transient", "fetched_at": new, "attempts": 12},
    ]
    titles = [answer["request"].removeprefix("ann\t") for answer in answers]
    songs = table(
        DEDUPED,
        *({"song_id": title, "artist": "Ann", "title": title} for title in [*titles, "never asked"]),
        {"song_id": "again", "artist": "ANN", "title": "Never asked"},  # the same request
        {"song_id": "nameless", "title": "ok"},
        {"song_id": "no title", "artist": "Ann"},
        {"song_id": "a name of signs", "artist": "Ann", "title": "?!"},
        {"song_id": "no name in the title", "artist": "Ann", "title": "---"},
    )
    known = frame(spark, answers, spark.createDataFrame([], ANSWER_SCHEMA).schema)
    settings = make_settings().fetch
    requests = open_requests(songs, "lastfm", known, settings, now).collect()
    assert sorted((row["request"], row["attempts"]) for row in requests) == [
        ("ann\t?!", 0),
        ("ann\tfailed", 4),
        ("ann\tlong gone", 0),
        ("ann\tnever asked", 0),
    ]


# -- real data -----------------------------------------------------------------------------------


def test_a_title_that_holds_the_artist_is_looked_for_as_both(
    spark: SparkSession, table: Table, settings: EnrichSettings
) -> None:
    songs = [
        {"song_id": "a", "artist": "Jay", "title": "Usher:Hot Thing"},
        {"song_id": "b", "artist": None, "title": "Ann - Stay"},
        {"song_id": "c", "artist": "Ann", "title": "Mission: Gone"},
    ]
    records = table(SONG_RECORDS, *({"record_id": song["song_id"], **song} for song in songs))
    names = [("Usher", "Hot Thing"), ("Ann", "Stay"), ("Bo", "Gone"), ("Ann", "Mission: Gone")]
    rows = spark.createDataFrame(
        [(None, artist, title, f"{artist}/{title}") for artist, title in names],
        "row_id string, artist string, title string, content string",
    ).selectExpr("*", "1 AS order", "false AS poor", "string(null) AS row_language")
    without_id = records.withColumn("row_id", F.lit(None).cast("string"))
    found = {row.song_id: row.row for row in find_rows(without_id, rows, settings).collect()}
    assert found == {"a": "Usher/Hot Thing", "b": "Ann/Stay", "c": "Ann/Mission: Gone"}


@pytest.mark.usefixtures("compiled")
def test_real_songs_meet_real_audio_features(
    spark: SparkSession, settings: EnrichSettings, shared_data: Path
) -> None:
    song_files = list_files(f"{shared_data}/wasabi-csv", "songs")
    songs = read_flat(spark, "songs", song_files, ("_id", "artist", "title", "urlSpotify"), (), 2**20).select(
        F.col("_id").alias("record_id"),
        F.col("_id").alias("song_id"),
        F.substring("urlSpotify", -22, 22).alias("spotify_id"),
        F.lit(None).cast("string").alias("lastfm_id"),
        "artist",
        "title",
        F.lit("english").alias("language"),
    )
    songs = songs.localCheckpoint()
    audio_files = list_files(f"{shared_data}/wasabi-api", "audio_features")
    audio = read_audio_features(spark, audio_files, 2**20).select(*AUDIO_COLUMNS).localCheckpoint()
    no_tags = collect_tags(songs, raw(spark, "tags", []), {}, settings)
    result = find_parts(songs, Files(no_tags, audio, None), {}, settings)
    found = {row["song_id"] for row in result.audio_features.select("song_id").collect()}

    names = set(audio.select("title", "artist").distinct().toPandas().itertuples(index=False, name=None))
    names = {(normalize_title(title), normalize_artist(artist)) for title, artist in names}
    ids = {row["spotify_id"] for row in audio.select("spotify_id").distinct().collect()}
    by_id, by_name = set(), set()
    for song in songs.collect():
        if song["spotify_id"] in ids:
            by_id.add(song["song_id"])
        spelled = [(song["title"], song["artist"])]
        for sign in (":", " - "):  # 'Artist:Title'
            artist, _, title = (song["title"] or "").partition(sign)
            spelled.append((title, artist))
        if any((normalize_title(title), normalize_artist(artist)) in names for title, artist in spelled):
            by_name.add(song["song_id"])
    assert len(by_id) > 200
    assert len(by_name) > 1000
    assert found >= by_id | by_name
    # few songs are found by similarity alone
    assert len(found - by_id - by_name) < 0.12 * len(found)
