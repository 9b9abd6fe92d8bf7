"""enrich: what the corpus' files have for each song, and what they lack."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from conftest import ROOT, as_rows
from songmood import tag_files
from songmood.config import Enrich, load_config
from songmood.corpus import list_files, read_columns
from songmood.enrich import COLUMNS, clean_lyrics, collect_tags, enrich_songs, song_versions
from songmood.names import normalise_artist, normalise_title
from songmood.tables import AUDIO_FEATURES, DEDUPED, DUPLICATES, FILTERED, TABLES

Row = dict[str, Any]
ID = {n: f"{n:022}" for n in range(1, 10)}  # Spotify ids
PARTS = ("tags", "audio_features", "lyrics", "enrichment_failures")

# Three songs stay after dedupe; 'merged' counts for 'one'.
SONGS: list[Row] = [
    {"song_id": "one", "spotify_id": ID[1], "lastfm_id": "TR1", "artist": "Adele", "title": "Hello You"},
    {"song_id": "two", "lastfm_id": "TR2", "artist": "The Band", "title": "Driving Old Dixie Down (Live)"},
    {"song_id": "three", "artist": "Simone", "title": "Feeling Quite Good"},
]
MERGED: Row = {"song_id": "merged", "spotify_id": ID[2], "lastfm_id": "TR9", "artist": "Adele"}

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
def conf() -> Enrich:
    return load_config(ROOT / "conf" / "base.yaml").enrich


def frame(spark: SparkSession, rows: list[Row], schema: StructType) -> DataFrame:
    # by way of pandas, so that Spark knows how small it is and joins without shuffles
    values = {field.name: pd.Series([row.get(field.name) for row in rows], dtype=object) for field in schema}
    return spark.createDataFrame(pd.DataFrame(values), schema)


def raw(spark: SparkSession, part: str, rows: list[Row]) -> DataFrame:
    columns = (*tag_files.COLUMNS, "origin") if part == "tags" else COLUMNS[part]
    return frame(spark, rows, StructType([StructField(column, StringType()) for column in columns]))


def enrich(
    spark: SparkSession, conf: Enrich, tags: list[Row], audio: list[Row], lyrics: list[Row]
) -> dict[str, list[Row]]:
    """The rows of every table, from files with these rows."""
    duplicate = {"song_id": "merged", "representative_id": "one", "similarity": 1.0, "match_reason": "name"}
    versions = song_versions(
        frame(spark, [s | {"version_count": 1} for s in SONGS], DEDUPED.schema),
        frame(spark, [*SONGS, MERGED], FILTERED.schema),
        frame(spark, [duplicate], DUPLICATES.schema),
    ).persist()
    song_tags = collect_tags(versions, raw(spark, "tags", tags))
    result = enrich_songs(
        versions,
        song_tags,
        raw(spark, "audio_features", audio),
        raw(spark, "lyrics", lyrics),
        conf,
    )
    result.found.persist()
    tables = {"tags": song_tags} | {part: getattr(result, part) for part in PARTS[1:]}
    assert {part: rows.columns for part, rows in tables.items()} == {p: TABLES[p].column_names for p in PARTS}
    return {part: as_rows(rows) for part, rows in tables.items()}


@pytest.fixture(scope="module")
def enriched(spark: SparkSession, conf: Enrich) -> dict[str, list[Row]]:
    return enrich(spark, conf, TAGS, AUDIO, LYRICS)


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


def test_audio_features_of_the_song_itself_come_before_those_of_a_merged_row(
    enriched: dict[str, list[Row]],
) -> None:
    (one,) = enriched["audio_features"]
    assert (one["song_id"], one["source"], one["valence"]) == ("one", "files", 0.5)


def test_audio_features_out_of_range_are_null(enriched: dict[str, list[Row]]) -> None:
    (one,) = enriched["audio_features"]
    nulls = {name for name in AUDIO_FEATURES if one[name] is None}
    assert nulls == {"energy", "key", "mode", "loudness", "tempo"}
    assert one["time_signature"] == 4


def test_lyrics_by_id_and_by_name(enriched: dict[str, list[Row]]) -> None:
    one, two = enriched["lyrics"]
    assert one == {
        "song_id": "one",
        "lyrics": "hello\nyou & me",
        "source": "files",
        "match_title": None,
        "match_artist": None,
        "match_score": None,
    }
    # a live version has the same words
    assert (two["song_id"], two["match_title"], two["match_artist"]) == (
        "two",
        "Driving Old Dixy Down",
        "BAND",
    )
    assert two["lyrics"] == "one line\n\nand another"
    assert 90 < two["match_score"] < 100


def test_failures_say_what_is_lacking_and_what_came_near(enriched: dict[str, list[Row]]) -> None:
    failures = {(row["song_id"], row["source"]): row for row in enriched["enrichment_failures"]}
    assert {key: row["status"] for key, row in failures.items()} == {
        ("three", "tags:files"): "not_found",
        ("two", "audio_features:files"): "no_match",
        ("three", "audio_features:files"): "no_match",
        ("three", "lyrics:files"): "empty",
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
    spark: SparkSession, conf: Enrich, enriched: dict[str, list[Row]]
) -> None:
    twice = [*AUDIO[::-1], *AUDIO]
    again = enrich(spark, conf, [*TAGS[::-1], *TAGS], twice, [*LYRICS[::-1], *LYRICS])
    assert again == enriched


def test_without_any_files_every_song_lacks_everything(spark: SparkSession, conf: Enrich) -> None:
    result = enrich(spark, conf, [], [], [])
    assert [result[part] for part in PARTS[:3]] == [[], [], []]
    assert len(result["enrichment_failures"]) == 3 * len(SONGS)
    assert {row["status"] for row in result["enrichment_failures"]} == {"not_found"}


# -- lyrics --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw_text", "expected"),
    [
        ("a<br>b<br/>\nc<BR />d", "a\nb\nc\nd"),
        ("don&#x27;t &lt;3 &amp; go", "don't <3 & go"),
        ("<i>soft</i> <a href='x'>link</a>", "soft link"),
        ("ﬁne\u00a0day", "fine day"),
        ("[Verse 1]\none\n [Pre-Chorus: Ann] \ntwo\n{Bridge}\n[Chorus x2]\nthree", "one\n\ntwo\n\nthree"),
        ("keep [this] here\n[laughs]", "keep [this] here\n[laughs]"),
        ("one\r\n\r\n\r\n\r\n  two  ", "one\n\ntwo"),
        ("12 ContributorsTranslationsA Song Lyrics[Verse 1]\nwords23Embed", "words"),
        (
            "words\nYou might also likemore words\nYou might also like you",
            "words\nmore words\nYou might also like you",
        ),
        ("one\nSee Ann LiveGet tickets as low as $52\ntwo", "one\n\ntwo"),
        ("we Embed", "we Embed"),
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


# -- real data -----------------------------------------------------------------------------------


def test_real_songs_meet_real_audio_features(spark: SparkSession, conf: Enrich, shared_data: Path) -> None:
    songs = read_columns(
        spark,
        list_files(f"{shared_data}/wasabi-csv", "songs"),
        ("_id", "artist", "title", "urlSpotify"),
    ).select(
        F.col("_id").alias("song_id"),
        F.col("_id").alias("version_id"),
        F.substring("urlSpotify", -22, 22).alias("spotify_id"),
        F.lit(None).cast("string").alias("lastfm_id"),
        "artist",
        "title",
    )
    audio_files = list_files(f"{shared_data}/wasabi-api", "audio_features")
    audio = read_columns(spark, audio_files, COLUMNS["audio_features"])
    nothing = raw(spark, "tags", [])
    result = enrich_songs(songs, nothing, audio, raw(spark, "lyrics", []), conf)
    found = {row["song_id"] for row in result.audio_features.select("song_id").collect()}

    names = set(audio.select("title", "artist").distinct().toPandas().itertuples(index=False, name=None))
    names = {(normalise_title(title), normalise_artist(artist)) for title, artist in names}
    ids = {row["spotify_id"] for row in audio.select("spotify_id").distinct().collect()}
    by_id, by_name = set(), set()
    for song in songs.collect():
        if song["spotify_id"] in ids:
            by_id.add(song["song_id"])
        if (normalise_title(song["title"]), normalise_artist(song["artist"])) in names:
            by_name.add(song["song_id"])
    assert len(by_id) > 200
    assert len(by_name) > 1000
    assert found >= by_id | by_name
    # what only likeness found is little beside it
    assert len(found - by_id - by_name) < 0.1 * len(found)
