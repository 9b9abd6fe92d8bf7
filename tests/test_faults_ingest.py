"""Faults of a corpus' files, by kind: what is read of them, and what is a reject. All names are made up."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from conftest import as_rows
from songmood.corpus.audio_features import read_audio_features
from songmood.corpus.files import list_files, place_paths
from songmood.corpus.records import read_records
from songmood.corpus.rejects import rejects
from songmood.corpus.songs import make_songs
from songmood.corpus.tags import read_tags
from songmood.engine.errors import UserError, explain
from songmood.settings import Settings
from songmood.steps.clean import clean_corpus_lyrics
from songmood.tables import REJECTS

MB = 2**20
LIMIT = 1  # MB of a record
WORDS = "we walk along the river and nobody calls our name"
SPOTIFY = "0123456789abcdefghijAB"
PARTS = ("songs", "lyrics", "audio_features", "tags")

Files = dict[str, Any]


class Read:
    """What is read of one part of a corpus: its rows as dictionaries, and the reasons of rejects by file."""

    def __init__(self, rows: DataFrame, rejected: DataFrame) -> None:
        self.rows = as_rows(rows)
        found = as_rows(rejected)
        assert all(set(row) == set(REJECTS.column_names) for row in found)
        assert len({(row["source"], row["record_hash"]) for row in found}) == len(found)
        self.raw = [row["raw"] for row in found]
        self.rejects: dict[tuple[str, str], int] = {}
        for row in found:
            key = (row["source"], row["reason"])
            self.rejects[key] = self.rejects.get(key, 0) + row["count"]

    def column(self, name: str) -> list[Any]:
        return sorted((row[name] for row in self.rows), key=repr)


@pytest.fixture
def read(spark: SparkSession, make_settings: Callable[..., Settings], tmp_path: Path) -> Callable[..., Read]:
    """Writes files (name to text, bytes, records or a frame) to a part of a corpus, and reads the part.

    The corpus is `tmp_path`, or a folder of that name in it.
    """

    def make(part: str, files: Files, folder: str = "") -> Read:
        corpus = tmp_path / folder
        for name, content in files.items():
            write(corpus / part / name, content)
        return read_part(spark, make_settings(f"ingest.max_line_mb={LIMIT}"), str(corpus), part)

    return make


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    elif isinstance(content, pa.Table):
        pq.write_table(content, path)
    else:
        if isinstance(content, list):
            content = "".join(json.dumps(record) + "\n" for record in content)
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def read_part(spark: SparkSession, settings: Settings, corpus: str, part: str) -> Read:
    files = list_files(corpus, part)
    if part == "songs":
        made = make_songs(read_records(spark, files, LIMIT * MB))
        return Read(made.songs, made.rejects)
    if part == "lyrics":
        cleaned = clean_corpus_lyrics(spark, files, settings.ingest)
        for frame in cleaned.shared:
            frame.cache()
        return Read(cleaned.corpus_lyrics, cleaned.rejects)
    if part == "tags":
        tags = read_tags(spark, files, LIMIT * MB, MB)
        tags.read.cache()
        return Read(tags.rows, tags.rejects)
    records = read_audio_features(spark, files, LIMIT * MB).cache()
    return Read(records.where("problem IS NULL"), rejects([records]))


# A healthy row of each part, which a test may change.
HEALTHY: dict[str, dict[str, Any]] = {
    "songs": {"song_id": "s1", "artist": "Ann Loam", "title": "Reed"},
    "lyrics": {"song_id": "s1", "artist": "Ann Loam", "title": "Reed", "lyrics": WORDS},
    "audio_features": {"spotify_id": SPOTIFY, "artist": "Ann Loam", "title": "Reed", "energy": "0.5"},
    "tags": {"song_id": "s1", "lastfm_id": "TR1", "tag": "happy", "weight": "80"},
}
ID = {"songs": "song_id", "lyrics": "song_id", "audio_features": "spotify_id", "tags": "song_id"}


# -- 2: columns that nobody uses -------------------------------------------------------------------

ODD_COLUMNS = {
    "added_at": pa.array(np.array(["2020-01-01T00:00:00.000000001"], "datetime64[ns]")),
    "gain": pa.array([np.float16(0.5)]),
    "start": pa.array([5], pa.time64("ns")),
    "took": pa.array([5], pa.duration("ns")),
    "history": pa.array([[{"at": 5}]], pa.list_(pa.struct([("at", pa.timestamp("ns"))]))),
    "nothing": pa.nulls(1),
    "cover": pa.array([b"\xff\x00"]),
    "price": pa.array([Decimal("1.10")]),
}


@pytest.mark.parametrize("part", PARTS)
def test_parquet_columns_that_nobody_uses_are_ignored(read: Callable[..., Read], part: str) -> None:
    columns = {name: pa.array([value]) for name, value in HEALTHY[part].items()}
    found = read(part, {"a.parquet": pa.table({**columns, **ODD_COLUMNS})})
    assert found.rejects == {}
    assert [row[ID[part]] for row in found.rows] == [HEALTHY[part][ID[part]]]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", [0, 300], ids=["no Parquet", "damaged inside"])
def test_a_parquet_file_that_cannot_be_read_is_named(
    read: Callable[..., Read], tmp_path: Path, part: str, place: int
) -> None:
    rows = [{**HEALTHY[part], ID[part]: f"{n:022}", "energy": str(n)} for n in range(2000)]
    path = tmp_path / part / "a b.parquet"
    write(path, pd.DataFrame(rows))
    content = bytearray(path.read_bytes())
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(content if place else content[:100])
    with pytest.raises((UserError, PySparkException, Py4JJavaError)) as error:
        read(part, {})
    line = error.value if isinstance(error.value, UserError) else explain(error.value)
    assert re.search(r"cannot read file:.*/a b\.parquet: .*fetch it again$", str(line))


def test_parquet_values_of_every_type(read: Callable[..., Read]) -> None:
    table = pa.table(
        {
            "_id": pa.array([12345678.0, 2.0, float("nan"), 123456789012.0]),
            "artist": pa.array(["Ann Loam", None, "Ann Loam", "Bo"]).dictionary_encode(),
            "title": pa.array([b"Reed", b"\xff", None, b""]),
            "publicationDateAlbum": pa.array(
                np.array(["1996-05-01", "NaT", "2001-01-01", "1969-12-31"], "datetime64[ns]")
            ),
            "length": pa.array([timedelta(seconds=239), None, timedelta(0), timedelta(minutes=4)]),
            "number": pa.array([6.0, None, 0.0, 12.0], pa.float32()),
            "rank": pa.array([Decimal("7.00"), None, None, Decimal("9.00")]),
        }
    )
    found = read("songs", {"a.parquet": table})
    columns = ("song_id", "artist", "title", "year", "duration_s", "track_number", "popularity")
    assert [tuple(row[name] for name in columns) for row in found.rows] == [
        ("12345678", "Ann Loam", "Reed", 1996, 239.0, 6, 7),
        ("123456789012", "Bo", None, 1969, 240.0, 12, 9),
        ("2", None, "\ufffd", None, None, None, None),
    ]
    assert found.rejects == {("songs/a.parquet", "no_song_id"): 1}


# -- 3 and R7: names of files and folders are not patterns -----------------------------------------

NAMES = [
    "my list [2020].csv",  # a pattern of Spark's, with neighbors that match it
    "my list 2.csv",
    "best*.jsonl",
    "best of.jsonl",
    "{a,b}.csv",
    "a.csv",
    "wha?.csv",
    "what.csv",
    "100% #1.csv",
    "100%25 #1.csv",
    "back\\slash.csv",
    "one: two.csv",
    "plus+plus.tsv.gz",
    "[x] Ünï.parquet",
    "[x] Ünï*.jsonl.gz",
]


@pytest.mark.parametrize("part", PARTS)
def test_files_are_read_as_they_are_named(read: Callable[..., Read], part: str) -> None:
    files: Files = {}
    expected = set()
    for number, name in enumerate(NAMES):
        row = {**HEALTHY[part], ID[part]: f"{number:022}"}
        expected.add(row[ID[part]])
        if ".parquet" in name:
            files[name] = pd.DataFrame([row])
        elif ".jsonl" in name:
            files[name] = [row]
        else:
            sign = "\t" if ".tsv" in name else ","
            files[name] = sign.join(row) + "\n" + sign.join(row.values()) + "\nbroken\n"
    found = read(part, files, folder="corpus [a-z]*")
    read(part, {"other.csv": ",".join(HEALTHY[part]) + "\n"}, folder="corpus a")  # a neighbor, which matches
    assert set(found.column(ID[part])) == expected
    assert found.rejects == {
        (f"{part}/{name}", "wrong_number_of_columns"): 1 for name in files if "csv" in name or "tsv" in name
    }


@pytest.mark.parametrize(
    ("given", "placed"),
    [
        ("file:/data/x", "file:///data/x"),
        ("file:///data/x", "file:///data/x"),
        ("file:/data/[x] y", "file:///data/[x] y"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("/data/c?d", "/data/c?d"),
    ],
)
def test_an_address_is_not_a_relative_folder(
    make_settings: Callable[..., Settings], given: str, placed: str
) -> None:
    paths = place_paths(make_settings(f"paths.corpus={given}", f"paths.warehouse={given}")).paths
    assert (paths.corpus, paths.warehouse) == (placed, placed)


# -- 5: every part has rejects ---------------------------------------------------------------------


def rows_of(part: str, *ids: str) -> list[dict[str, Any]]:
    return [{**HEALTHY[part], ID[part]: key.ljust(22, "0")} for key in ids]


def as_csv(rows: list[dict[str, Any]], sign: str = ",") -> str:
    lines = [rows[0], *(row.values() for row in rows)]
    return "".join(sign.join(line) + "\n" for line in lines)


@pytest.mark.parametrize("part", PARTS)
def test_one_fault_of_each_kind_and_all_healthy_rows(read: Callable[..., Read], part: str) -> None:
    """The counts of rejects, by file, and the ids of the rows that are read."""
    last = list(HEALTHY[part])[-1]
    good = [rows_of(part, f"{name}1", f"{name}2") for name in "abcdefgh"]
    no_key = {**HEALTHY[part], ID[part]: "", "artist": "", "lastfm_id": ""}
    no_key = {name: no_key[name] for name in HEALTHY[part]}
    files: Files = {
        "unclosed.tsv": as_csv(good[0], "\t").replace("\t" + good[0][0][last], f'\t"{good[0][0][last]}', 1),
        "unclosed.csv": as_csv(good[1]).replace("," + good[1][0][last], f',"{good[1][0][last]}', 1),
        "columns.csv": as_csv(good[2]) + "one,more\n" + "too,many," * 9 + "\n",
        "broken.jsonl": json.dumps(good[3][0]) + '\n{"cut": "off\nno JSON\n[1]\n' + json.dumps(good[3][1]),
        "broken.jsonl.gz": json.dumps(good[4]) + '\n{"a": 1}}\n',
        "long.jsonl": "".join(json.dumps(row) + "\n" for row in good[5])
        + json.dumps({**HEALTHY[part], "x": "x" * LIMIT * MB})
        + "\n",
        "long.csv": as_csv(good[6]) + "x" * (LIMIT * MB + 1) + "\n",
        "key.parquet": pd.DataFrame([*good[7], no_key]),
        "key.json": [no_key],
    }
    found = read(part, files)
    key = "no_song_id" if part == "songs" else "no_key"
    assert found.rejects == {
        (f"{part}/unclosed.tsv", "unclosed_quote"): 1,
        (f"{part}/unclosed.csv", "unclosed_quote"): 1,
        (f"{part}/columns.csv", "wrong_number_of_columns"): 2,
        (f"{part}/broken.jsonl", "broken_json"): 3,
        (f"{part}/broken.jsonl.gz", "broken_json"): 1,
        (f"{part}/long.jsonl", "line_too_long"): 1,
        (f"{part}/long.csv", "line_too_long"): 1,
        (f"{part}/key.parquet", key): 1,
        (f"{part}/key.json", key): 1,
    }
    read_ids = {row[ID[part]] for rows in good for row in rows}
    assert set(found.column(ID[part])) == read_ids - {good[0][0][ID[part]], good[1][0][ID[part]]}
    assert not any(WORDS in str(raw) for raw in found.raw)


@pytest.mark.parametrize("part", ["lyrics", "audio_features", "tags"])
def test_values_with_line_breaks_are_read_and_an_unclosed_one_spoils_no_other(
    read: Callable[..., Read], part: str
) -> None:
    first, *others = rows_of(part, *"abcdefg")
    names = [*first, "note"]
    notes = ['"two\nlines"', '"a ""b""\n\nc, d"', '"never closed', "plain", '"\r\n"', 'half " quoted', '""']
    lines = [",".join([*row.values(), note]) for row, note in zip([first, *others], notes, strict=True)]
    found = read(part, {"a.csv": "\r\n".join([",".join(names), *lines]) + "\r\n"})
    assert found.rejects == {(f"{part}/a.csv", "unclosed_quote"): 1}
    assert {key[0] for key in found.column(ID[part])} == set("abdefg")


def test_an_unclosed_quote_in_tab_separated_lyrics_ends_at_the_next_record(
    read: Callable[..., Read],
) -> None:
    text = "song_id\tlyrics\na\t" + f'"{WORDS} a\nb\t{WORDS} b\nc\t{WORDS} c"\nd\t"{WORDS}\n{WORDS} d"\n'
    found = read("lyrics", {"a.tsv": text})
    assert found.rejects == {("lyrics/a.tsv", "unclosed_quote"): 1}
    assert found.column("song_id") == ["b", "c", "d"]
    assert [row["lyrics"].count("\n") for row in found.rows if row["song_id"] == "d"] == [1]


def test_tags_without_a_name_or_with_a_weight_that_is_not_a_number(read: Callable[..., Read]) -> None:
    weights = ["5", "-1", "many", "", "NaN", "Infinity", "1e2", " 7 "]
    tags = [{**HEALTHY["tags"], "weight": weight} for weight in weights]
    listed = {"lastfm_id": "TR2", "socials": [{"social_tag": "folk", "nbr_tags": 8}, {"social_tag": None}]}
    none = {"lastfm_id": "TR3", "emotions": []}
    found = read("tags", {"a.json": [*tags, {**HEALTHY["tags"], "tag": " "}, listed, none]})
    assert found.column("weight") == ["1e2", "5", "7", "8"]
    assert found.rejects == {("tags/a.json", "bad_weight"): 5, ("tags/a.json", "no_tag"): 1}


# -- 6, 7 and 9: ids as programs write them --------------------------------------------------------

IDS: list[tuple[Any, str | None]] = [
    # numbers
    (12345678.0, "12345678"),
    ("12345678.0", "12345678"),
    ("1.2345678E7", "12345678"),
    ("1.2345678e+07", "12345678"),
    (20000000.0, "20000000"),
    (123456789012345680, "123456789012345680"),
    ("57e92593", "57e92593"),
    ("1.5", "1.5"),
    ("007", "007"),
    # wrappings
    ({"$oid": "57c92593e5c453a411c77258"}, "57c92593e5c453a411c77258"),
    ("{'$oid': '57c92593e5c453a411c77259'}", "57c92593e5c453a411c77259"),
    ('ObjectId("57c92593e5c453a411c77260")', "57c92593e5c453a411c77260"),
    ({"$numberLong": "77"}, "77"),
    ("Song(1)", "Song(1)"),
    # none
    (float("nan"), None),
    (float("-inf"), None),
    ("NaN", None),
    ("null", None),
    ("\u00a0", None),
    ("", None),
    (None, None),
    ("\u00a0 s 1\u3000", "s 1"),
]


@pytest.mark.parametrize("part", ["songs", "lyrics", "tags"])
def test_song_ids_as_programs_write_them(read: Callable[..., Read], part: str) -> None:
    rows = [{**HEALTHY[part], "song_id": written} for written, _ in IDS]
    without_names = ("artist", "title", "lastfm_id") if part != "songs" else ()
    rows = [{name: row[name] for name in row if name not in without_names} for row in rows]
    found = read(part, {"a.jsonl": rows})
    assert set(found.column("song_id")) == {key for _, key in IDS if key is not None}
    no_key = (f"{part}/a.jsonl", "no_song_id" if part == "songs" else "no_key")
    assert found.rejects.pop(no_key) == sum(key is None for _, key in IDS)
    assert {reason for _, reason in found.rejects} <= {"duplicate_song_id"}


SPOTIFY_IDS: list[tuple[str, str | None]] = [
    (SPOTIFY, SPOTIFY),
    (f"spotify:track:{SPOTIFY}", SPOTIFY),
    (f"https://open.spotify.com/track/{SPOTIFY}", SPOTIFY),
    (f"https://open.spotify.com/track/{SPOTIFY}?si=0123456789abcdef", SPOTIFY),
    (f"https://open.spotify.com/intl-de/track/{SPOTIFY}/", SPOTIFY),
    (f" {SPOTIFY}\u00a0", SPOTIFY),
    (f"spotify:album:{SPOTIFY}", None),
    (f"https://open.spotify.com/artist/{SPOTIFY}", None),
    ("https://play.spotify.com/search/track%3Atwentytwoletterstitle", None),
    ("0123456789", None),
    ("null", None),
]


@pytest.mark.parametrize(("part", "column"), [("songs", "urlSpotify"), ("audio_features", "spotify_id")])
def test_spotify_ids_in_wrappings(read: Callable[..., Read], part: str, column: str) -> None:
    rows = [
        {**HEALTHY[part], "song_id": f"{n:02}", "energy": f"{n}", column: written}
        for n, (written, _) in enumerate(SPOTIFY_IDS)
    ]
    found = read(part, {"a.csv": as_csv(rows)})
    order = "song_id" if part == "songs" else "energy"
    read_ids = {int(row[order]): row["spotify_id"] for row in found.rows}
    assert [read_ids[n] for n in range(len(SPOTIFY_IDS))] == [key for _, key in SPOTIFY_IDS]


def test_other_ids_in_wrappings(read: Callable[..., Read]) -> None:
    uuid = "50eb2f6b-e833-4a78-bbc8-17d1af2f73fc"
    written = {
        "isrc": ["US-RC1-76-07839", "isrc: usrc17607839", "USRC17607839", "unknown", "odd 1"],
        "musicbrainz_id": [uuid.upper(), f"https://x.org/recording/{uuid}", f"{{{uuid}}}", "-", "m"],
        "lastfm_id": ["TRAAAAA128F0000001", " TRAAAAA128F0000001 ", "nan", "", "TRAAAAA128F0000001"],
        "urlLastFm": ["", "", "", "http://www.last.fm/music/Ann/_/Reed", ""],
    }
    rows = [
        {**HEALTHY["songs"], "song_id": f"s{n}", **{name: values[n] for name, values in written.items()}}
        for n in range(5)
    ]
    found = {row["song_id"]: row for row in read("songs", {"a.csv": as_csv(rows)}).rows}
    isrc, lastfm = "USRC17607839", "TRAAAAA128F0000001"
    columns = ("isrc", "musicbrainz_id", "lastfm_id")
    assert [tuple(found[f"s{n}"][name] for name in columns) for n in range(5)] == [
        (isrc, uuid, lastfm),
        (isrc, uuid, lastfm),
        (isrc, uuid, None),
        (None, None, "http://www.last.fm/music/Ann/_/Reed"),
        ("ODD1", "m", lastfm),
    ]


@pytest.mark.parametrize("part", PARTS)
def test_what_is_not_a_number_in_json_is_null(read: Callable[..., Read], part: str) -> None:
    text = json.dumps({**HEALTHY[part], "album": float("nan"), "valence": float("inf"), "x": [float("nan")]})
    found = read(part, {"a.json": f"[{text}]", "b.jsonl": text.replace('"s1"', '"s2"') + "\n"})
    assert found.rejects == {}
    assert len(found.rows) == (1 if part == "lyrics" else 2) or part == "lyrics"
    assert not any("NaN" in str(row) or "Infinity" in str(row) for row in found.rows)


# -- 8: columns that folders name ------------------------------------------------------------------


def test_folders_name_values_of_songs(read: Callable[..., Read]) -> None:
    row = {"_id": "1", "artist": "Ann Loam", "title": "Reed"}
    found = read(
        "songs",
        {
            "language=spanish/part-0.parquet": pd.DataFrame([row]),
            "language=en/year=1996/a.csv": as_csv([{**row, "_id": "2"}]),
            "artist=Bo%20%26%20Co/title=100%25 + 1/a.jsonl.gz": [{"_id": "3"}],
            "language=__HIVE_DEFAULT_PARTITION__/a.tsv": as_csv([{**row, "_id": "4"}], "\t"),
            "language=german/b.csv": as_csv([{**row, "_id": "5", "language": "french"}]),
            "color=red/b.csv": as_csv([{**row, "_id": "6"}]),
            "_id=7/part-0.parquet": pd.DataFrame([{"artist": "Ann Loam", "title": "Reed"}]),
        },
    )
    columns = ("song_id", "artist", "title", "language", "year")
    assert [tuple(row[name] for name in columns) for row in found.rows] == [
        ("1", "Ann Loam", "Reed", "spanish", None),
        ("2", "Ann Loam", "Reed", "english", 1996),
        ("3", "Bo & Co", "100% + 1", None, None),
        ("4", "Ann Loam", "Reed", None, None),
        ("5", "Ann Loam", "Reed", "french", None),
        ("6", "Ann Loam", "Reed", None, None),
        ("7", "Ann Loam", "Reed", None, None),
    ]


def test_folders_name_values_of_the_other_parts(read: Callable[..., Read]) -> None:
    lyrics = read("lyrics", {"artist=Ann Loam/title=Reed/a.csv": f"lyrics\n{WORDS}\n"})
    assert [(row["artist"], row["title"]) for row in lyrics.rows] == [("Ann Loam", "Reed")]
    tags = read("tags", {"tag=happy/a.parquet": pd.DataFrame([{"song_id": "1", "weight": 7}])})
    assert [(row["tag"], row["weight"]) for row in tags.rows] == [("happy", "7")]
    audio = read("audio_features", {f"spotify_id={SPOTIFY}/a.jsonl": [{"energy": 0.5}]})
    assert [(row["spotify_id"], row["energy"]) for row in audio.rows] == [(SPOTIFY, "0.5")]


# -- 10: line ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_mixed_line_ends(read: Callable[..., Read], part: str) -> None:
    files: Files = {}
    expected = set()
    ends = [("\n", "\r\n"), ("\r\n", "\n"), ("\r", "\n"), ("\n", "\r")]
    for name, (header_end, row_end) in zip("abcd", ends, strict=True):
        # the id is last
        rows = [{**dict(reversed(row.items()))} for row in rows_of(part, *(f"{name}{n}" for n in range(3)))]
        header, *lines = as_csv(rows).splitlines()
        files[f"{name}.csv"] = header + header_end + lines[0] + row_end + "\n".join(lines[1:]) + row_end
        expected |= {row[ID[part]] for row in rows}
    found = read(part, files)
    assert (set(found.column(ID[part])), found.rejects) == (expected, {})


# -- 11: languages ---------------------------------------------------------------------------------

LANGUAGES: list[tuple[str, str | None]] = [
    *((text, "english") for text in ("en_US", "English (US)", "en-GB", "en_US.UTF-8", "EN", "eng", "Eng.")),
    *((text, "english") for text in ("English, American", "English/French", "[English]", "Englsih")),
    *((text, "portuguese") for text in ("pt_BR", "Portuguese (Brazil)", "por", "Por.", "Português")),
    *((text, "french") for text in ("Fre.", "fr_CA@euro", "français", "fre")),
    *((text, "spanish") for text in ("Spa.", "es-419", "Español")),
    *((text, "chinese") for text in ("zh_Hans_CN", "Chinese, Mandarin", "zho")),
    *((text, "german") for text in ("German, Swiss", "de_AT", "Deutsch")),
    *((text, None) for text in ("", "null", "unk.", "n.a.", "zxx", "[Multiple languages]", "-", "NaN")),
    *((text, text) for text in ("klingon", "frisian", "kölsch")),  # no name is so near
]


def test_languages_as_people_and_locales_write_them(read: Callable[..., Read]) -> None:
    rows = [
        {**HEALTHY["songs"], "song_id": f"{n:03}", "language": text} for n, (text, _) in enumerate(LANGUAGES)
    ]
    found = read("songs", {"a.jsonl": rows})
    languages = [(text, row["language"]) for (text, _), row in zip(LANGUAGES, found.rows, strict=True)]
    assert languages == LANGUAGES


# -- 12: lengths and years, as the other values of a column tell ------------------------------------

Column = list[tuple[Any, Any]]  # what is written, and what is read

LENGTHS: dict[str, Column] = {
    "minutes": [("3.982", 238.92), ("239", 239.0), ("3m 59sec", 239.0)],
    "mixed": [("188400", 188.4), ("04:02", 242.0), ("3.1", 186.0), ("242", 242.0), ("0m 41sec", 41.0)],
    "units": [
        *((text, 239.0) for text in ("3:59", "03:59", "00:03:59.0", "239 s", "239sec", "239 seconds")),
        *((text, 239.0) for text in ("239000 ms", "3min 59", "3 min 59 s", "3' 59\"", "PT3M59S", "3m-59sec")),
        *((text, 239.0) for text in ("0 days 00:03:59", "3 m 5 9 sec", "239 .0 s")),
        *((text, 3723.0) for text in ("1:02:03", "1h 2m 3s", "1 hour 2 minutes 3 seconds")),
        *((text, 210.0) for text in ("3.5 min", "3.5 minutes", "3m 30s")),
        *((text, None) for text in ("", "null", "unknown", "00:00", "0", "0m 0sec", "-5", "m sec", "5:3")),
        *((text, None) for text in ("1e9", "9" * 400, "9" * 400 + " s", "٣:٥٩", "Set 3 (3:59)")),
    ],
    "seconds with a point": [
        *((f"{n}.25", n + 0.25) for n in range(180, 330)),
        *(("3.98", 3.98), ("45.5", 45.5)),
    ],
    "minutes with a point": [
        *((f"{n / 100 + 2:.3f}", 60 * round(n / 100 + 2, 3)) for n in range(400)),
        *(("13.25", 795.0), ("70.5", 4230.0), ("1.0", 60.0), ("239.5", 239.5)),
    ],
    "minutes and seconds": [*((f"{m}.{s:02}", 60.0 * m + s) for m in (3, 4) for s in range(7, 60, 5))],
    "milliseconds": [*((f"{180_000 + n * 777}", 180 + n * 0.777) for n in range(150)), ("5320", 5.32)],
    "long milliseconds": [("5320", 5320.0), ("240000", 240.0)],  # too few to tell that 5320 are milliseconds
    "whole minutes": [("4", 240.0), ("3", 180.0), ("5", 300.0)],
    "short songs": [("12", 12.0), ("8", 8.0), ("239", 239.0)],
    "long works": [("45m 10sec", 2710.0), ("52:30", 3150.0), ("48.5", 2910.0)],
    "commas": [("3,982", 238.92), ("239,5", 239.5), ("239,000", 239.0), ("3,5", 210.0)],
}
YEARS: dict[str, Column] = {
    "short": [
        *((text, 1996) for text in ("96", "'96", "’96", "' 96", "1996", "1996.0", "1 996", "19960321")),
        ("21.3.96", 1996),
        *((text, 2008) for text in ("'08", "08", "8", "2008-05-01", "May 2008", "(2008)", "℗ 2008", "20 08")),
        *((text, 2000) for text in ("00", "0")),
        *((text, None) for text in ("null", "", "unk.", "n.a.", "0000", "12 03", "Luce")),
    ],
    "long": [("1996", 1996), *((text, None) for text in ("8", "null", "n.a.", "", "3000", "199"))],
    "times": [(820454400000, 1996), (820454400, 1996), (-86_400_000_000, 1967), (999999999999999, None)],
}


def columns_of(field: str, tables: dict[str, Column]) -> Files:
    return {
        f"{name}.jsonl": [
            {**HEALTHY["songs"], "song_id": f"{name} {n:03}", field: text}
            for n, (text, _) in enumerate(cells)
        ]
        for name, cells in tables.items()
    }


@pytest.mark.parametrize(
    ("field", "column", "tables"),
    [("length", "duration_s", LENGTHS), ("publicationDateAlbum", "year", YEARS)],
    ids=["lengths", "years"],
)
def test_the_other_values_of_a_column_tell_what_a_value_is(
    read: Callable[..., Read], field: str, column: str, tables: dict[str, Column]
) -> None:
    found = {row["song_id"]: row[column] for row in read("songs", columns_of(field, tables)).rows}
    for name, cells in tables.items():
        values = [(text, found[f"{name} {n:03}"]) for n, (text, _) in enumerate(cells)]
        assert values == [(text, pytest.approx(value)) for text, value in cells], name


ALBUMS: list[tuple[str, str, tuple[str | None, int | None]]] = [
    # album and year as written, and as read
    ("Luce (1996)", "null", ("Luce (1996)", 1996)),
    ("Luce [1996]", "", ("Luce [1996]", 1996)),
    ("Luce (1996)", "2004", ("Luce (1996)", 2004)),
    ("(2010)", "null", (None, 2010)),
    ("Live 1996", "", ("Live 1996", None)),
    ("1999", "", ("1999", None)),
    ("Luce (1996) (Deluxe)", "", ("Luce (1996) (Deluxe)", None)),
]


def test_a_year_at_the_end_of_the_album_counts_where_there_is_no_other(read: Callable[..., Read]) -> None:
    rows = [
        {**HEALTHY["songs"], "song_id": f"{n}", "albumTitle": album, "publicationDateAlbum": year}
        for n, (album, year, _) in enumerate(ALBUMS)
    ]
    found = read("songs", {"a.jsonl": rows})
    assert [(row["album"], row["year"]) for row in found.rows] == [read for *_, read in ALBUMS]


# -- R6: bounds in every part ----------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_file_that_unfolds_to_much_more_is_one_reject(read: Callable[..., Read], part: str) -> None:
    one, two = rows_of(part, "a", "b")
    more = "x" * (30 * MB)
    files = {"a.csv.gz": as_csv([one]) + more + "\n", "b.jsonl.gz": json.dumps(two) + '\n{"a": "' + more}
    found = read(part, files)
    assert found.rejects == {(f"{part}/{name}", "line_too_long"): 1 for name in files}
    assert set(found.column(ID[part])) == {one[ID[part]], two[ID[part]]}


@pytest.mark.parametrize("part", PARTS)
def test_json_of_a_hundred_thousand_levels_is_a_reject(read: Callable[..., Read], part: str) -> None:
    deep = ["[" * 100_000 + "1" + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 100_000 + "1"]
    rows = rows_of(part, *"abcd")
    first, last, opened, within = map(json.dumps, rows)
    files = {
        "first.jsonl": deep[0] + "\n" + first + "\n",
        "last.jsonl": last + "\n" + deep[1],
        "open.jsonl": opened + "\n" + deep[2],
        "within.jsonl": within.replace("{", '{"x": ' + deep[1] + ", ", 1) + "\n" + within + "\n",
    }
    found = read(part, files)
    assert found.rejects == {(f"{part}/{name}", "broken_json"): 1 for name in files}
    assert set(found.column(ID[part])) == {row[ID[part]] for row in rows}


@pytest.mark.parametrize("part", PARTS)
def test_many_records_on_one_line_are_read_and_rejected_one_by_one(
    read: Callable[..., Read], part: str
) -> None:
    rows = [{**HEALTHY[part], ID[part]: f"{n:022}", "x": '{"}' + "y" * 600} for n in range(2_000)]
    line = json.dumps([*rows[:900], {"x": "x" * (LIMIT * MB)}, *rows[900:]])
    assert len(line) > LIMIT * MB
    broken = json.dumps(rows[0]).replace('"x"', '"x')
    found = read(part, {"a.json": line, "b.json.gz": f"[{broken}, {broken}]\n" + " " * (LIMIT * MB) + "\n"})
    assert set(found.column(ID[part])) == {row[ID[part]] for row in rows}
    assert found.rejects[f"{part}/a.json", "line_too_long"] == 1


@pytest.mark.parametrize("part", PARTS)
def test_json_records_on_several_lines(read: Callable[..., Read], part: str) -> None:
    rows = rows_of(part, "a", "b", "c")
    text = json.dumps(rows, indent=2)
    found = read(part, {"a.json": text.replace('",\n', "\n", 1), "b.json": text})
    assert set(found.column(ID[part])) == {row[ID[part]] for row in rows}
    assert found.rejects[f"{part}/a.json", "broken_json"] >= 1


@pytest.mark.parametrize("part", PARTS)
def test_a_cut_gzip_file_is_named(read: Callable[..., Read], tmp_path: Path, part: str) -> None:
    write(tmp_path / part / "a.csv", "")
    rows = [{**HEALTHY[part], ID[part]: f"{n * 7919:022}"} for n in range(60_000)]
    whole = gzip.compress(as_csv(rows).encode())
    (tmp_path / part / "a b.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises((UserError, PySparkException, Py4JJavaError)) as error:
        read(part, {})
    line = error.value if isinstance(error.value, UserError) else explain(error.value)
    assert re.search(r"cannot read file:.*/a b\.csv\.gz: .*fetch it again$", str(line))


def test_a_header_of_too_many_columns_is_refused(read: Callable[..., Read]) -> None:
    header = ",".join([*HEALTHY["songs"], *(f"c{n}" for n in range(20_000))])
    with pytest.raises(UserError, match=r"wide\.csv has 20,003 columns"):
        read("songs", {"wide.csv": header + "\n"})
