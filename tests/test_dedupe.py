from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from conftest import ROOT, as_rows
from songmood.corpus.files import list_files
from songmood.corpus.records import read_records
from songmood.corpus.songs import make_songs
from songmood.settings import DedupeSettings, Settings, load_settings
from songmood.steps.dedupe import dedupe_songs
from songmood.steps.dedupe.block import candidate_pairs
from songmood.steps.dedupe.compare import LEVELS
from songmood.steps.dedupe.duplicates import Merged, iterate_duplicates, merge_groups
from songmood.steps.dedupe.group import hold_together, iterate_groups
from songmood.steps.dedupe.named import iterate_names
from songmood.steps.dedupe.weights import START, Weights
from songmood.tables import DEDUPED, DUPLICATES, FILTERED, OTHER_IDS, SONGS

VERSIONS = pd.read_csv(ROOT / "tests" / "fixtures" / "versions.csv", dtype=str, keep_default_na=False)


def dedupe(songs: DataFrame, settings: DedupeSettings) -> Merged:
    return merge_groups(songs, iterate_duplicates(songs, settings), settings)


def merged(result: Merged) -> dict[str, str]:
    return {row["song_id"]: row["representative_id"] for row in result.duplicates.collect()}


def ids(frame: DataFrame) -> set[str]:
    return {row["song_id"] for row in frame.collect()}


@pytest.fixture(scope="module")
def base() -> Settings:
    return load_settings(ROOT / "conf" / "base.yaml")


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
def results(versions: DataFrame, base: Settings) -> dict[str, Merged]:
    """The readable table, deduped by song and by recording."""
    made = {}
    for unit in ("song", "recording"):
        result = dedupe(versions, base.dedupe.model_copy(update={"unit": unit}))
        made[unit] = result._replace(deduped=result.deduped.cache(), duplicates=result.duplicates.cache())
    return made


@pytest.fixture(scope="module")
def result(results: dict[str, Merged]) -> Merged:
    return results["song"]


@pytest.mark.parametrize("unit", ["song", "recording"])
def test_groups_are_those_the_table_says(results: dict[str, Merged], unit: str) -> None:
    representative = merged(results[unit])
    found = {song: {song} for song in ids(results[unit].deduped)}
    for song, kept in representative.items():
        found[kept].add(song)
    expected = VERSIONS.groupby(f"{unit}_group")["song_id"].agg(set)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, expected))
    counts = {row["song_id"]: row["version_count"] for row in results[unit].deduped.collect()}
    assert counts == {song: len(group) for song, group in found.items()}


def test_representatives_and_reasons(result: Merged) -> None:
    found = {row["song_id"]: row for row in result.duplicates.collect()}
    assert {song: row["representative_id"] for song, row in found.items()} == {
        **dict.fromkeys(("a2", "a3", "a4", "a5"), "a1"),  # most ids
        **{"d2": "d1", "d3": "d1", "f2": "f1", "i1": "i2", "i3": "i2"},
        **{"h2": "h1", "h3": "h1", "l2": "l1", "m2": "m1", "q2": "q1"},  # first year, then least id
        **dict.fromkeys(("k2", "k3", "k4", "k5"), "k1"),
    }
    assert found["a2"]["match_reason"] == "same title and artist; same length"
    assert found["d2"]["match_reason"] == "title, other artist; same year; same length; one id agrees"
    assert found["f2"]["match_reason"] == "like title and artist; same year; same length; two ids agree"
    assert found["k4"]["match_reason"] == "same words; same year; same length"
    assert found["m2"]["match_reason"] == "near title, shared artist; same year; same length"
    assert all(0.85 <= row["similarity"] <= 1 for row in found.values())


def test_columns_of_the_tables(result: Merged) -> None:
    assert result.deduped.columns == DEDUPED.column_names
    assert result.duplicates.columns == DUPLICATES.column_names


@pytest.mark.parametrize("unit", ["song", "recording"])
def test_a_second_pass_and_another_order_change_nothing(
    versions: DataFrame, results: dict[str, Merged], base: Settings, unit: str
) -> None:
    first, settings = results[unit], base.dedupe.model_copy(update={"unit": unit})
    shuffled = dedupe(versions.orderBy(F.rand(5)).repartition(3), settings)
    assert as_rows(shuffled.deduped) == as_rows(first.deduped)
    assert as_rows(shuffled.duplicates) == as_rows(first.duplicates)
    again = dedupe(first.deduped.drop("version_count"), settings)
    assert as_rows(again.deduped.drop("version_count")) == as_rows(first.deduped.drop("version_count"))
    assert again.duplicates.isEmpty()


@pytest.mark.parametrize("titles", [[], ["Harbour Lights", "Night Ferry", "Copper Moon"]])
def test_a_corpus_without_duplicates(
    spark: SparkSession, table: Callable[..., DataFrame], base: Settings, titles: list[str]
) -> None:
    """As a run executes it: adaptively, where Spark drops what it finds to be empty."""
    songs = table(FILTERED, *({"song_id": title, "title": title, "artist": title[::-1]} for title in titles))
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    try:
        result = dedupe_songs(spark, songs, base.dedupe)
        assert as_rows(result.deduped) == as_rows(songs.withColumn("version_count", F.lit(1)))
        assert {row["record_id"]: row["song_id"] for row in result.song_records.collect()} == {
            title: title for title in titles
        }
        assert (result.duplicates.count(), result.duplicate_pairs.count()) == (0, 0)
        assert result.match_weights.count() == sum(map(len, LEVELS.values()))
        assert result.notes.figures["pairs_left_out"] == 0
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", "false")


def songs_called(spark: SparkSession, count: int, **columns: Column) -> DataFrame:
    row = {name: F.lit(None).cast(SONGS.schema[name].dataType) for name in SONGS.column_names}
    row |= {"song_id": F.format_string("s%06d", "id"), **columns}
    return spark.range(count).select(*(value.alias(name) for name, value in row.items()))


def test_a_block_of_very_many_is_capped_and_counted(spark: SparkSession, base: Settings) -> None:
    many = 4_000
    songs = songs_called(
        spark,
        many,
        artist=F.lit("Various Artists"),
        title=F.lit("Intro"),
        duration_s=F.col("id") % 7000 + 20.0,
    )
    named = iterate_names(songs, base.dedupe)
    candidates = candidate_pairs(named, base.dedupe)
    pairs = candidates.pairs.count()
    windows = base.dedupe.exact_window + 2 * base.dedupe.block_window
    assert many < pairs <= many * windows
    everyone = many * (many - 1) // 2
    assert candidates.left_out.get["pairs"] > everyone - many * windows


# -- groups that hold together ---------------------------------------------------------------


def test_a_chain_is_not_a_group(spark: SparkSession, base: Settings) -> None:
    # the second title is like the first and like the third, which are not like each other
    titles = ["Harbour Lights Tonight", "Harbour Light Tonigh", "Harbor Lihgt Tonig"]
    songs = songs_called(
        spark,
        3,
        artist=F.lit("Dee Moss"),
        title=F.element_at(F.array(*map(F.lit, titles)), F.col("id").cast("int") + 1),
    )
    named = iterate_names(songs, base.dedupe)
    component = named.select("song_id", F.lit("s000000").alias("group_id"))
    weights = Weights(0.5, *START, by_name=True)
    sizes = {}
    for cohesion in (0.0, 1.0):
        settings = base.dedupe.model_copy(update={"cohesion": cohesion})
        groups = hold_together(component, named, weights, settings).collect()
        sizes[cohesion] = len({row["group_id"] for row in groups})
    assert sizes == {0.0: 1, 1.0: 3}
    # too many to compare: only equal names stay together
    few = base.dedupe.model_copy(update={"max_component": 2, "cohesion": 0.0})
    assert len({row["group_id"] for row in hold_together(component, named, weights, few).collect()}) == 3


# -- components ------------------------------------------------------------------------------


def graph(seed: int) -> nx.Graph:
    """Paths, stars and random links over some nodes, whose names are unrelated to their place."""
    chance = random.Random(seed)
    names = [f"n{i:03}" for i in chance.sample(range(1000), 60)]
    edges = list(pairwise(names[:20]))
    edges += [(names[20], name) for name in names[21:30]]
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


def real_pairs(songs: list[Row], *names: str) -> set[tuple[str, str]]:
    """Pairs of songs that agree in each of these columns."""
    groups = defaultdict(list)
    for song in songs:
        if all(song[name] for name in names):
            groups[tuple(song[name] for name in names)].append(song["song_id"])
    return {pair for group in groups.values() for pair in combinations(sorted(group), 2)}


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "recall", "isrc_agrees"), [("song", 0.94, 0.8), ("recording", 0.93, 0.92)])
def test_real_songs(
    spark: SparkSession, base: Settings, shared_data: Path, unit: str, recall: float, isrc_agrees: float
) -> None:
    """Truth: an equal ISRC and an equal MusicBrainz or Spotify id; the step sees none of them."""
    files = list_files(str(shared_data / "wasabi-csv"), "songs")
    songs = make_songs(read_records(spark, files, 2**20)).songs.localCheckpoint()
    withheld = {name: F.lit(None).cast("string") for name in OTHER_IDS}
    settings = base.dedupe.model_copy(update={"unit": unit})
    result = dedupe(songs.withColumns(withheld), settings)
    rows: list[Row] = songs.collect()
    by_id = {row["song_id"]: row for row in rows}
    groups = defaultdict(list)
    for song, kept in ({song: song for song in by_id} | merged(result)).items():
        groups[kept].append(song)
    proposed = {pair for group in groups.values() for pair in combinations(sorted(group), 2)}
    truth = real_pairs(rows, "isrc", "musicbrainz_id") | real_pairs(rows, "isrc", "spotify_id")
    assert len(proposed & truth) / len(truth) >= recall
    agreements = [
        [by_id[a][name] == by_id[b][name] for name in OTHER_IDS if by_id[a][name] and by_id[b][name]]
        for a, b in proposed
    ]
    comparable = [agree for agree in agreements if agree]
    if unit == "song":
        assert sum(not any(agree) for agree in comparable) / len(comparable) <= 0.02
    by_isrc = [
        by_id[a]["isrc"] == by_id[b]["isrc"] for a, b in proposed if by_id[a]["isrc"] and by_id[b]["isrc"]
    ]
    assert sum(by_isrc) / len(by_isrc) >= isrc_agrees
    assert result.deduped.count() + result.duplicates.count() == len(rows) == 14044
