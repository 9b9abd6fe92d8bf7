"""ingest: songs of every layout of WASABI, rejects with their reasons, and the messages that stop a run."""

from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import ROOT, as_rows
from songmood.corpus.files import list_files
from songmood.corpus.records import read_records
from songmood.corpus.songs import Songs, make_songs
from songmood.engine.errors import UserError, explain
from songmood.engine.step import Counts, Notes
from songmood.settings import IngestSettings, Settings
from songmood.steps.ingest import ingest_songs, review
from songmood.tables import REJECTS, SONGS

FIXTURES = ROOT / "tests" / "fixtures" / "corpus"
HEADER = "_id\tartist\ttitle\n"
LIMIT = 2**20  # bytes of a line


def ingest(spark: SparkSession, corpus: Path) -> Songs:
    return make_songs(read_records(spark, list_files(str(corpus), "songs"), LIMIT))


def by_id(frame: DataFrame) -> dict[str, dict[str, Any]]:
    return {row["song_id"]: row.asDict() for row in frame.collect()}


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[..., Path]:
    """A corpus folder with the given song files: name to text."""

    def make(**files: str) -> Path:
        (tmp_path / "songs").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "songs" / name.replace("__", ".")).write_text(text, encoding="utf-8")
        return tmp_path

    return make


# -- the readable corpus ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def readable(spark: SparkSession) -> Songs:
    result = ingest(spark, FIXTURES)
    return result._replace(songs=result.songs.cache(), rejects=result.rejects.cache())


@pytest.fixture(scope="module")
def readable_songs(readable: Songs) -> dict[str, dict[str, Any]]:
    return by_id(readable.songs)


@pytest.mark.parametrize(
    ("song_id", "column", "expected"),
    [
        ("csv-plain", "artist", "Ada Finch"),
        ("csv-plain", "album", "First Light"),
        ("csv-plain", "album_id", "alb1"),
        ("csv-plain", "year", 2000),
        ("csv-plain", "spotify_id", "0000000000000000000aaa"),
        ("csv-plain", "isrc", "XX0000000001"),
        ("csv-plain", "musicbrainz_id", "00000000-0000-4000-8000-000000000001"),
        ("csv-plain", "language", "english"),
        ("csv-plain", "duration_s", 201.0),
        ("csv-plain", "popularity", 317921),
        ("csv-quotes", "title", 'The "Real" Thing'),
        ("csv-all-quoted", "title", '"Get Up, Get Out"'),
        ("csv-inner-quotes", "title", 'Half "quoted" title'),
        ("csv-entities", "title", "Salt & Pepper's"),
        ("csv-entities", "artist", "Cafés & Bars"),
        ("csv-empty-name", "artist", None),
        ("csv-empty-name", "title", None),
        ("csv-search-url", "spotify_id", None),
        ("csv-lastfm-url", "lastfm_id", "http://www.last.fm/music/Ada+Finch/_/Song"),
        ("csv-code-only", "language", "french"),
        ("csv-detected-first", "language", "english"),
        ("csv-no-words", "language", None),
        ("csv-full-date", "year", 2000),
        ("csv-bad-numbers", "duration_s", None),
        ("csv-bad-numbers", "popularity", None),
        ("csv-bad-numbers", "year", None),
        ("comma", "title", "Commas, Everywhere"),
        ("comma", "lastfm_id", "TRAAAAA128F0000001"),
        ("api-joined", "artist", "Ada Finch"),
        ("api-joined", "album", "First Light"),
        ("api-joined", "year", 2000),
        ("api-joined", "popularity", 7),
        ("api-no-artist-record", "artist", "Name On Album"),
        ("api-no-album-record", "artist", None),
        ("api-own-artist", "artist", "Own Artist"),
        ("0123456789abcdef01234567", "title", "An Id In An Object"),
        ("array", "title", "A Record Of An Array"),
        ("array-last", "title", "The Last Of An Array"),
    ],
)
def test_values_of_the_readable_corpus(
    readable_songs: dict[str, dict[str, Any]], song_id: str, column: str, expected: object
) -> None:
    assert readable_songs[song_id][column] == expected


SPELLINGS = [
    *(("length", text, 118.0) for text in ("118", "118.0", "118000", "1:58", "01:58", "1m 58sec", "1m58s")),
    *(("length", text, 118.0) for text in ("1 min 58 sec", "1 minute 58 seconds", "118 sec", "118s")),
    *(("length", text, None) for text in ("unk.", "0", "", "-5", "long")),
    *(
        ("length", text, value)
        for text, value in (("3m", 180.0), ("3.5", 210.0), ("1:02:03", 3723.0), ("3999", 3999.0))
    ),
    *(("publicationDateAlbum", text, 1975) for text in ("1975", "1975-03-21", "'75", "75", "March 1975")),
    *(("publicationDateAlbum", text, year) for text, year in (("'06", 2006), ("unk.", None), ("7", 2007))),
    *(("language", text, "french") for text in ("French", "fra", "fre", "Fre.", "fr", "fr-CA", "Fren.")),
    *(("language", text, name) for text, name in (("Eng", "english"), ("klingon", "klingon"), ("zxx", None))),
    *(("number", text, 6) for text in ("6", "006", " 6", "6.0", "6/12", "6 of 12")),
    *(("number", text, None) for text in ("A3", "1 1", "0", "", "unk.", "WoM15552315", "9479571")),
    *(("track_number", text, 6) for text in ("6", "06")),
    ("trackNumber", "6", 6),
    ("track", "6", 6),
    ("track", "The Sixth", None),
    ("position", "5", 6),
]


def test_lengths_years_and_languages_in_many_spellings(
    spark: SparkSession, corpus: Callable[..., Path]
) -> None:
    records = [
        {"_id": f"{n:03}", "artist": "a", "title": "t", column: written}
        for n, (column, written, _) in enumerate(SPELLINGS)
    ]
    songs = by_id(ingest(spark, corpus(**{"songs.jsonl": "\n".join(map(json.dumps, records))})).songs)
    table = {"length": "duration_s", "publicationDateAlbum": "year", "language": "language"}
    read = [
        (c, text, songs[f"{n:03}"][table.get(c, "track_number")]) for n, (c, text, _) in enumerate(SPELLINGS)
    ]
    assert read == SPELLINGS


def test_rejects_of_the_readable_corpus(readable: Songs) -> None:
    found = {(r["source"], r["reason"]): r["count"] for r in readable.rejects.collect()}
    assert found == {
        ("songs/tabs.csv", "wrong_number_of_columns"): 2,
        ("songs/tabs.csv", "no_song_id"): 1,
        ("songs/tabs.csv", "duplicate_song_id"): 1,
        ("songs/song.jsonl", "broken_json"): 1,
        ("songs/album.jsonl", "no_id"): 1,
    }


def test_one_of_two_records_with_the_same_id_is_kept_and_one_is_rejected(
    readable: Songs, readable_songs: dict[str, dict[str, Any]]
) -> None:
    reject = readable.rejects.where("reason = 'duplicate_song_id'").first()
    assert reject is not None
    titles = {readable_songs["csv-twice"]["title"], reject["raw"].split("\t")[2]}
    assert titles == {"The First", "The Second"}


def test_the_tables_have_their_columns_and_unique_keys(readable: Songs) -> None:
    for frame, table in ((readable.songs, SONGS), (readable.rejects, REJECTS)):
        assert sorted(frame.columns) == sorted(table.column_names)
        assert {f.name: f.dataType for f in frame.schema} == {f.name: f.dataType for f in table.schema}
        assert frame.select(*table.key).distinct().count() == frame.count()


def test_compression_and_order_change_nothing(spark: SparkSession, readable: Songs, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    for file in (FIXTURES / "songs").glob("*.*"):
        (tmp_path / "songs" / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    zipped = read_records(spark, list_files(str(tmp_path), "songs"), LIMIT)
    assert zipped.songs is not None
    assert zipped.json_songs is not None
    shuffled = zipped._replace(
        songs=zipped.songs.orderBy(F.rand(3)).repartition(5),
        json_songs=zipped.json_songs.orderBy(F.rand(3)).repartition(5),
    )
    result = make_songs(shuffled)
    assert as_rows(result.songs) == as_rows(readable.songs)
    same = ("record_hash", "reason", "count", "raw")
    assert as_rows(result.rejects.select(*same)) == as_rows(readable.rejects.select(*same))


# -- layouts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["wasabi", "songs"])
def test_parquet(spark: SparkSession, tmp_path: Path, names: str) -> None:
    wasabi = {
        "_id": [{"$oid": "a1"}, {"$oid": "a2"}],
        "artist": ["A", "B"],
        "title": ["One &amp; Two", None],
        "urlSpotify": ["https://x/track/0000000000000000000aaa", ""],
        "length": [201.5, None],
        "rank": [5, 6],
        "publicationDateAlbum": ["1999-01-01", ""],
    }
    songs = {
        "song_id": ["a1", "a2"],
        "artist": ["A", "B"],
        "title": ["One & Two", None],
        "spotify_id": ["0000000000000000000aaa", None],
        "duration_s": [201.5, None],
        "popularity": [5, 6],
        "year": [1999, None],
    }
    (tmp_path / "songs").mkdir()
    pd.DataFrame(wasabi if names == "wasabi" else songs).to_parquet(tmp_path / "songs" / "part.parquet")
    found = by_id(ingest(spark, tmp_path).songs)
    picked = ("artist", "title", "spotify_id", "duration_s", "popularity", "year")
    assert [found["a1"][name] for name in picked] == [
        "A",
        "One & Two",
        "0000000000000000000aaa",
        201.5,
        5,
        1999,
    ]
    assert [found["a2"][name] for name in picked] == ["B", None, None, None, 6, None]


def test_parquet_files_of_different_schemas_mix(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    pd.DataFrame({"_id": ["1"], "artist": ["A"], "title": ["T"], "rank": ["3"]}).to_parquet(
        tmp_path / "songs" / "a.parquet"
    )
    pd.DataFrame({"song_id": ["2"], "artist": ["A"], "title": ["T"], "popularity": [4]}).to_parquet(
        tmp_path / "songs" / "b.parquet"
    )
    pd.DataFrame({"_id": ["3"], "artist": ["A"], "title": ["T"], "rank": [5]}).to_parquet(
        tmp_path / "songs" / "c.parquet"
    )
    assert {k: v["popularity"] for k, v in by_id(ingest(spark, tmp_path).songs).items()} == {
        "1": 3,
        "2": 4,
        "3": 5,
    }


def test_no_files_and_no_rows(spark: SparkSession, corpus: Callable[..., Path]) -> None:
    assert ingest(spark, corpus()).songs.isEmpty()
    result = ingest(spark, corpus(a__csv=HEADER, empty__csv=""))
    assert result.songs.columns == SONGS.column_names
    assert result.songs.isEmpty()
    assert result.rejects.isEmpty()


def test_windows_line_ends_and_byte_order_mark(spark: SparkSession, corpus: Callable[..., Path]) -> None:
    made = corpus(a__csv="\ufeff_id,artist,title\r\n1,A,T\r\n")
    assert by_id(ingest(spark, made).songs)["1"]["title"] == "T"


def test_files_of_other_formats_are_named(spark: SparkSession, corpus: Callable[..., Path]) -> None:
    made = corpus(a__csv=HEADER, README__md="about")
    ignored = read_records(spark, list_files(str(made), "songs"), LIMIT).ignored
    assert [Path(file).name for file in ignored] == ["README.md"]


# -- the Zenodo dump ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dump(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Songs of three JSON arrays in the layout of the Zenodo dump."""
    oid = {
        name: {"$oid": name} for name in ("quoted", "plus", "bare", "accent", "entity", "foreign", "al", "ar")
    }
    spotify = "https%3A%2F%2Fplay.spotify.com%2Ftrack%2F0000000000000000000aaa"
    parts = {
        "song": [
            {"_id": oid["quoted"], "title": "Don%27t%20Stop%20%26amp%3B%20Go", "id_album": oid["al"]}
            | {
                "urlSpotify": spotify,
                "urlLastFm": "http%3A%2F%2Fwww.last.fm%2Fmusic%2FAda%2BFinch",
                "length": "",
            },
            {"_id": oid["plus"], "title": "1+1%20%2B%201", "id_album": oid["al"]},
            {"_id": oid["bare"], "title": "The 100%41", "id_album": oid["al"]},
            {"_id": oid["accent"], "title": "100%FF", "artist": "Own%20Name", "id_album": oid["al"]},
            {"_id": oid["entity"], "title": "Don&#39;t", "id_album": oid["al"]},
            {"_id": "foreign", "title": "Give%20It", "artist": "Not%20Zenodo"},
        ],
        "album": [{"_id": oid["al"], "title": "First%20Light", "id_artist": oid["ar"], "name": "x"}],
        "artist": [{"_id": oid["ar"], "name": "Caf%C3%A9%20Ada"}],
    }
    folder = tmp_path_factory.mktemp("dump") / "songs"
    folder.mkdir()
    for name, records in parts.items():
        text = "[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n"
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode()))
    return by_id(ingest(spark, folder.parent).songs)


@pytest.mark.parametrize(
    ("song_id", "column", "expected"),
    [
        ("quoted", "title", "Don't Stop & Go"),
        ("quoted", "artist", "Café Ada"),
        ("quoted", "album", "First Light"),
        ("quoted", "spotify_id", "0000000000000000000aaa"),
        ("quoted", "lastfm_id", "http://www.last.fm/music/Ada+Finch"),
        ("quoted", "duration_s", None),
        ("plus", "title", "1+1 + 1"),
        ("bare", "title", "The 100%41"),  # has a space, so it is not encoded
        ("accent", "title", "100%FF"),  # is not UTF-8, so it is not encoded
        ("accent", "artist", "Own Name"),
        ("entity", "title", "Don't"),
        ("foreign", "title", "Give%20It"),  # its id is not an object, so it is not from the dump
    ],
)
def test_the_strings_of_the_dump_are_decoded(
    dump: dict[str, dict[str, Any]], song_id: str, column: str, expected: object
) -> None:
    assert dump[song_id][column] == expected


def test_an_array_on_one_line(spark: SparkSession, corpus: Callable[..., Path]) -> None:
    records = [{"_id": {"$oid": f"{n}"}, "artist": "A", "title": f"T{n}"} for n in range(3)]
    result = ingest(spark, corpus(song__json=json.dumps(records)))
    assert {k: v["title"] for k, v in by_id(result.songs).items()} == {"0": "T0", "1": "T1", "2": "T2"}


def test_only_songs_in_json_are_completed_from_album_records(
    spark: SparkSession, corpus: Callable[..., Path]
) -> None:
    made = corpus(
        a__csv="_id\tartist\ttitle\tid_album\ncsv\tOwn\tT\tal\ncsv-none\t\tT\tal\n",
        song__jsonl='{"_id": "json", "title": "T", "id_album": "al"}\n',
        album__jsonl='{"_id": "al", "title": "Theirs", "name": "Of The Album"}\n',
    )
    pd.DataFrame({"_id": ["parquet"], "artist": [None], "title": ["T"], "id_album": ["al"]}).to_parquet(
        made / "songs" / "b.parquet"
    )
    songs = by_id(ingest(spark, made).songs)
    assert {k: (v["artist"], v["album"]) for k, v in songs.items()} == {
        "csv": ("Own", None),
        "csv-none": (None, None),
        "parquet": (None, None),
        "json": ("Of The Album", "Theirs"),
    }


# -- rejects -------------------------------------------------------------------------------------


def reasons(result: Songs) -> dict[str, int]:
    return {
        row["reason"]: row["n"]
        for row in result.rejects.groupBy("reason").agg(F.sum("count").alias("n")).collect()
    }


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize(
    ("value", "broken"),
    [
        ('"two\nlines"', {"unclosed_quote": 1, "wrong_number_of_columns": 1}),
        ('"a ""b""\n"', {"unclosed_quote": 2}),  # the second line is the closing quote
        ('"closed ""well"""', {}),
        ('12" mix', {}),
        ('""', {}),
    ],
)
def test_a_value_that_continues_in_the_next_line_is_two_rejects(
    spark: SparkSession, corpus: Callable[..., Path], separator: str, value: str, broken: dict[str, int]
) -> None:
    rows = [("_id", "artist", "title"), ("1", "A", "T"), ("2", "A", value), ("3", '"A ""B"" C"', "T")]
    text = "".join(separator.join(row) + "\n" for row in rows)
    result = ingest(spark, corpus(a__csv=text))
    assert reasons(result) == broken
    assert set(by_id(result.songs)) == {"1", "3"} | (set() if broken else {"2"})


SECRET = "hello darkness"


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("song__jsonl", f'{{"_id": "1", "title": "T", "lyrics": "{SECRET}\n', ['"_id": "1", "title": "T"']),
        (
            "song__jsonl",
            f'{{"title": "T", "lyrics": "a\n{SECRET}\nb", "rank": 7}}\n',
            ['"rank": 7', '"title": "T"', ""],
        ),
        ("song__jsonl", f'{{"lyrics": "{SECRET} \\"title\\": x", "title": "\n', [""]),
        ("song__jsonl", f'{{"lyrics": "{SECRET}", "title": "No Id"}}\n', ['{"title":"No Id"}']),
        (
            "song__jsonl",
            f'{{"_id": {{"$oid": "5"}}, "lyrics": "{"x" * LIMIT}{SECRET}"}}\n',
            ['"_id": {"$oid": "5"}'],
        ),
        ("a__csv", f'_id,artist,title,lyrics\n1,A,T,"a\n{SECRET}"\n', [None, None]),
        ("a__csv", f"_id,artist,title,lyrics\n,A,No Id,{SECRET}\n", ['{"artist":"A","title":"No Id"}']),
        ("a__csv", "_id,artist,title\n1,A\n", ["1,A"]),
    ],
    ids=["cut", "line break", "within", "no id", "too long", "csv", "csv no id", "csv without lyrics"],
)
def test_rejects_show_no_lyrics(
    spark: SparkSession, corpus: Callable[..., Path], name: str, text: str, shown: list[str | None]
) -> None:
    made = corpus(**{name: text, "album__jsonl": ""})
    rejects = as_rows(ingest(spark, made).rejects)
    assert SECRET not in str(rejects)
    assert sorted(map(str, [row["raw"] for row in rejects])) == sorted(map(str, shown))


def test_a_line_that_is_too_long_is_one_reject(spark: SparkSession, corpus: Callable[..., Path]) -> None:
    long = "x" * (LIMIT + 1)
    made = corpus(
        a__csv=HEADER + f"1\tA\tT\n2\tA\t{long}\n3\tA\tT\n",
        song__json=f'[\n{{"_id": "4", "artist": "A"}},\n{{"_id": "5", "title": "{long}"}}\n]\n',
    )
    result = ingest(spark, made)
    assert set(by_id(result.songs)) == {"1", "3", "4"}
    rejects = {(row["source"], row["reason"]): row["count"] for row in result.rejects.collect()}
    assert rejects == {("songs/a.csv", "line_too_long"): 1, ("songs/song.json", "line_too_long"): 1}


# -- what stops a run ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a__csv": "_id\ttitle\n1\tT\n"}, "a.csv has no column artist"),
        ({"a__csv": "artist,title\nA,T\n"}, "a.csv has no column _id or song_id"),
        (
            {"song__jsonl": '{"_id": "1", "title": "T", "id_album": "x"}\n'},
            "song.jsonl has no artists: put album.jsonl",
        ),
        ({"a__csv": HEADER + "1\tA\tT\n2\tA"}, "a.csv ends in the middle of a record"),
        ({"song__jsonl": '{"_id": "1", "artist": "A"}\n{"_id": "2", "art'}, "song.jsonl ends in the middle"),
        ({"a__csv__gz": "no gzip"}, r"cannot read .*a\.csv\.gz: .*; fetch it again"),
        ({"a__parquet": "no parquet"}, r"cannot read .*a\.parquet: .* is not a Parquet file, or is damaged"),
    ],
)
def test_files_that_stop_a_run(
    spark: SparkSession, corpus: Callable[..., Path], files: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_records(spark, list_files(str(corpus(**files)), "songs"), LIMIT)


def test_parquet_without_artist(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    pd.DataFrame({"_id": ["1"], "title": ["T"]}).to_parquet(tmp_path / "songs" / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet has no column artist"):
        read_records(spark, list_files(str(tmp_path), "songs"), LIMIT)


def test_cut_gzip_is_explained_in_a_line(spark: SparkSession, corpus: Callable[..., Path]) -> None:
    made = corpus(a__csv=HEADER)
    lines = "".join(f"{i}\tArtist {i * 7919}\tTitle {i * 104729}\n" for i in range(200_000))
    whole = gzip.compress((HEADER + lines).encode())
    (made / "songs" / "b.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises((Py4JJavaError, PySparkException)) as error:
        ingest(spark, made)
    assert re.search(r"^cannot read file:.*/b\.csv\.gz: .*; fetch it again$", explain(error.value))


def run_step(spark: SparkSession, corpus: Path, settings: IngestSettings) -> tuple[Notes, dict[str, Counts]]:
    """The notes and counts of the step on a corpus, counted as the engine counts what it writes."""
    result = ingest_songs(spark, list_files(str(corpus), "songs"), settings)
    assert result.shared  # so that both tables are computed once
    found = result.rejects.groupBy("reason").agg(F.sum("count"), F.min("source")).collect()
    counts = {
        "songs": Counts(result.songs.count()),
        "rejects": Counts(
            result.rejects.count(),
            {reason: count for reason, count, _ in found},
            {reason: source for reason, _, source in found},
        ),
    }
    reviewed = review(counts, settings)
    return Notes(result.notes.warnings + reviewed.warnings, reviewed.figures), counts


def test_too_many_rejects_stop_the_run(
    spark: SparkSession, settings: Settings, corpus: Callable[..., Path]
) -> None:
    made = corpus(a__csv=HEADER + "1\tA\tT\n" * 4 + "2\tA\n")
    with pytest.raises(
        UserError, match=r"1 of 2 records cannot be read \(most often wrong_number_of_columns"
    ):
        run_step(spark, made, settings.ingest)


def test_a_tenth_of_broken_rows_stops_the_run_unless_the_settings_allow_it(
    spark: SparkSession, make_settings: Callable[..., Settings], corpus: Callable[..., Path]
) -> None:
    broken = ("{}\tA\n", '{}\tA\t"T\n', "{}\tA\tT\tmore\n", "\tA\tNo id {}\n")
    rows = [(broken[n // 10 % 4] if n % 10 == 0 else "{}\tA\tT\n").format(n) for n in range(400)]
    made = corpus(a__csv=HEADER + "".join(rows))
    line = (
        "40 of 400 records cannot be read (most often wrong_number_of_columns, for example in songs/a.csv): "
        "correct the files in songs/, or raise ingest.max_reject_share"
    )
    with pytest.raises(UserError, match=re.escape(line)):
        run_step(spark, made, make_settings().ingest)
    notes, counts = run_step(spark, made, make_settings("ingest.max_reject_share=0.1").ingest)
    assert notes == Notes()
    assert counts["songs"].rows == 360
    assert counts["rejects"].reasons == {
        "wrong_number_of_columns": 20,
        "no_song_id": 10,
        "unclosed_quote": 10,
    }


def test_the_step_warns_of_files_and_records_that_it_leaves_out(
    spark: SparkSession, settings: Settings, corpus: Callable[..., Path]
) -> None:
    rows = "".join(f"{i}\tA\tT\n" for i in range(20))
    made = corpus(a__csv=HEADER + rows + "1\tA\tAgain\n" + "20\tA\n", README__md="about")
    notes, counts = run_step(spark, made, settings.ingest)
    assert counts["songs"].rows == 20
    assert counts["rejects"].reasons == {"duplicate_song_id": 1, "wrong_number_of_columns": 1}
    ignored, repeated = notes.warnings
    assert re.search(r"left out file://.*/README\.md: songs are not read", ignored)
    assert repeated.startswith(
        "left out 1 records that repeat the id of another song, for example in songs/a.csv"
    )


@pytest.mark.parametrize(
    ("rejects", "advice"),
    [
        ({"line_too_long": 1, "duplicate_song_id": 50}, "raise ingest.max_line_mb"),
        ({"unclosed_quote": 2, "broken_json": 1}, "without line breaks in quoted values"),
        ({"broken_json": 2, "unclosed_quote": 1}, "write JSON records"),
        ({"no_song_id": 2, "unclosed_quote": 1}, "correct the files in songs/"),
    ],
)
def test_the_most_frequent_reason_decides_the_advice(
    settings: Settings, rejects: dict[str, int], advice: str
) -> None:
    examples = dict.fromkeys(rejects, "songs/a.csv")
    counts = {"songs": Counts(1), "rejects": Counts(sum(rejects.values()), rejects, examples)}
    with pytest.raises(UserError, match=advice):
        review(counts, settings.ingest)


# -- real data -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(spark: SparkSession, shared_data: Path) -> dict[str, DataFrame]:
    return {
        layout: ingest(spark, shared_data / layout).songs.cache() for layout in ("wasabi-api", "wasabi-csv")
    }


def test_both_layouts_of_wasabi_have_the_same_songs(real: dict[str, DataFrame]) -> None:
    # both layouts have every column of `songs` but the position on the album, which only the API has
    api, csv = (as_rows(real[layout].drop("track_number")) for layout in ("wasabi-api", "wasabi-csv"))
    assert len(api) == 14044
    assert api == csv


def test_real_songs_as_the_zenodo_dump_quotes_them(
    spark: SparkSession, real: dict[str, DataFrame], shared_data: Path, tmp_path: Path
) -> None:
    def quoted(name: str, value: Any) -> Any:
        if name in ("_id", "id_album", "id_artist"):
            return {"$oid": value} if value else value
        return quote(html.escape(value), safe="") if isinstance(value, str) else value

    (tmp_path / "songs").mkdir()
    for kind in ("song", "album", "artist"):
        with gzip.open(shared_data / "wasabi-api" / "songs" / f"{kind}.jsonl.gz", "rt") as lines:
            records = [{k: quoted(k, v) for k, v in json.loads(line).items()} for line in lines]
        text = "[" + ",\n".join(map(json.dumps, records)) + "]"
        (tmp_path / "songs" / f"{kind}.json").write_text(text)
    result = ingest(spark, tmp_path)
    assert as_rows(result.songs) == as_rows(real["wasabi-api"])
    assert result.rejects.isEmpty()


def test_real_csv_as_pandas_reads_it(real: dict[str, DataFrame], shared_data: Path) -> None:
    file = shared_data / "wasabi-csv" / "songs" / "wasabi_songs.csv"
    expected = pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False).set_index("_id")
    found = real["wasabi-csv"].toPandas().set_index("song_id").loc[expected.index].fillna("")
    for column, name in (("artist", "artist"), ("title", "title"), ("album", "albumTitle"), ("isrc", "isrc")):
        assert list(found[column]) == [text.strip() for text in expected[name]]
    ids = expected["urlSpotify"].str[-22:]
    assert list(found["spotify_id"]) == list(ids.where(ids.str.fullmatch("[0-9A-Za-z]{22}"), ""))
    assert sum('"' in title for title in found["title"]) == 9


def test_real_public_domain_songs(spark: SparkSession, shared_data: Path) -> None:
    result = ingest(spark, shared_data / "public-domain")
    assert result.songs.count() == 452
    assert result.rejects.isEmpty()
