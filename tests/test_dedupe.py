from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conftest import ROOT, as_rows
from songmood.config import Config, Dedupe, load_config
from songmood.corpus import list_files
from songmood.dedupe import Deduped, find_links, iterate_groups, merge_groups
from songmood.ingest import ingest_songs, read_records
from songmood.names import normalise_artist, normalise_title
from songmood.tables import DEDUPED, DUPLICATES, SONGS

VERSIONS = pd.read_csv(ROOT / "tests" / "fixtures" / "versions.csv", dtype=str, keep_default_na=False)


def dedupe(songs: DataFrame, settings: Dedupe) -> Deduped:
    return merge_groups(songs, iterate_groups(find_links(songs, settings)))


def merged(result: Deduped) -> dict[str, str]:
    return {row["song_id"]: row["representative_id"] for row in result.duplicates.collect()}


def ids(frame: DataFrame) -> set[str]:
    return {row["song_id"] for row in frame.collect()}


@pytest.fixture(scope="module")
def base() -> Config:
    return load_config(ROOT / "conf" / "base.yaml")


@pytest.fixture(scope="module")
def versions(spark: SparkSession) -> DataFrame:
    fields = [name for name in VERSIONS.columns if name in SONGS.column_names]
    schema = ", ".join(f"{name} string" for name in fields)
    texts = spark.createDataFrame(VERSIONS[fields].to_dict("records"), schema)
    filled = {name: F.when(F.col(name) != "", F.col(name)) for name in fields}
    missing = {name: F.lit(None) for name in SONGS.column_names if name not in fields}
    return texts.withColumns({**filled, **missing}).select(
        *(F.col(field.name).cast(field.dataType) for field in SONGS.schema)
    )


@pytest.fixture(scope="module")
def results(versions: DataFrame, base: Config) -> dict[str, Deduped]:
    """The readable table, deduped by song and by recording."""
    made = {}
    for unit in ("song", "recording"):
        result = dedupe(versions, base.dedupe.model_copy(update={"unit": unit}))
        made[unit] = result._replace(deduped=result.deduped.cache(), duplicates=result.duplicates.cache())
    return made


@pytest.fixture(scope="module")
def result(results: dict[str, Deduped]) -> Deduped:
    return results["song"]


@pytest.mark.parametrize("unit", ["song", "recording"])
def test_groups_are_those_the_table_says(results: dict[str, Deduped], unit: str) -> None:
    representative = merged(results[unit])
    found = {song: {song} for song in ids(results[unit].deduped)}
    for song, kept in representative.items():
        found[kept].add(song)
    expected = VERSIONS.groupby(f"{unit}_group")["song_id"].agg(set)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected))
    counts = {row["song_id"]: row["version_count"] for row in results[unit].deduped.collect()}
    assert counts == {song: len(group) for song, group in found.items()}


def test_representatives_and_reasons(result: Deduped) -> None:
    found = {row["song_id"]: row for row in result.duplicates.collect()}
    reasons = {song: (row["representative_id"], row["match_reason"]) for song, row in found.items()}
    assert reasons == {
        **dict.fromkeys(("a2", "a3", "a4", "a5"), ("a1", "same_artist_and_title")),
        "d2": ("d1", "same_spotify_id"),
        "d3": ("d1", "same_spotify_id"),
        "f2": ("f1", "same_isrc"),
        "h2": ("h1", "same_artist_and_title"),
        "h3": ("h1", "same_artist_and_title"),
        "i1": ("i2", "same_musicbrainz_id"),
        "i3": ("i2", "same_spotify_id"),
    }
    assert found["a2"]["similarity"] == 1
    assert 0.5 < found["f2"]["similarity"] < 1


def test_columns_of_the_tables(result: Deduped) -> None:
    assert result.deduped.columns == DEDUPED.column_names
    assert result.duplicates.columns == DUPLICATES.column_names


def test_a_record_may_be_tied_through_another_only(spark: SparkSession, base: Config) -> None:
    rows = [
        {"song_id": "1", "artist": "A", "title": "T", "isrc": "I", "lastfm_id": "L"},
        {"song_id": "2", "artist": "B", "title": "T", "isrc": "I"},
        {"song_id": "3", "artist": "B", "title": "T"},
    ]
    songs = spark.createDataFrame([{**dict.fromkeys(SONGS.column_names), **r} for r in rows], SONGS.schema)
    reasons = {row["song_id"]: row["match_reason"] for row in dedupe(songs, base.dedupe).duplicates.collect()}
    assert reasons == {"2": "same_isrc", "3": "through_another"}


@pytest.mark.parametrize("unit", ["song", "recording"])
def test_a_second_pass_and_another_order_change_nothing(
    versions: DataFrame, results: dict[str, Deduped], base: Config, unit: str
) -> None:
    first, settings = results[unit], base.dedupe.model_copy(update={"unit": unit})
    shuffled = dedupe(versions.orderBy(F.rand(5)).repartition(3), settings)
    assert as_rows(shuffled.deduped) == as_rows(first.deduped)
    assert as_rows(shuffled.duplicates) == as_rows(first.duplicates)
    again = dedupe(first.deduped.drop("version_count"), settings)
    assert as_rows(again.deduped.drop("version_count")) == as_rows(first.deduped.drop("version_count"))
    assert again.duplicates.isEmpty()


def test_nothing_in_nothing_out(spark: SparkSession, base: Config) -> None:
    result = dedupe(spark.createDataFrame([], SONGS.schema), base.dedupe)
    assert result.deduped.isEmpty()
    assert result.duplicates.isEmpty()


def test_a_large_block_makes_no_pairs_of_pairs(spark: SparkSession, base: Config) -> None:
    row = {name: F.lit(None).cast(SONGS.schema[name].dataType) for name in SONGS.column_names}
    row |= {"song_id": F.format_string("s%05d", "id"), "artist": F.lit("Ada Finch"), "title": F.lit("Intro")}
    songs = spark.range(20_000).select(*(value.alias(name) for name, value in row.items()))
    links = find_links(songs, base.dedupe)
    assert links.count() == 19_999
    assert links.select("linked_id").distinct().collect()[0][0] == "s00000"


# -- components ------------------------------------------------------------------------------


def graph(seed: int) -> nx.Graph:
    """Paths, stars and random links over some nodes whose names say nothing of their place."""
    chance = random.Random(seed)
    names = [f"n{i:03}" for i in chance.sample(range(1000), 60)]
    edges = list(pairwise(names[:20]))
    edges += [(names[20], other) for other in names[21:30]]
    edges += [(chance.choice(names[30:45]), chance.choice(names[45:])) for _ in range(20)]
    return nx.Graph(edges)


@pytest.mark.parametrize("seed", [1, 2])
def test_groups_are_networkx_components(spark: SparkSession, seed: int) -> None:
    made = graph(seed)
    links = spark.createDataFrame(list(made.edges), "song_id string, linked_id string").repartition(3)
    found = {row["song_id"]: row["group_id"] for row in iterate_groups(links).collect()}
    expected = {node: min(group) for group in nx.connected_components(made) for node in group}
    assert found == expected


def test_no_links_no_groups(spark: SparkSession) -> None:
    assert iterate_groups(spark.createDataFrame([], "song_id string, linked_id string")).isEmpty()


# -- real data -------------------------------------------------------------------------------


def test_real_songs(spark: SparkSession, base: Config, shared_data: Path) -> None:
    files = list_files(str(shared_data / "wasabi-csv"), "songs")
    songs = ingest_songs(read_records(spark, files, 2**20)).songs.localCheckpoint()
    result = dedupe(songs, base.dedupe)
    rows: list[Any] = songs.select("song_id", "artist", "title").collect()
    names = {r["song_id"]: (normalise_artist(r["artist"]), normalise_title(r["title"])) for r in rows}
    representative = {song: song for song in names} | merged(result)
    # all records of one name are in one group, and what names alone would leave is an upper bound
    by_name: dict[tuple[str, str], set[str]] = {}
    for song, name in names.items():
        if all(name):
            by_name.setdefault(name, set()).add(representative[song])
    assert max(map(len, by_name.values())) == 1
    kept = result.deduped.count()
    assert kept + result.duplicates.count() == len(names) == 14044
    assert 11_000 < kept <= len(set(names.values()))
