from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import filter as filter_job
from conftest import as_rows
from songmood.config import Config
from songmood.corpus import list_files
from songmood.errors import SongmoodError
from songmood.filter import filter_songs
from songmood.ingest import ingest_songs, read_records
from songmood.run import Run
from songmood.store import Store
from songmood.tables import DROPPED, SONGS

SPOTIFY, LASTFM = "0000000000000000000aaa", "TRAAAAA128F0000001"
ROWS = [
    # song_id, spotify_id, lastfm_id, language
    ("kept", SPOTIFY, LASTFM, "english"),
    ("no-ids", None, None, None),
    ("no-lastfm", SPOTIFY, None, "french"),
    ("french", SPOTIFY, LASTFM, "french"),
    ("unknown", SPOTIFY, LASTFM, None),
]


def songs(spark: SparkSession, rows: list[tuple[str | None, ...]]) -> DataFrame:
    names = ("song_id", "spotify_id", "lastfm_id", "language")
    given = [{**dict.fromkeys(SONGS.column_names), **dict(zip(names, row, strict=True))} for row in rows]
    return spark.createDataFrame(given, SONGS.schema)


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
    spark: SparkSession, make_config: Callable[..., Config], settings: list[str], dropped: dict[str, str]
) -> None:
    given = songs(spark, ROWS)
    result = filter_songs(given, make_config(*settings).filter)
    assert {r["song_id"]: r["drop_reason"] for r in result.dropped.collect()} == dropped
    kept = [row[0] for row in ROWS if row[0] not in dropped]
    assert as_rows(result.filtered) == as_rows(given.where(F.col("song_id").isin(kept)))
    assert result.dropped.columns == DROPPED.column_names


def test_nothing_in_nothing_out(spark: SparkSession, config: Config) -> None:
    result = filter_songs(songs(spark, []), config.filter)
    assert result.filtered.columns == SONGS.column_names
    assert as_rows(result.filtered) == as_rows(result.dropped) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ROWS[1:3],
            r"filter kept no song \(1 no_lastfm_id, 1 no_spotify_id\): ask for less.*required_ids=\[\]",
        ),
        ([], "ingest found no song"),
    ],
)
def test_nothing_kept_stops_the_job(
    spark: SparkSession,
    config: Config,
    tmp_path: Path,
    rows: list[tuple[str | None, ...]],
    message: str,
) -> None:
    run = Run(config, Store(str(tmp_path)), spark, "test")
    written = run.store.write(songs(spark, rows), SONGS, "0" * 16, "ingest")
    run.manifest["tables"]["songs"] = written.path
    with pytest.raises(SongmoodError, match=message):
        run.do(filter_job.STEP, "0" * 16)


@pytest.fixture(scope="module", params=["wasabi-csv", "wasabi-api"])
def real(
    request: pytest.FixtureRequest, spark: SparkSession, shared_data: Path
) -> tuple[DataFrame, pd.DataFrame]:
    """The songs of a real corpus, by ingest and by pandas."""
    folder = shared_data / request.param
    if request.param == "wasabi-csv":
        raw = pd.read_csv(folder / "songs" / "wasabi_songs.csv", sep="\t", dtype=str, keep_default_na=False)
    else:
        raw = pd.read_json(folder / "songs" / "song.jsonl.gz", lines=True, dtype=False)
    return ingest_songs(read_records(spark, list_files(str(folder), "songs"), 2**20)).songs.cache(), raw


@pytest.mark.parametrize("required", ["[spotify_id]", "[spotify_id, lastfm_id]", "[]"])
def test_funnel_of_real_songs_as_pandas_counts_it(
    make_config: Callable[..., Config], real: tuple[DataFrame, pd.DataFrame], required: str
) -> None:
    ingested, raw = real
    # 14 songs have no detected language; 13 of them are marked 'eng'
    language = raw["language_detect"].where(raw["language_detect"] != "", raw["language"])
    reason = pd.Series("kept", index=raw.index)
    reason[~language.isin(["english", "eng"])] = "other_language"
    reason[language.isin(["", "zxx"])] = "no_language"
    if "lastfm_id" in required:
        reason[raw["urlLastFm"] == ""] = "no_lastfm_id"
    if "spotify_id" in required:
        reason[~raw["urlSpotify"].str[-22:].str.fullmatch("[0-9A-Za-z]{22}")] = "no_spotify_id"

    settings = make_config(f"filter.required_ids={required}").filter
    result = filter_songs(ingested, settings)
    found = {r["drop_reason"]: r["count"] for r in result.dropped.groupBy("drop_reason").count().collect()}
    found["kept"] = result.filtered.count()
    assert found == reason.value_counts().to_dict()
