"""Ingest, filter and dedupe of messy demo corpora of three sizes, compared with other tools.

usage: make bench-funnel     (or: python bench/funnel.py --sizes 17000 170000 1700000)
       python bench/funnel.py --corpus DIR --truth FILE     (a corpus of your own, with its truth)

For each size: seconds, rows per second, peak memory of driver and workers, candidate pairs, and the
pairwise precision, recall and F1 against the truth of the demo; then the growth exponents. Other tools
get the same parsed records: exact de-duplication in DuckDB (the lower bound of the time), Splink 4 on
DuckDB at a match probability of 0.95, and at the smallest size MinHash-LSH on character trigrams at
Jaccard 0.5 (datasketch), which takes more than ten minutes at the next size.

The truth is a CSV file of song_id and group_id: records with one group_id are one song. No step reads it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from songmood.settings import load_settings
from steps import ROOT, growth

FUNNEL = ("ingest", "filter", "dedupe")
SETTINGS = ("demo.parts=[songs]", "demo.messy=true", "filter.required_ids=[]", "filter.languages=[]")


def run_funnel(name: str, folder: Path, more: list[str], driver_memory: str) -> dict[str, Any]:
    """Run the three steps; the manifest, in which `truth` is what DuckDB reads the truth of the demo from."""
    warehouse = folder.resolve() / f"funnel-{name}"
    sets = [*SETTINGS, f"paths.warehouse={warehouse}", *more]
    command = [str(ROOT / "spark-submit.sh"), "all", "--until", "dedupe", "--run-id", "bench"]
    command += [part for setting in sets for part in ("--set", setting)]
    subprocess.run([*command, "--", "--driver-memory", driver_memory], cwd=folder, check=True)
    manifest: dict[str, Any] = json.loads((warehouse / "runs" / "bench" / "manifest.json").read_text())
    corpus = manifest["settings"]["paths"]["corpus"]
    truth = f"SELECT song_id, duplicate_group FROM '{corpus}/truth/songs/*.parquet'"
    return {**manifest, "warehouse": str(warehouse), "truth": truth}


def table(manifest: dict[str, Any], name: str) -> str:
    """A table of a run, as DuckDB reads it."""
    return f"'{manifest['warehouse']}/{manifest['tables'][name]}/*.parquet'"


def agreement(manifest: dict[str, Any], groups: str) -> tuple[float, float, float]:
    """Pairwise precision, recall and F1 of groups (a query of song_id, found) against the truth."""
    both = f"SELECT duplicate_group, found FROM ({groups}) JOIN ({manifest['truth']}) USING (song_id)"
    true, found, shared = (
        duckdb.sql(
            f"SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) n FROM ({both}) GROUP BY {by})"
        ).fetchall()[0][0]
        for by in ("duplicate_group", "found", "duplicate_group, found")
    )
    return shared / found if found else 1.0, shared / true, 2 * shared / (true + found)


def by_songmood(manifest: dict[str, Any]) -> str:
    """The groups that the run found."""
    return f"""
        SELECT song_id, coalesce(representative_id, song_id) AS found
        FROM {table(manifest, "filtered")} LEFT JOIN {table(manifest, "duplicates")} USING (song_id)"""


# -- peers --------------------------------------------------------------------------------------------


def parsed_records(manifest: dict[str, Any]) -> pd.DataFrame:
    """The records as dedupe's parser reads them: the same input for every tool."""
    from pyspark.sql import SparkSession

    from songmood.steps.dedupe.named import iterate_names

    builder = SparkSession.builder.master("local[*]").config("spark.driver.memory", "4g")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setCheckpointDir(f"{manifest['warehouse']}/checkpoints")
    songs = spark.read.parquet(table(manifest, "filtered").strip("'").removesuffix("/*.parquet"))
    named = iterate_names(songs, load_settings(ROOT / "conf" / "base.yaml").dedupe)
    columns = (
        "song_id",
        "artist",
        "key",
        "title",
        "version",
        "numbers",
        "bag",
        "album",
        "year",
        "duration_s",
    )
    records: pd.DataFrame = named.select(*columns).toPandas().sort_values("song_id", ignore_index=True)
    spark.stop()
    return records.replace("", None)


def exact(records: pd.DataFrame) -> pd.DataFrame:
    """The same artist and title, in DuckDB."""
    return duckdb.sql(
        """SELECT song_id, CASE WHEN artist IS NULL OR key IS NULL THEN song_id
           ELSE min(song_id) OVER (PARTITION BY artist, key, version, numbers) END AS found FROM records"""
    ).df()


def minhash(records: pd.DataFrame) -> pd.DataFrame:
    """MinHash-LSH on character trigrams of artist and title, Jaccard 0.5; connected components."""
    import networkx as nx
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.5, num_perm=64)
    sketches = {}
    texts = records["bag"].fillna("") + " " + records["version"].fillna("")
    for song, text in zip(records["song_id"], texts, strict=True):
        sketch = MinHash(num_perm=64, seed=1)
        sketch.update_batch([text[i : i + 3].encode() for i in range(max(1, len(text) - 2))])
        sketches[song] = sketch
        index.insert(song, sketch)
    graph = nx.Graph()
    graph.add_nodes_from(sketches)
    for song, sketch in sketches.items():
        graph.add_edges_from(
            (song, found) for found in index.query(sketch) if sketch.jaccard(sketches[found]) >= 0.5
        )
    return _components(graph)


def splink(records: pd.DataFrame) -> pd.DataFrame:
    """Splink 4 on DuckDB, as its documentation sets it up, at a match probability of 0.95."""
    import logging

    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="song_id",
        comparisons=[
            cl.JaroWinklerAtThresholds("key", [0.95, 0.88]),
            cl.JaroWinklerAtThresholds("artist", [0.95, 0.88]),
            cl.ExactMatch("album"),
            cl.CustomComparison(_length_levels(), "duration_s"),
        ],
        # different versions are never compared: with the version as a comparison F1 was 0.76, not 0.86
        blocking_rules_to_generate_predictions=[
            block_on("key", "version"),
            block_on("artist", "substr(key, 1, 4)", "version"),
            block_on("bag", "version"),
            block_on("substr(artist, 1, 5)", "substr(key, 1, 6)", "version"),
        ],
    )
    logging.getLogger("splink").setLevel(logging.WARNING)
    linker = Linker(records.fillna({"version": "none"}), settings, db_api=DuckDBAPI())
    linker.training.estimate_probability_two_random_records_match([block_on("artist", "key")], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("key", "version"))
    # the best of several second rules, by the truth; it leaves the title free to be weighed
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("artist", "duration_s"))
    pairs = linker.inference.predict(threshold_match_probability=0.95)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, 0.95)
    return clusters.as_pandas_dataframe()[["song_id", "cluster_id"]].rename(columns={"cluster_id": "found"})


def _length_levels() -> list[dict[str, Any]]:
    gap = "abs(duration_s_l - duration_s_r)"
    unknown = {"sql_condition": "duration_s_l IS NULL OR duration_s_r IS NULL", "is_null_level": True}
    conditions = (f"{gap} <= 2", f"{gap} <= 10", "ELSE")
    levels: list[dict[str, Any]] = [unknown, *({"sql_condition": condition} for condition in conditions)]
    return [{**level, "label_for_charts": str(level["sql_condition"])} for level in levels]


def _components(graph: Any) -> pd.DataFrame:
    import networkx as nx

    rows = [(song, min(part)) for part in nx.connected_components(graph) for song in part]
    return pd.DataFrame(rows, columns=["song_id", "found"])


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


PEERS = {"exact, DuckDB": exact, "Splink 4, 0.95": splink, "MinHash-LSH, Jaccard 0.5": minhash}


def compare_peers(manifest: dict[str, Any], peers: list[str]) -> None:
    """Print seconds and agreement with the truth of each peer, on the same parsed records."""
    seconds: dict[str, float] = {}
    with timed(seconds, "parse"):
        records = parsed_records(manifest)
    parse = seconds["parse"]
    print(f"\n{len(records):,} records; other tools get them parsed ({parse:.0f} s, not in their time)")
    print("\n| | seconds | precision | recall | F1 |\n| --- | ---: | ---: | ---: | ---: |")
    dedupe = next(step for step in manifest["steps"] if step["step"] == "dedupe")
    ours = agreement(manifest, by_songmood(manifest))
    print(
        f"| songmood (parsing included) | {dedupe['seconds']:.0f} |",
        " | ".join(f"{x:.4f}" for x in ours),
        "|",
    )
    for name in peers:
        with timed(seconds, name):
            groups = PEERS[name](records)
        duckdb.register("groups", groups)
        theirs = agreement(manifest, "SELECT song_id, found FROM groups")
        print(f"| {name} | {seconds[name]:.0f} |", " | ".join(f"{x:.4f}" for x in theirs), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[17_000, 170_000, 1_700_000])
    parser.add_argument(
        "--peers", type=int, nargs="*", help="sizes to run other tools at; default: all but the largest"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "bench" / "out")
    parser.add_argument("--driver-memory", default="4g")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--corpus", type=Path, help="a corpus of your own; needs --truth")
    parser.add_argument("--truth", type=Path, help="a CSV file of song_id and group_id")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.corpus:
        corpus = [f"paths.corpus={arguments.corpus.resolve()}", *arguments.set]
        run = run_funnel(arguments.corpus.name, arguments.folder, corpus, arguments.driver_memory)
        rows = f"read_csv('{arguments.truth}', all_varchar=true)"
        truth = f"SELECT song_id, group_id AS duplicate_group FROM {rows}"
        compare_peers({**run, "truth": truth}, list(PEERS))
        return
    sizes = sorted(arguments.sizes)
    runs = [
        run_funnel(str(n), arguments.folder, [f"demo.songs={n}", *arguments.set], arguments.driver_memory)
        for n in sizes
    ]

    print(
        "\n| songs | rows | "
        + " | ".join(f"{step} s" for step in FUNNEL)
        + " | rows/s | peak MB | pairs weighed | P | R | F1 |"
    )
    print("| ---: " * (len(FUNNEL) + 8) + "|")
    seconds: dict[str, list[float]] = {step: [] for step in FUNNEL}
    for songs, run in zip(sizes, runs, strict=True):
        steps = {record["step"]: record for record in run["steps"]}
        for step in FUNNEL:
            seconds[step].append(steps[step]["seconds"])
        rows = steps["ingest"]["tables"]["songs"]["rows"]
        spent = [values[-1] for values in seconds.values()]
        weighed = steps["dedupe"]["tables"]["duplicate_pairs"]["rows"]
        peak = max(steps[step]["peak_memory_mb"] for step in FUNNEL)
        quality = " | ".join(f"{x:.4f}" for x in agreement(run, by_songmood(run)))
        cells = [
            f"{songs:,}",
            f"{rows:,}",
            *(f"{s:.0f}" for s in spent),
            f"{rows / sum(spent):,.0f}",
            f"{peak:,}",
        ]
        print("|", " | ".join([*cells, f"{weighed:,}", quality]), "|")
    if len(sizes) > 1:
        exponents = {step: growth(sizes[-2:], values[-2:]) for step, values in seconds.items()}
        whole = growth(sizes[-2:], [sum(values) for values in zip(*seconds.values(), strict=True)][-2:])
        print(f"\ngrowth from {sizes[-2]:,} to {sizes[-1]:,} songs:", end=" ")
        print(", ".join(f"{step} {b:.2f}" for step, b in exponents.items()), f"all {whole:.2f}", sep=", ")
    for size in sizes[:-1] if arguments.peers is None else arguments.peers:
        names = [name for name in PEERS if name != "MinHash-LSH, Jaccard 0.5" or size == sizes[0]]
        compare_peers(runs[sizes.index(size)], names)


if __name__ == "__main__":
    main()
