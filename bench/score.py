"""Encoding lyrics: songmood's engines, alone and in Spark, beside sentence-transformers and transformers.

usage: make bench-score    (or: python bench/score.py --lyrics TABLE --songs 400 --sizes 1000 10000)

TABLE is a folder of Parquet with a column `lyrics`, for example a run's table of that name; without it,
lyrics of the demo are made. All contenders read the same distinct lyrics on all cores, one after another,
`rounds` times; a row has the median of the rounds, after warming up. Peers read the first 256 tokens of a
lyric, as the model's page shows. `window` reads the same 256 tokens. `line` reads the whole lyric, line by
line, as conf/base.yaml has it. The cosines are the mean and the least to torch in full precision. Spark's
rows and the growth include the start of its Python workers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songmood.encoder.files import resolve_encoder
from songmood.engine.memory import peak_memory
from songmood.settings import EncoderSettings, load_settings

ROOT = Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1
WORKS = 1_700_000  # songs of the WASABI corpus
PART = 300  # texts that a process takes at once, as a task does; fewer if there are few
Texts = Sequence[str]
Result = tuple[Any, int]  # the embeddings, and the number of word pieces encoded


def encoder_settings(reads: str, engine: str) -> EncoderSettings:
    """The settings of a run, or the peers' 256 tokens."""
    settings = load_settings(ROOT / "conf" / "base.yaml").encoder.model_copy(update={"engine": engine})
    if reads == "window":
        settings = settings.model_copy(update={"read_by": "window", "max_tokens": 256, "max_windows": 1})
    return settings


# -- contenders --------------------------------------------------------------------------------------------


def sentence_transformers() -> Callable[[Texts], Result]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(resolve_encoder("embedded")), device="cpu")
    model.max_seq_length = 256

    def read(texts: Texts) -> Result:
        ids = model.tokenizer(list(texts), truncation=True, max_length=256)["input_ids"]
        return model.encode(list(texts), normalize_embeddings=True), sum(map(len, ids))

    return read


def transformers() -> Callable[[Texts], Result]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(resolve_encoder("embedded"))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def read(texts: Texts) -> Result:
        vectors, pieces = [], 0
        for start in range(0, len(texts), 32):
            some = list(texts[start : start + 32])
            batch = tokenizer(some, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                states = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled = (states * mask).sum(1) / mask.sum(1)
            vectors.append(torch.nn.functional.normalize(pooled, dim=1).numpy())
            pieces += int(mask.sum())
        return np.concatenate(vectors), pieces

    return read


_encoder: Any = None  # in a process of a bare loop


def _start(settings: EncoderSettings, texts: Texts) -> None:
    global _encoder
    import torch

    from songmood.encoder.encoder import load_encoder
    from songmood.encoder.engines import choose_engine

    torch.set_num_threads(1)
    _encoder = load_encoder(resolve_encoder(settings.model), settings)
    choose_engine(_encoder, texts)


def _read(texts: Texts) -> Result:
    reading = _encoder.read(texts)
    return reading.embeddings, reading.word_pieces


def bare_loop(reads: str, engine: str, texts: Texts) -> Callable[[Texts], Result]:
    """A process of one thread for each core, each with an encoder."""
    settings = encoder_settings(reads, engine)
    pool = multiprocessing.get_context("spawn").Pool(CORES, _start, (settings, list(texts[:PART])))

    def read(texts: Texts) -> Result:
        size = min(PART, len(texts) // (4 * CORES) + 1)
        parts = [texts[i : i + size] for i in range(0, len(texts), size)]
        done = pool.map(_read, parts, chunksize=1)
        return np.concatenate([vectors for vectors, _ in done]), sum(pieces for _, pieces in done)

    return read


def in_spark(reads: str, engine: str) -> Callable[[Texts], Result]:
    """The step `embed` on local[*], with nothing kept: Spark has started, its Python workers have not."""
    from pyspark.sql import SparkSession

    from songmood.encoder.kept import fetch_embeddings
    from songmood.engine.spark import ship

    builder = SparkSession.builder.master("local[*]").config("spark.driver.memory", "2g")
    options = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    options |= {"spark.sql.shuffle.partitions": "8", "spark.sql.execution.arrow.pyspark.enabled": "true"}
    for name, value in {**options, "spark.python.worker.reuse": "true"}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    shipped = ship(spark, resolve_encoder("embedded"))
    spark.range(1).count()

    def read(texts: Texts) -> Result:
        rows = [(f"{number:09}", text) for number, text in enumerate(texts)]
        table = pd.DataFrame(rows, columns=["song_id", "lyrics"])
        with tempfile.TemporaryDirectory() as kept:
            lyrics = spark.createDataFrame(table).cache()
            settings = encoder_settings(reads, engine)
            found, notes = fetch_embeddings(lyrics, shipped, settings, f"file://{kept}/embeddings")
            embeddings = found.select("song_id", "embedding").toPandas().sort_values("song_id")["embedding"]
        return np.stack(list(embeddings)), int(notes.figures["word_pieces"])

    return read


def start(name: str, texts: Texts) -> Callable[[Texts], Result]:
    """A contender that has loaded what it needs."""
    if name == "sentence-transformers":
        return sentence_transformers()
    if name == "transformers":
        return transformers()
    reads, _, engine = name.partition(" ")
    return in_spark(reads, "auto") if engine == "Spark" else bare_loop(reads, engine, texts)


# -- measuring ---------------------------------------------------------------------------------------------


def contend(name: str, texts_file: Path, vectors_file: Path) -> None:
    """In a process of its own: read the texts, and say how that went."""
    texts = pd.read_parquet(texts_file)["lyrics"].tolist()
    run = start(name, texts)
    if not name.endswith("Spark"):  # the start of its Python workers counts
        run(texts[:16])
    with peak_memory() as peak:
        began = time.perf_counter()
        vectors, pieces = run(texts)
        seconds = time.perf_counter() - began
        memory_mb = peak()
    np.save(vectors_file, vectors)
    print(json.dumps({"seconds": seconds, "word_pieces": pieces, "memory_mb": memory_mb}))


def read_apart(name: str, texts_file: Path, vectors_file: Path) -> dict[str, float]:
    """What a contender says of its reading in a process of its own."""
    command = [sys.executable, __file__, "--contend", name, str(texts_file), str(vectors_file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(names: Sequence[str], texts: Texts, rounds: int, folder: Path) -> pd.DataFrame:
    """A row for each contender; the rounds are interleaved."""
    texts_file = folder / "texts.parquet"
    pd.DataFrame({"lyrics": list(texts)}).to_parquet(texts_file)
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:  # one at a time in memory, too
            measured[name].append(read_apart(name, texts_file, folder / f"{name}.npy"))
    rows = []
    for name, rounds_of in measured.items():
        seconds = statistics.median(one["seconds"] for one in rounds_of)
        pieces = rounds_of[0]["word_pieces"]
        row: dict[str, Any] = {
            "contender": name,
            "songs/s": len(texts) / seconds,
            "word pieces/s": pieces / seconds,
            "peak MB": max(one["memory_mb"] for one in rounds_of),
        }
        expected = folder / ("line torch.npy" if name.startswith("line") else "window torch.npy")
        if expected.exists():
            cosines = (np.load(folder / f"{name}.npy") * np.load(expected)).sum(axis=1)
            row |= {"cosine": cosines.mean(), "least": cosines.min()}
        rows.append(row)
    table = pd.DataFrame(rows).set_index("contender")
    table.insert(1, "x peer", table["songs/s"] / table["songs/s"].iloc[0])
    return table


def engines() -> list[str]:
    """Those that auto tries on this machine."""
    from songmood.encoder.engines import _computes_bf16

    return ["torch", "onnx", *(["torch_bf16"] if _computes_bf16() else [])]


def demo_lyrics(songs: int, folder: Path) -> Path:
    """A demo corpus with at least this number of lyrics."""
    sets = [f"demo.songs={max(1_000, 2 * songs)}", "demo.layout=parquet", f"paths.corpus={folder}/demo"]
    options = [part for setting in sets for part in ("--set", setting)]
    warehouse = ["--set", f"paths.warehouse={folder}/warehouse"]
    subprocess.run([str(ROOT / "spark-submit.sh"), "demo", *options, *warehouse], cwd=folder, check=True)
    return folder / "demo" / "lyrics"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lyrics", type=Path)
    parser.add_argument("--songs", type=int, default=400, help="lyrics that all contenders read, or 0")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000], help="lyrics for the growth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--price", type=float, default=0.05, help="of an hour of a core, in dollars")
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contend:
        name, *files = options.contend
        return contend(name, *map(Path, files))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        source = options.lyrics or demo_lyrics(max([options.songs, *options.sizes]), folder)
        texts = pd.read_parquet(source, columns=["lyrics"])["lyrics"].dropna().drop_duplicates().tolist()
        names = ["sentence-transformers", "transformers"]
        names += [f"{reads} {engine}" for reads in ("window", "line") for engine in [*engines(), "Spark"]]
        few = texts[: options.songs]
        print(
            f"{len(few):,} lyrics of {options.lyrics or 'the demo'}, {CORES} cores, {options.rounds} rounds"
        )
        if few:
            print(compare(names, few, options.rounds, folder).round(4).to_string(), "\n", flush=True)
        sizes = []
        for size in options.sizes:
            if size > len(texts):
                print(f"no growth over {size:,} songs: there are only {len(texts):,} distinct lyrics")
                continue
            auto, spark = compare(["line auto", "line Spark"], texts[:size], 1, folder)["songs/s"]
            sizes.append({"songs": size, "bare loop": auto, "Spark": spark, "kept": spark / auto})
            print(pd.DataFrame(sizes).round(3).to_string(index=False), flush=True)
        if sizes:
            hours = WORKS / sizes[-1]["Spark"] / 3600
            print(
                f"\n{WORKS:,} songs like these: {hours:.1f} hours on {CORES} cores, {hours * CORES / 32:.1f} "
                f"on 32 cores (if they keep the pace of these), {hours * CORES * options.price:,.0f} dollars "
                f"at {options.price} for an hour of a core"
            )


if __name__ == "__main__":
    main()
