"""Embeddings that are kept by text, so that no text is encoded twice, in one run or in many.

    KEPT/<SHA-256 of the file>.parquet    the embeddings of up to a few hundred texts

A task encodes a part of the texts and then writes it as one file. A file has its name once it is complete, so
whatever ends a run costs no more than the parts that its tasks were at.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs
from pyspark import Accumulator, SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.encoder.udf import is_text, spread
from songmood.engine.errors import UserError
from songmood.engine.fingerprint import code_fingerprint
from songmood.engine.spark import progress
from songmood.engine.step import Notes
from songmood.engine.store import open_filesystem, write_file
from songmood.settings import BY_VALUE, ENGINES, FULL_PRECISION, EncoderSettings

_PART = 300  # texts: about twenty seconds of a core
_FILE = pa.schema(
    [
        ("text_hash", pa.string()),
        ("embedding", pa.list_(pa.float32())),
        ("problem", pa.string()),
        ("precision", pa.string()),  # of the engine's numbers
        ("agreement", pa.float32()),  # see Engine
    ]
)
_ROWS = "text_hash string, embedding array<float>, problem string, precision string, agreement float"
# start: the encoder is loaded, and an engine is chosen
_SECONDS = ["read", "start", "tokenize", "encode", "write"]
_DONE = ["file string", "failed long", "word_pieces long", "engine string", "speeds map<string, double>"]
_DONE += ["refused array<string>", *(f"{name} double" for name in _SECONDS)]


def embeddings_key(model_id: str, settings: EncoderSettings) -> str:
    """The name of the folder of embeddings by one encoder, in one way of reading, by the same code.

    Versions of packages are not a part of it: their embeddings of a text agree to the fifth digit.
    """
    code = code_fingerprint("songmood.encoder.encoder", BY_VALUE, with_versions=False)
    text = json.dumps([model_id, settings.reading(), code], sort_keys=True, default=str)
    return f"embeddings-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def fetch_embeddings(
    lyrics: DataFrame, folder_name: str, settings: EncoderSettings, kept: str
) -> tuple[DataFrame, Notes]:
    """The embedding of each song's lyrics, and what to report of the work.

    Takes the table `lyrics` and returns song_id, text_hash, embedding, problem and model_suffix. Songs with
    blank lyrics have no row, nor have those whose vector is not of numbers. A text is encoded once, and not
    at all if its embedding is in the folder `kept`, a URI, in a precision that the settings allow. The column
    model_suffix is '' for full precision, and the name of the precision for a lower one. The encoder's folder
    was shipped to executors under `folder_name`. The seventh digit of an embedding may depend on the texts
    that share its batch. Raises UserError if executors write to a folder of their own.
    """
    filled = lyrics.where(is_text(F.col("lyrics")))
    hashed = filled.select("song_id", F.sha2("lyrics", 256).alias("text_hash"), "lyrics")
    texts = hashed.select("text_hash", "lyrics").dropDuplicates(["text_hash"])
    damaged = _delete_damaged(lyrics.sparkSession, kept)
    missing = texts.join(_read(lyrics, kept, settings), "text_hash", "left_anti")
    started = time.perf_counter()
    count = missing.count()
    work = pd.DataFrame(columns=[column.partition(" ")[0] for column in _DONE])
    if count:
        parts = spread(missing, "text_hash", least_parts=math.ceil(count / _PART))
        cores = lyrics.sparkSession.sparkContext.defaultParallelism
        is_few = settings.engine == "auto" and count < cores * _PART  # a trial of engines would not pay
        runs = settings.model_copy(update={"engine": "torch"}) if is_few else settings
        with progress(lyrics.sparkSession, "encoded", count, " texts") as done:
            encode = partial(_encode, folder_name, runs, kept, done)
            rows = parts.mapInPandas(encode, ", ".join(_DONE)).collect()
        work = pd.DataFrame([row.asDict() for row in rows])
        if not set(work["file"]) <= {path.rpartition("/")[2] for path in _parts(kept)}:
            raise UserError(
                f"embeddings that executors wrote are not in {kept}: "
                "set paths.warehouse to a folder that all machines share"
            )
    notes = _report(count, damaged, work, time.perf_counter() - started)
    suffix = F.when(F.col("precision") == FULL_PRECISION, "").otherwise(F.concat(F.lit("-"), "precision"))
    found = _read(lyrics, kept, settings).withColumn("model_suffix", suffix).drop("precision", "agreement")
    return hashed.select("song_id", "text_hash").join(found, "text_hash"), notes


def _report(count: int, damaged: int, work: pd.DataFrame, seconds: float) -> Notes:
    warnings = [f"{reason}, so it is not used" for reason in sorted({*chain(*work["refused"])})]
    if damaged:
        warnings.append(f"damaged files of embeddings, whose texts are encoded again: {damaged:,}")
    if failed := work["failed"].sum():
        warnings.append(
            f"texts without an embedding, because the encoder's vector for them is not of numbers: {failed:,}"
        )
    figures: dict[str, Any] = {"encoded_texts": count}
    if count:
        by_engine = work.groupby("engine")[["word_pieces", "encode"]].sum()
        tried = pd.DataFrame([speeds for speeds in work["speeds"] if speeds])
        figures |= {
            "word_pieces": int(work["word_pieces"].sum()),
            "texts_per_second": round(count / seconds, 2),
            "core_seconds": {name: round(work[name].sum(), 1) for name in _SECONDS},
            # word pieces that a core encodes in a second: in the work, and when the engines were tried
            "speeds": (by_engine["word_pieces"] / by_engine["encode"]).round().astype(int).to_dict(),
            "tried": tried.mean().round().astype(int).to_dict(),
        }
    return Notes(tuple(warnings), figures)


def _encode(
    folder_name: str,
    settings: EncoderSettings,
    kept: str,
    done: Accumulator[int],
    batches: Iterable[pd.DataFrame],
) -> Iterator[pd.DataFrame]:
    """Encode a task's texts, and write their embeddings as one file."""
    from songmood.encoder.encoder import device
    from songmood.encoder.engines import choose_engine

    began = time.perf_counter()
    table = pd.concat([*batches, pd.DataFrame(columns=["text_hash", "lyrics"])])
    if not len(table):
        return
    started = time.perf_counter()
    texts = [str(text) for text in table["lyrics"]]
    encoder = _encoder(SparkFiles.get(folder_name), settings, device())
    engine = encoder.engine or choose_engine(encoder, texts)
    chosen = time.perf_counter()
    read = encoder.read(texts)
    encoded = time.perf_counter()
    agreement = [engine.agreement] * len(texts)
    columns = [
        pa.array(table["text_hash"]),
        list(read.embeddings),
        read.problems,
        read.precisions,
        agreement,
    ]
    is_good = np.isfinite(read.embeddings).all(axis=1)
    file = _write(kept, pa.table(dict(zip(_FILE.names, columns, strict=True)), schema=_FILE).filter(is_good))
    done.add(len(texts))
    seconds = [
        started - began,
        chosen - started,
        read.tokenizing_s,
        read.encoding_s,
        time.perf_counter() - encoded,
    ]
    work = [
        file,
        (~is_good).sum(),
        read.word_pieces,
        engine.name,
        dict(engine.speeds),
        list(engine.refused),
        *seconds,
    ]
    yield pd.DataFrame([work], columns=[column.partition(" ")[0] for column in _DONE])


@lru_cache(maxsize=2)  # worker processes are reused, but each task calls mapInPandas anew
def _encoder(folder: str, settings: EncoderSettings, device: str) -> Any:
    """The encoder on a device: a task of a reused worker may be given another GPU."""
    from songmood.encoder.encoder import load_encoder, one_thread_in_workers

    one_thread_in_workers()
    return load_encoder(Path(folder), settings)


# -- files ---------------------------------------------------------------------------------------------------


def _write(kept: str, table: pa.Table) -> str:
    """Write a table as a file that is complete once it has its name; returns the name."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue()
    name = f"{hashlib.sha256(content).hexdigest()}.parquet"
    filesystem, folder = open_filesystem(kept)
    write_file(filesystem, f"{folder}/{name}", content)
    return name


def _read(beside: DataFrame, kept: str, settings: EncoderSettings) -> DataFrame:
    """The embeddings in a folder that do for the settings."""
    spark = beside.sparkSession
    if not _parts(kept):
        return spark.createDataFrame([], _ROWS)
    wanted = set(ENGINES.values()) if settings.engine == "auto" else {ENGINES[settings.engine]}
    agrees = (F.col("precision") == FULL_PRECISION) | (F.col("agreement") >= settings.min_agreement)
    good = spark.read.schema(_ROWS).parquet(kept).where(F.col("precision").isin(sorted(wanted)) & agrees)
    return good.dropDuplicates(["text_hash"])  # two runs at a time may both have encoded a text


def _parts(kept: str) -> list[str]:
    filesystem, folder = open_filesystem(kept)
    found = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return sorted(info.path for info in found if info.base_name.endswith(".parquet"))


def _delete_damaged(spark: SparkSession, kept: str) -> int:
    """Delete the files whose content is not what their name says, and say how many there were."""
    parts = _parts(kept)
    if not parts:
        return 0
    context = spark.sparkContext
    paths = context.parallelize(parts, min(len(parts), 4 * context.defaultParallelism))
    damaged = paths.filter(partial(_is_damaged, kept)).collect()
    filesystem, _ = open_filesystem(kept)
    for path in damaged:
        filesystem.delete_file(path)
    return len(damaged)


def _is_damaged(kept: str, path: str) -> bool:
    filesystem, _ = open_filesystem(kept)
    try:
        with filesystem.open_input_file(path) as file:
            return hashlib.sha256(file.read()).hexdigest() not in path
    except OSError:  # a bad sector
        return True
