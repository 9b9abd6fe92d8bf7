"""filter: one song for each reason to drop it, and the detection of languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import as_rows
from songmood.corpus.files import list_files
from songmood.corpus.records import read_records
from songmood.corpus.songs import make_songs
from songmood.engine.errors import UserError
from songmood.engine.fingerprint import Fingerprints
from songmood.engine.step import Counts, Notes
from songmood.pipeline import PIPELINE
from songmood.settings import Settings
from songmood.steps.clean import clean_corpus_lyrics, clean_rows
from songmood.steps.filter import Filtered, detect_languages, filter_songs, review
from songmood.tables import CORPUS_LYRICS, DROPPED, SONGS

Row = dict[str, Any]
Table = Callable[..., DataFrame]

SPOTIFY, LASTFM = "0000000000000000000aaa", "TRAAAAA128F0000001"
IDS = {"spotify_id": SPOTIFY, "lastfm_id": LASTFM}
ROWS: list[Row] = [
    {"song_id": "kept", **IDS, "language": "english"},
    {"song_id": "no-ids"},
    {"song_id": "no-lastfm", "spotify_id": SPOTIFY, "language": "french"},
    {"song_id": "french", **IDS, "language": "french"},
    {"song_id": "unknown", **IDS},
]


@pytest.mark.parametrize(
    ("settings", "dropped"),
    [
        (
            [],
            {
                "no-ids": "no_spotify_id",
                "no-lastfm": "no_lastfm_id",
                "french": "other_language",
                "unknown": "no_language",
            },
        ),
        (
            ["filter.required_ids=[lastfm_id]"],
            {
                "no-ids": "no_lastfm_id",
                "no-lastfm": "no_lastfm_id",
                "french": "other_language",
                "unknown": "no_language",
            },
        ),
        (
            ["filter.required_ids=[]", "filter.languages=[English, FRENCH]"],
            {"no-ids": "no_language", "unknown": "no_language"},
        ),
        (["filter.required_ids=[]", "filter.languages=[]"], {}),
    ],
)
def test_each_reason(
    table: Table, make_settings: Callable[..., Settings], settings: list[str], dropped: dict[str, str]
) -> None:
    songs = table(SONGS, *ROWS)
    result = filter_songs(songs, None, make_settings(*settings).filter)
    assert {r["song_id"]: r["drop_reason"] for r in result.dropped.collect()} == dropped
    kept = [row["song_id"] for row in ROWS if row["song_id"] not in dropped]
    assert as_rows(result.filtered) == as_rows(songs.where(F.col("song_id").isin(kept)))
    assert result.dropped.columns == DROPPED.column_names


def test_empty_tables_give_empty_tables(table: Table, settings: Settings) -> None:
    for lyrics in (None, table(CORPUS_LYRICS)):
        result = filter_songs(table(SONGS), lyrics, settings.filter)
        assert result.filtered.columns == SONGS.column_names
        assert as_rows(result.filtered) == as_rows(result.dropped) == []


# -- detected languages ----------------------------------------------------------------------------

ENGLISH = "<br>O bury me not on the lone prairie<br>Where the wild coyotes will howl o&#39;er me"
FRENCH = "Au clair de la lune, mon ami Pierrot, prête-moi ta plume pour écrire un mot"
GERMAN = "Stille Nacht, heilige Nacht, alles schläft, einsam wacht nur das traute hochheilige Paar"
LYRICS = [
    ("english lyrics, french title", ENGLISH),
    ("two lyrics", FRENCH),
    ("two lyrics", GERMAN),
    ("french lyrics", FRENCH),
    ("lyrics and a header", "[Instrumental]"),
    ("lyrics and a header", ENGLISH),
    ("sounds", "La la la"),
    ("a note, french title", "Lyrics for this song have yet to be released"),
    ("no words", " <br>12 "),
    ("nothing left", "[Instrumental]"),
    ("given", FRENCH),
    ("no ids", ENGLISH),
    ("of no song", ENGLISH),
    (None, ENGLISH),
    ("no text", None),
    ("blank", "  "),
]
LONG = "When I Was Young And Nobody Knew My Name"
WITHOUT_LANGUAGE: list[Row] = [
    {
        "song_id": "english lyrics, french title",
        "title": "Les Feuilles mortes de notre jardin",
        "album": "Mon amour",
    },
    {"song_id": "two lyrics", "title": "X"},
    {"song_id": "french lyrics", "title": "X"},
    {"song_id": "lyrics and a header", "title": "X"},
    {"song_id": "a note, french title", "title": "Quand j'étais petit et que personne ne savait mon nom"},
    {"song_id": "sounds", "title": LONG},
    {"song_id": "no words", "title": LONG},
    {"song_id": "nothing left", "title": LONG},
    {"song_id": "given", "title": "X", "language": "english"},
    {"song_id": "no ids", "title": "X", "spotify_id": None},
    {"song_id": "no text", "title": LONG},
    {"song_id": "blank", "title": LONG},
    {"song_id": "long title", "title": LONG},
    {"song_id": "title and album", "title": "Home", "album": LONG},
    {"song_id": "french title", "title": "Quand j'étais petit et que personne ne savait mon nom"},
    {"song_id": "short title", "title": "Go"},
    {"song_id": "no letters", "title": "1979", "album": "24/7"},
    {"song_id": "no names"},
]
FOUND = {
    "english": {
        *("english lyrics, french title", "lyrics and a header", "given", "no text", "blank", "long title"),
        "title and album",
    },
    "other_language": {"two lyrics", "french lyrics", "french title", "a note, french title"},
    # a title does not replace lyrics whose language cannot be detected
    "no_language": {"sounds", "no words", "nothing left", "short title", "no letters", "no names"},
    "no_spotify_id": {"no ids"},
}


@pytest.fixture
def songs(table: Table) -> DataFrame:
    """The songs of WITHOUT_LANGUAGE, with both ids unless they say otherwise."""
    return table(SONGS, *WITHOUT_LANGUAGE, **IDS)


@pytest.fixture
def lyrics(spark: SparkSession) -> DataFrame:
    """The table `corpus_lyrics` of LYRICS."""
    rows = [(song_id, None, None, text) for song_id, text in LYRICS]
    return clean_rows(
        spark.createDataFrame(rows, "song_id string, artist string, title string, lyrics string")
    )


def outcomes(result: Filtered) -> dict[str, set[str]]:
    """The ids of dropped songs by reason, and of kept songs by language."""
    found: dict[str, set[str]] = {}
    for rows, name in ((result.filtered, "language"), (result.dropped, "drop_reason")):
        for row in rows.collect():
            found.setdefault(row[name], set()).add(row["song_id"])
    return found


def test_a_missing_language_is_detected_from_lyrics_or_else_from_title_and_album(
    songs: DataFrame, lyrics: DataFrame, settings: Settings
) -> None:
    result = filter_songs(songs, lyrics, settings.filter)
    assert outcomes(result) == FOUND
    assert result.filtered.columns == SONGS.column_names
    assert sum(map(len, FOUND.values())) == len(WITHOUT_LANGUAGE)
    # songs that have a language, or are dropped for their ids, are not among those that are detected
    (detected,) = result.shared
    detected_ids = {row["song_id"] for row in detected.collect()}
    assert detected_ids == {row["song_id"] for row in WITHOUT_LANGUAGE} - {"given", "no ids"}


def test_other_languages_are_detected_if_they_are_kept(
    songs: DataFrame, lyrics: DataFrame, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("filter.languages=[French, german]").filter
    found = outcomes(filter_songs(songs, lyrics, settings))
    # of two lyrics the longer counts
    assert found["german"] == {"two lyrics"}
    assert found["french"] == FOUND["other_language"] - found["german"]
    assert found["other_language"] == FOUND["english"]


def test_without_lyrics_languages_are_detected_from_titles_and_albums(
    songs: DataFrame, table: Table, settings: Settings
) -> None:
    found = outcomes(filter_songs(songs, table(CORPUS_LYRICS), settings.filter))
    french_titles = {"english lyrics, french title", "a note, french title", "french title"}
    assert found["other_language"] == french_titles
    assert found["no_language"] == {
        *("two lyrics", "french lyrics", "lyrics and a header", "short title", "no letters", "no names"),
    }
    assert outcomes(filter_songs(songs, None, settings.filter)) == found


def test_a_guess_below_the_required_probability_does_not_count(
    songs: DataFrame, make_settings: Callable[..., Settings]
) -> None:
    def with_language(probability: float) -> set[str]:
        settings = make_settings(f"filter.min_language_probability={probability}").filter
        found = outcomes(filter_songs(songs, None, settings))
        return found["english"] | found.get("other_language", set())

    assert with_language(1) == {"given"}
    all_with_letters = {row["song_id"] for row in WITHOUT_LANGUAGE} - {"no ids", "no letters", "no names"}
    assert with_language(0.5) < with_language(0) == all_with_letters


@pytest.mark.parametrize("setting", ["filter.detect_language=false", "filter.languages=[]"])
def test_no_language_is_detected_if_that_is_off_or_all_languages_are_kept(
    songs: DataFrame, lyrics: DataFrame, make_settings: Callable[..., Settings], setting: str
) -> None:
    settings = make_settings(setting)
    assert not filter_songs.reads("corpus_lyrics", settings)
    result = filter_songs(songs, lyrics, settings.filter)
    assert result.shared == ()
    assert {row["song_id"] for row in result.filtered.where("language IS NOT NULL").collect()} == {"given"}


def test_order_and_partitions_change_nothing(songs: DataFrame, lyrics: DataFrame, settings: Settings) -> None:
    first = filter_songs(songs.coalesce(1), lyrics.coalesce(1), settings.filter)
    backwards = songs.orderBy(F.col("song_id").desc()).repartition(7)
    second = filter_songs(backwards, lyrics.orderBy("lyrics").repartition(5), settings.filter)
    assert as_rows(first.filtered) == as_rows(second.filtered)
    assert as_rows(first.dropped) == as_rows(second.dropped)
    assert len(as_rows(first.filtered)) == len(FOUND["english"])


def test_no_lyrics_are_in_the_tables(songs: DataFrame, lyrics: DataFrame, settings: Settings) -> None:
    result = filter_songs(songs, lyrics, settings.filter)
    for frame in (result.filtered, result.dropped):
        text = repr(frame.collect())
        assert "prairie" not in text
        assert "lune" not in text


def test_the_fingerprint_depends_on_the_lyrics_only_if_they_are_read(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    def fingerprints(*settings: str) -> tuple[str, str]:
        found = Fingerprints(PIPELINE, make_settings(f"paths.corpus={tmp_path}", *settings))
        return found.of(clean_corpus_lyrics), found.of(filter_songs)

    off = "filter.detect_language=false"
    clean, detecting = fingerprints()
    _, not_detecting = fingerprints(off)
    (tmp_path / "lyrics").mkdir()
    (tmp_path / "lyrics" / "a.csv").write_text("song_id,lyrics\na,b\n")
    clean_after, detecting_after = fingerprints()
    assert clean_after != clean
    assert detecting_after != detecting
    assert fingerprints(off) == (clean_after, not_detecting)


# -- messages --------------------------------------------------------------------------------------


def test_a_run_that_keeps_no_song_stops() -> None:
    dropped = Counts(3, {"no_spotify_id": 2, "no_lastfm_id": 1})
    line = r"filter kept no song \(1 no_lastfm_id, 2 no_spotify_id\)\. Require less.*required_ids=\[\]"
    with pytest.raises(UserError, match=line):
        review({"songs": Counts(3), "filtered": Counts(0), "dropped": dropped})
    with pytest.raises(UserError, match=r"ingest found no songs: paths\.corpus must name a folder"):
        review({"songs": Counts(0), "filtered": Counts(0), "dropped": Counts(0)})
    assert review({"songs": Counts(4), "filtered": Counts(1), "dropped": dropped}) == Notes()


# -- real songs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["wasabi-csv", "wasabi-api"])
def real(
    request: pytest.FixtureRequest, spark: SparkSession, shared_data: Path
) -> tuple[DataFrame, pd.DataFrame]:
    """The songs of a real corpus, as ingest reads them and as pandas reads them."""
    folder = shared_data / request.param
    if request.param == "wasabi-csv":
        raw = pd.read_csv(folder / "songs" / "wasabi_songs.csv", sep="\t", dtype=str, keep_default_na=False)
    else:
        raw = pd.read_json(folder / "songs" / "song.jsonl.gz", lines=True, dtype=False)
    return make_songs(read_records(spark, list_files(str(folder), "songs"), 2**20)).songs.cache(), raw


@pytest.mark.parametrize("required", ["[spotify_id]", "[spotify_id, lastfm_id]", "[]"])
def test_funnel_of_real_songs_as_pandas_counts_it(
    make_settings: Callable[..., Settings], real: tuple[DataFrame, pd.DataFrame], required: str
) -> None:
    ingested, raw = real
    # 14 songs have no detected language, and 13 of them have the language 'eng'
    language = raw["language_detect"].where(raw["language_detect"] != "", raw["language"])
    reason = pd.Series("kept", index=raw.index)
    reason[~language.isin(["english", "eng"])] = "other_language"
    reason[language.isin(["", "zxx"])] = "no_language"
    if "lastfm_id" in required:
        reason[raw["urlLastFm"] == ""] = "no_lastfm_id"
    if "spotify_id" in required:
        reason[~raw["urlSpotify"].str[-22:].str.fullmatch("[0-9A-Za-z]{22}")] = "no_spotify_id"

    settings = make_settings(f"filter.required_ids={required}", "filter.detect_language=false").filter
    result = filter_songs(ingested, None, settings)
    found = {r["drop_reason"]: r["count"] for r in result.dropped.groupBy("drop_reason").count().collect()}
    found["kept"] = result.filtered.count()
    assert found == reason.value_counts().to_dict()


def test_detected_languages_of_real_songs_are_those_given(
    make_settings: Callable[..., Settings], real: tuple[DataFrame, pd.DataFrame]
) -> None:
    """The given language is hidden and detected again, about as well as conf/base.yaml says."""
    ingested, _ = real
    given = ingested.where("language IS NOT NULL").withColumn("truth", F.col("language"))
    songs = given.withColumn("language", F.lit(None).cast("string"))
    settings = make_settings().filter
    detected = detect_languages(songs, None, settings.min_language_probability)
    found = detected.where("language IS NOT NULL").select("language", "truth").toPandas()
    share = len(found) / given.count()
    accuracy = (found["language"] == found["truth"]).mean()
    assert share > 0.2
    assert accuracy > 0.97
    assert (found.loc[found["language"] == "english", "truth"] == "english").mean() > 0.99


def test_all_real_english_lyrics_are_detected_as_english(
    spark: SparkSession, make_settings: Callable[..., Settings], shared_data: Path
) -> None:
    folder = str(shared_data / "public-domain")
    ingested = make_songs(read_records(spark, list_files(folder, "songs"), 2**20)).songs
    lyrics = clean_corpus_lyrics(spark, list_files(folder, "lyrics"), make_settings().ingest).corpus_lyrics
    songs = ingested.withColumn("language", F.lit(None).cast("string"))
    result = filter_songs(songs, lyrics, make_settings("filter.required_ids=[]").filter)
    assert result.filtered.count() == ingested.count() == lyrics.count() > 400
