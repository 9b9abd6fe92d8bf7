"""The index and the recommendations of all songs, at three sizes, compared with bm25s.

usage: make bench-retrieval     (or: python bench/retrieval.py --sizes 5000 50000 500000)

The lyrics are the demo's. Embeddings, hidden layers and audio features are drawn at random around those of
the song's theme and mood, so that no encoder's time counts. Spark has started before the clock does. bm25s
gets the same words, on all cores, and finds as many songs for `--seeds` of the songs: its seconds are scaled.
Recall is the share of the best songs of an exhaustive search, by the same score, that the search finds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from songmood.audio import AUDIO_FEATURES, RANGES
from songmood.demo.draws import Draws
from songmood.demo.evidence import Strengths
from songmood.demo.lyrics import draw_themes, write_lyrics
from songmood.engine.memory import peak_memory
from songmood.engine.spark import ship
from songmood.settings import Settings, load_settings
from songmood.steps.index.weights import index_by_song, place_postings, weigh_terms
from songmood.steps.recommend.find import fetch_recall, find_recommendations
from songmood.steps.recommend.parts import Scale
from songmood.steps.recommend.songs import song_parts
from songmood.steps.recommend.store import Blend, fetch_store
from songmood.steps.recommend.works import find_works
from steps import ROOT, growth

CORES = os.cpu_count() or 1
AT_ONCE = 20_000  # songs that are made at once


def make_songs(folder: Path, count: int, settings: Settings) -> None:
    """Write the tables that recommend reads, for `count` songs."""
    draws, random = Draws(settings.seed), np.random.default_rng(settings.seed)
    centers = {"embedding": random.normal(size=(64, 384)), "hidden": random.normal(size=(2, 64))}
    for start in range(0, count, AT_ONCE):
        numbers = np.arange(start, min(start + AT_ONCE, count))
        theme, mood = (
            np.asarray(draw_themes(draws, numbers)).astype(int),
            random.integers(2, size=len(numbers)),
        )
        texts = write_lyrics(draws, numbers, settings.demo, Strengths(lyrics=1.0, audio=1.0))
        noise = {name: random.normal(size=(len(numbers), rows.shape[1])) for name, rows in centers.items()}
        vectors = {
            "embedding": centers["embedding"][theme] + 1.5 * noise["embedding"],
            "hidden": centers["hidden"][mood] + noise["hidden"],
        }
        tokens = [[w for w in re.findall(r"[a-z]+", text.lower()) if len(w) > 2] for text in texts]
        ids = [f"s{number:08}" for number in numbers]
        names = np.array(["happy", "sad"])[mood]
        audio = {
            f: np.rint(v) if f in ("key", "mode", "time_signature") else v for f, v in _audio(random, numbers)
        }
        for name, columns in {
            "tokens": {"tokens": tokens},
            "embeddings": {"embedding": list(vectors["embedding"].astype("f4"))},
            "moods": {
                "mood": names,
                "probabilities": [[(m, 0.8)] for m in names],
                "hidden": list(vectors["hidden"].astype("f4")),
            },
            "audio_features": audio,
            "clusters": {"cluster": theme},
            "deduped": {
                "artist": [f"artist {number // 8}" for number in numbers],
                "title": [f"title {number}" for number in numbers],
                "album": [f"album {number // 4}" for number in numbers],
                "year": 1960 + numbers % 60,
                "popularity": random.integers(1_000_000, size=len(numbers)),
            },
        }.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            kinds = {"probabilities": pa.map_(pa.string(), pa.float32())}
            arrays = {c: pa.array(v, kinds.get(c)) for c, v in {"song_id": ids, **columns}.items()}
            pq.write_table(pa.table(arrays), folder / name / f"{start:09}.parquet")


def _audio(random: np.random.Generator, numbers: Any) -> list[tuple[str, Any]]:
    return [(name, random.uniform(*RANGES[name], len(numbers))) for name in AUDIO_FEATURES]


def run(spark: SparkSession, folder: Path, count: int, settings: Settings) -> dict[str, Any]:
    """The seconds of index and recommendations, peak memory, and recall."""
    tables: dict[str, DataFrame] = {
        path.name: spark.read.parquet(str(path)) for path in folder.iterdir() if path.is_dir()
    }
    result: dict[str, Any] = {"songs": count}
    with peak_memory() as peak:
        started = time.perf_counter()
        weights = weigh_terms(tables["tokens"], settings.index).cache()
        place_postings(weights, settings.index).write.parquet(str(folder / "out" / "postings"))
        index_by_song(weights).write.parquet(str(folder / "out" / "song_terms"))
        result["index_s"] = time.perf_counter() - started

        started = time.perf_counter()
        song_terms = spark.read.parquet(str(folder / "out" / "song_terms"))
        song_terms = song_terms.selectExpr("*", "transform(terms, (t, i) -> i < 10) AS keyword")
        works = find_works(tables["deduped"], tables["tokens"], 10)
        songs = song_parts(
            *(tables["deduped"], song_terms, tables["embeddings"], tables["moods"]),
            *(tables["audio_features"], tables["clusters"], works, ()),
        ).cache()
        terms = spark.read.parquet(str(folder / "out" / "postings")).select("term").distinct().toPandas()
        weights.unpersist()
        vocabulary = pd.Index(terms["term"].sort_values(), name="term")
        sample = songs.orderBy("song_id").limit(settings.recommend.sample_songs).toPandas()
        scale = Scale.fit(sample, vocabulary, False, settings.seed)
        blend = Blend({str(part): w for part, w in settings.recommend.weights.items()}, scale)
        store = folder / "store"
        fetch_store(songs, count, sample, vocabulary, {}, blend, settings.recommend, settings.seed, store)
        result["store_s"] = time.perf_counter() - started

        started = time.perf_counter()
        shipped = store.rename(folder / f"store-{count}")
        name = ship(spark, shipped)
        find_recommendations(spark, shipped, name, settings.recommend).write.parquet(
            str(folder / "out" / "found")
        )
        result["search_s"] = time.perf_counter() - started
        result["memory_mb"] = peak()
    songs.unpersist()
    for metric in fetch_recall(spark, shipped, name, settings.recommend, settings.seed):
        result["recall"] = metric.value
    result["lists"] = spark.read.parquet(str(folder / "out" / "found")).count()
    return result


def peer(folder: Path, count: int, seeds: int, best: int) -> dict[str, Any]:
    """The seconds that bm25s takes for the same songs."""
    import bm25s

    tokens = [list(row) for row in pd.read_parquet(folder / "tokens")["tokens"]]
    started = time.perf_counter()
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    built = time.perf_counter() - started
    queries = tokens[:: max(1, count // seeds)]
    started = time.perf_counter()
    index.retrieve(queries, k=best, show_progress=False, n_threads=CORES)
    took = time.perf_counter() - started
    return {
        "bm25s_index_s": built,
        "bm25s_search_s": took * count / len(queries),
        "bm25s_seeds": len(queries),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 50_000, 500_000])
    parser.add_argument("--seeds", type=int, default=500, help="songs that bm25s finds others for")
    parser.add_argument("--best", type=int, default=20, help="songs in a list")
    parser.add_argument("--folder", type=Path, help="where the songs are made; else a temporary folder")
    parser.add_argument("--set", action="append", default=[], help="a setting, as recommend.near_songs=5000")
    options = parser.parse_args()
    sets = [f"recommend.top_n={options.best}", *options.set]
    settings = load_settings(ROOT / "conf" / "base.yaml", single=sets)
    spark = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(8 * CORES))
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    base = options.folder or Path(tempfile.mkdtemp(prefix="bench-retrieval-"))
    rows = []
    for count in options.sizes:
        folder = base / str(count)
        make_songs(folder, count, settings)
        row = {**run(spark, folder, count, settings), **peer(folder, count, options.seeds, options.best)}
        ours = row["index_s"] + row["store_s"] + row["search_s"]
        row["all_s"], row["times_bm25s"] = ours, (row["bm25s_index_s"] + row["bm25s_search_s"]) / ours
        rows.append(row)
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
        shutil.rmtree(folder)
    if len(rows) > 1:
        sizes, seconds = [row["songs"] for row in rows], [row["all_s"] for row in rows]
        print(f"growth of the seconds: songs ^ {growth(sizes, seconds):.2f}")


if __name__ == "__main__":
    main()
