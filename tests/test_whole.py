"""Whole runs through spark-submit.sh, in processes of their own and from another working folder."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pyspark
import pytest

from conftest import ROOT
from runs import Ended, clean_environment, command, keep_steps, manifest_of, run_here, submit
from songmood.pipeline import PIPELINE
from songmood.tables import TABLES

pytestmark = pytest.mark.slow

# Small enough for a minute or two, large enough that every step has something to do.
SMALL = ("demo.songs=400", "topics.candidates=[5]", "cluster.k_candidates=[4, 8]", "train.epochs=1")


def read(warehouse: Path, tables: dict[str, str], name: str) -> pd.DataFrame:
    """A table in the order of its key."""
    frame = pq.read_table(warehouse / tables[name]).to_pandas()
    return frame.sort_values(list(TABLES[name].key), ignore_index=True)


# Seconds differ from run to run, whatever the seed.
TIMED = {"model_metrics": ["train_seconds"]}


def same_tables(first: tuple[Path, dict[str, str]], second: tuple[Path, dict[str, str]]) -> None:
    """All tables of two warehouses hold the same rows, floating point closely."""
    assert set(first[1]) == set(second[1])
    for name in first[1]:
        a, b = (read(*place, name).drop(columns=TIMED.get(name, [])) for place in (first, second))
        assert len(a) == len(b), name
        for column in a.columns:
            for x, y in zip(a[column], b[column], strict=True):
                assert _same(x, y), (name, column)


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, dict):
        return set(x) == set(y) and all(_same(x[key], y[key]) for key in x)
    if hasattr(x, "__len__") and not isinstance(x, str):
        return len(x) == len(y) and all(_same(p, q) for p, q in zip(x, y, strict=True))
    if pd.isna(x) or pd.isna(y):
        return bool(pd.isna(x) and pd.isna(y))
    return bool(x == y) or (isinstance(x, float) and math.isclose(x, y, abs_tol=1e-3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole runs")


@pytest.fixture(scope="module")
def demo(folder: Path) -> tuple[Path, Ended]:
    """The demo, small, all the way; its warehouse and what the terminal showed."""
    return folder / "demo" / "warehouse", submit(folder, settings=SMALL, compiled=True)


@pytest.fixture(scope="module")
def corpus(folder: Path, demo: tuple[Path, Ended]) -> Path:
    return next((folder / "demo").glob("corpus-*"))


def test_the_demo_ends_with_all_tables_and_the_report(demo: tuple[Path, Ended]) -> None:
    warehouse, ended = demo
    assert ended.code == 0, ended.err
    current = json.loads((warehouse / "current.json").read_text())
    assert set(current["tables"]) == set(TABLES)
    for name, path in current["tables"].items():
        assert pq.read_schema(next((warehouse / path).glob("*.parquet"))).names == TABLES[name].column_names
    filled = {name for name in TABLES if len(read(warehouse, current["tables"], name))}
    assert set(TABLES) - filled <= {"rejects"}
    assert (warehouse / "runs" / current["run_id"] / "report.html").stat().st_size > 100_000
    done = [record["step"] for record in manifest_of(warehouse, current["run_id"])["steps"]]
    listed = [step.name for step in PIPELINE.steps]
    assert done == [name for name in listed if name not in ("fetch", "reproduce", "prune")]


def test_the_last_block_says_where_things_are(demo: tuple[Path, Ended]) -> None:
    _, ended = demo
    report = re.search(r"^  report +(.+)$", ended.out, re.M)
    assert report is not None
    assert Path(report.group(1)).is_file()
    query = re.search(r'duckdb -c "(.*)"', ended.out)
    assert query is not None
    assert len(duckdb.sql(query.group(1)).fetchall()) == 10
    assert "Traceback" not in ended.out + ended.err


def test_tables_hold_together(demo: tuple[Path, Ended]) -> None:
    warehouse, _ = demo
    tables = json.loads((warehouse / "current.json").read_text())["tables"]
    songs = {name: set(read(warehouse, tables, name)["song_id"]) for name in ("songs", "filtered", "deduped")}
    dropped = read(warehouse, tables, "dropped")
    duplicates = read(warehouse, tables, "duplicates")
    assert songs["filtered"] | set(dropped.query("step == 'filter'")["song_id"]) == songs["songs"]
    assert songs["deduped"] | set(duplicates["song_id"]) == songs["filtered"]
    assert set(duplicates["representative_id"]) <= songs["deduped"]
    labelled = set(read(warehouse, tables, "labelled")["song_id"])
    assert labelled | set(dropped.query("step == 'label'")["song_id"]) == songs["deduped"]
    with_lyrics = set(read(warehouse, tables, "lyrics")["song_id"])
    for name in ("tokens", "topics", "embeddings"):
        assert set(read(warehouse, tables, name)["song_id"]) == with_lyrics
    with_audio = set(read(warehouse, tables, "audio_features")["song_id"])
    assert set(read(warehouse, tables, "moods")["song_id"]) == with_lyrics | with_audio
    assert set(read(warehouse, tables, "clusters")["song_id"]) == with_lyrics | with_audio


def test_no_lyrics_leave_their_table(demo: tuple[Path, Ended]) -> None:
    warehouse, ended = demo
    current = json.loads((warehouse / "current.json").read_text())
    page = (warehouse / "runs" / current["run_id"] / "report.html").read_text()
    manifest = (warehouse / "runs" / current["run_id"] / "manifest.json").read_text()
    lyrics = read(warehouse, current["tables"], "lyrics")["lyrics"]
    lines = {line for text in lyrics for line in text.splitlines() if len(line.split()) >= 4}
    assert lines
    assert not [line for line in lines if line in page or line in manifest or line in ended.out + ended.err]


def test_the_same_command_again_reuses_all(demo: tuple[Path, Ended], folder: Path) -> None:
    warehouse, _ = demo
    before = json.loads((warehouse / "current.json").read_text())
    ended = submit(folder, "all", "--run-id", "again", settings=SMALL)
    assert ended.code == 0, ended.err
    after = json.loads((warehouse / "current.json").read_text())
    assert after == {"run_id": "again", "tables": before["tables"]}
    assert all(s["reused"] for s in manifest_of(warehouse, "again")["steps"] if s["tables"])


PRESETS = {"four-moods": {"angry", "happy", "relaxed", "sad"}, "paper": {"happy", "sad"}}


@pytest.fixture(scope="module")
def presets(demo: tuple[Path, Ended], folder: Path) -> Path:
    """A copy of the demo's warehouse, where the steps that a preset does not change are reused."""
    return Path(shutil.copytree(demo[0], folder / "presets"))


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_publishes_on_the_demo(preset: str, presets: Path, corpus: Path, folder: Path) -> None:
    quick = ("train.bootstrap_samples=50", "train.head_epochs=10", "train.refit=false")
    settings = (*SMALL, *quick, f"paths.corpus={corpus}", f"paths.warehouse={presets}")
    conf = f"{ROOT}/conf/{preset}.yaml"
    ended = submit(folder, "all", "--run-id", preset, "--conf", conf, settings=settings)
    assert ended.code == 0, ended.err
    current = json.loads((presets / "current.json").read_text())
    assert current["run_id"] == preset
    names = ("labelled", "moods", "recommendations")
    rows = {name: read(presets, current["tables"], name) for name in names}
    assert set(rows["labelled"]["mood"]) == PRESETS[preset]
    learned = {mood for shares in rows["moods"]["probabilities"] for mood in dict(shares)}
    (train,) = (step for step in manifest_of(presets, preset)["steps"] if step["step"] == "train")
    left_out = set(re.findall(r"(\w+) is left out of the models", " ".join(train["warnings"])))
    assert len(learned) >= 2
    assert learned | left_out == PRESETS[preset]
    assert set(rows["moods"]["mood"]) <= learned
    assert len(rows["recommendations"])


def test_presets_are_all_tried() -> None:
    places = {"base", "local", "cluster"}  # the settings themselves, and those of where a run takes place
    assert {path.stem for path in (ROOT / "conf").glob("*.yaml")} == {*PRESETS, *places}


CLUSTER = "local-cluster[2,1,2048]"


@pytest.fixture(scope="module", autouse=True)
def _no_executors_left() -> Iterator[None]:
    """A local cluster copies all jars into a folder for each executor, beside Spark's, and leaves them."""
    work = Path(pyspark.__file__).parent / "work"
    before = set(work.glob("*"))
    yield
    for executors in set(work.glob("*")) - before:
        shutil.rmtree(executors)


@pytest.mark.timeout(2400)
def test_a_run_killed_on_a_cluster_goes_on_and_makes_the_same_tables(
    demo: tuple[Path, Ended], corpus: Path, folder: Path
) -> None:
    """kill -9 while dedupe writes. The same command then makes all tables as the undisturbed local run did,
    except for the models, which are trained on the driver, wherever executors are."""
    published, _ = demo
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    warehouse = folder / "cluster"
    keep_steps(published, ["train"], warehouse)
    options = ("all", "--run-id", "cluster")
    settings = (*SMALL, f"paths.corpus={corpus}", f"paths.warehouse={warehouse}")
    process = subprocess.Popen(
        command(*options, settings=settings, master=CLUSTER), cwd=elsewhere, env=clean_environment(),
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not list(warehouse.glob("tables/deduped/.writing/*/_temporary")) and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(warehouse.glob("tables/deduped/.writing/*")), "killed too late"
    assert not list(warehouse.glob("tables/deduped/[0-9a-f]*"))
    assert not (warehouse / "current.json").exists()
    ended = submit(elsewhere, *options, settings=settings, master=CLUSTER)
    assert ended.code == 0, ended.err
    steps = manifest_of(warehouse, "cluster")["steps"]
    assert {s["step"] for s in steps if s["reused"]} == {"ingest", "clean", "filter", "train"}
    tables = [json.loads((w / "current.json").read_text())["tables"] for w in (published, warehouse)]
    # batches fall differently on executors, which moves a float's last digits
    same_tables((published, tables[0]), (warehouse, tables[1]))


ON_GPUS = """
import sys, time, torch
from pyspark import TaskContext
from pyspark.sql import SparkSession
from songmood.encoder.encoder import device

def compute(_):
    torch.cuda.is_available = lambda: True
    time.sleep(2)  # long enough for all tasks to be there at once
    yield device()

lines = [line.split() for line in open(sys.argv[1]) if ".resource.gpu." in line]
builder = SparkSession.builder.master("local-cluster[2,2,1024]").config("spark.ui.enabled", "false")
for name, value in [(name.lstrip("# "), value) for _, name, value in lines]:
    builder = builder.config(name, value.replace("/opt/songmood", sys.argv[2]).replace("0.25", "0.5"))
builder = builder.config("spark.worker.resource.gpu.amount", "1")
builder = builder.config("spark.worker.resource.gpu.discoveryScript", f"{sys.argv[2]}/conf/find-gpus.sh")
spark = builder.getOrCreate()
print(sorted(spark.sparkContext.parallelize(range(4), 4).mapPartitions(compute).collect()))
"""


def test_tasks_compute_on_the_gpu_that_spark_gives_them(folder: Path) -> None:
    """Two executors, each with a GPU of its own that two tasks share; nvidia-smi is pretended."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "nvidia-smi").write_text("#!/bin/sh\necho 7\n")
    (tools / "nvidia-smi").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}/lib"}
    ended = subprocess.run(
        [sys.executable, "-c", ON_GPUS, ROOT / "conf" / "spark-cluster.conf", ROOT],
        env=environment, cwd=folder, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n")[-2] == str(["cuda:7"] * 4)


def test_lyrics_without_labels_go_to_the_end(shared_data: Path, folder: Path) -> None:
    some = folder / "some"
    for part in ("songs/songs.csv", "lyrics/public_domain.jsonl"):
        (some / part).parent.mkdir(parents=True)
        lines = (shared_data / "public-domain" / part).read_text().splitlines()
        (some / part).write_text("\n".join(lines[:200]) + "\n")
    settings = (
        f"paths.corpus={some}", f"paths.warehouse={folder / 'public-domain'}", "filter.required_ids=[]",
        *SMALL,
    )  # fmt: skip
    ended = submit(folder, "all", settings=settings)
    assert ended.code == 0, ended.err
    tables = json.loads((folder / "public-domain" / "current.json").read_text())["tables"]
    rows = {name: len(read(folder / "public-domain", tables, name)) for name in TABLES}
    assert rows["deduped"] == rows["lyrics"] > 150
    assert {
        name for name in ("labelled", "moods", "model_metrics", "tags", "audio_features") if rows[name]
    } == set()
    for name in ("tokens", "topics", "topic_terms", "embeddings", "clusters", "keywords", "lyric_index"):
        assert rows[name], name
    assert rows["recommendations"] >= 10 * 0.9 * rows["lyrics"]


# Songs alone, as people write them: the usual corpus of those who let services add the rest.
BARE = ("demo.songs=600", "demo.parts=[songs]", "demo.messy=true", "filter.required_ids=[]")


def test_a_corpus_of_songs_alone_goes_as_far_as_it_can(folder: Path) -> None:
    warehouse = folder / "bare"
    ended = submit(folder, "all", settings=(*BARE, f"paths.warehouse={warehouse}"))
    assert ended.code == 0, ended.err
    tables = json.loads((warehouse / "current.json").read_text())["tables"]
    assert len(read(warehouse, tables, "deduped")) > 400
    assert len(read(warehouse, tables, "moods")) == 0
    for part in ("tags", "audio_features", "lyrics"):
        assert f"its folder {part}/" in ended.out  # which would supply it


# -- what stops a run: one clear line, an exit code, no publish --------------------------------


def test_a_fault_in_a_worker_is_the_last_line_and_the_exit_code(corpus: Path, folder: Path) -> None:
    broken = small_corpus(corpus, folder / "half")
    songs = b"".join(p.read_bytes() for p in sorted((broken / "songs").glob("*.csv")))
    for path in (broken / "songs").iterdir():
        path.unlink()
    packed = gzip.compress(songs)
    (broken / "songs" / "songs.csv.gz").write_bytes(packed[: len(packed) // 2])
    warehouse = folder / "w-half"
    ended = submit(folder, "all", settings=(f"paths.corpus={broken}", f"paths.warehouse={warehouse}"))
    assert ended.code not in (0, None)
    # spark-submit joins what the driver writes on stderr to its stdout
    lines = [line for line in (ended.out + ended.err).splitlines() if line.strip()]
    assert [line for line in lines if line.startswith("songmood: ")] == lines[-1:]
    assert "Traceback" not in ended.out + ended.err
    assert "songs.csv.gz" in lines[-1]
    assert "fetch it again" in lines[-1]
    assert not (warehouse / "current.json").exists()


def small_corpus(corpus: Path, into: Path) -> Path:
    shutil.copytree(corpus, into)
    return into


def stops(capsys: pytest.CaptureFixture[str], warehouse: Path, *settings: str) -> str:
    """The one line with which a run with these settings stops."""
    code = run_here(settings=(f"paths.warehouse={warehouse}", *settings))
    error = capsys.readouterr().err
    assert code == 2
    assert (error[:10], error.count("\n")) == ("songmood: ", 1)
    assert not (warehouse / "current.json").exists()
    return error


def test_a_missing_corpus_stops(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    error = stops(capsys, tmp_path / "w", f"paths.corpus={tmp_path}/nowhere")
    assert "nowhere" in error
    assert "paths.corpus" in error


def test_a_corpus_without_songs_stops(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no song files" in stops(capsys, tmp_path / "w", f"paths.corpus={tmp_path}")


def test_an_unknown_setting_stops(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "did you mean label.epsilon" in stops(capsys, tmp_path / "w", "lable.epsilon=0.2")


@pytest.mark.usefixtures("spark")
def test_a_parquet_file_cut_in_half_stops(
    capsys: pytest.CaptureFixture[str], corpus: Path, tmp_path: Path
) -> None:
    broken = small_corpus(corpus, tmp_path / "half-parquet")
    path = broken / "lyrics" / "more.parquet"
    pd.DataFrame({"song_id": ["a"] * 1000, "lyrics": ["la"] * 1000}).to_parquet(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = stops(capsys, tmp_path / "w", f"paths.corpus={broken}")
    assert "more.parquet" in error
    assert "cannot read" in error


@pytest.mark.usefixtures("spark")
def test_songs_without_an_artist_column_stop(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "odd" / "songs").mkdir(parents=True)
    (tmp_path / "odd" / "songs" / "songs.csv").write_text("_id\ttitle\na\tOne\nb\tTwo\n")
    error = stops(capsys, tmp_path / "w", f"paths.corpus={tmp_path / 'odd'}")
    assert "artist" in error
    assert "songs.csv" in error


@pytest.mark.usefixtures("spark")
def test_an_encoder_folder_that_does_not_exist_stops(
    capsys: pytest.CaptureFixture[str], corpus: Path, tmp_path: Path
) -> None:
    settings = (f"paths.corpus={corpus}", f"encoder.model={tmp_path}/no-encoder")
    error = stops(capsys, tmp_path / "w", *settings)
    assert "no-encoder" in error
    assert "encoder.model" in error


def test_the_readme_begins_with_a_command_that_works(demo: tuple[Path, Ended]) -> None:
    readme = (ROOT / "README.md").read_text()
    first = re.search(r"```(?:bash|console|sh)\n(.*?)```", readme, re.S)
    assert first is not None
    assert first.group(1).split() == ["./spark-submit.sh"]  # the fixture `demo` runs it, only smaller
    assert demo[1].code == 0
