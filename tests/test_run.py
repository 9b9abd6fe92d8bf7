"""The machinery of a run, on the tiny steps of toy.py; the real steps run in test_whole.py."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from zipimport import zipimporter

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import toy
from conftest import ROOT
from songmood.engine.alive import _machine, keep_alive
from songmood.engine.errors import UserError, explain
from songmood.engine.garbage import prune_warehouse
from songmood.engine.step import step
from songmood.engine.store import Store
from songmood.engine.terminal import set_up_logging

Start = Callable[..., toy.Ended]


@pytest.fixture
def start(spark: SparkSession, tmp_path: Path) -> Start:
    """Runs the toy pipeline, as toy.start says."""
    return partial(toy.start, tmp_path)


def test_a_run_writes_tables_models_files_and_publishes(start: Start, tmp_path: Path) -> None:
    ended = start()
    assert (ended.code, ended.manifest["state"]) == (0, "complete")
    assert toy.done == ["count", "square", "tell"]
    warehouse = tmp_path / "w"
    current = json.loads((warehouse / "current.json").read_text())
    assert current == {"run_id": "run-0", "tables": dict(sorted(ended.manifest["tables"].items()))}
    told = json.loads((warehouse / "runs" / "run-0" / "told.txt").read_text())
    assert told == {"model": {"rows": {"numbers": 5}, "words": [], "seed": 7}, "steps": ["count", "square"]}
    # no checkpoint of a step is left
    assert {path.name for path in (warehouse / "runs" / "run-0").iterdir()} == {"manifest.json", "told.txt"}


def test_what_a_step_keeps_is_named_by_each_run_that_uses_it(start: Start, tmp_path: Path) -> None:
    first = start()
    assert (tmp_path / "w" / "kept" / "ids-0123").is_dir()
    reused = start()
    assert [ended.manifest["kept"] for ended in (first, reused)] == [["kept/ids-0123"]] * 2


def test_the_manifest_says_what_happened(start: Start) -> None:
    manifest = start().manifest
    count, square = manifest["steps"][:2]
    assert count["warnings"] == ["numbers end somewhere"]
    assert count["figures"] == {"first": 0}
    assert count["tables"]["numbers"]["reasons"] == {"even": 3, "odd": 2}
    assert count["tables"]["numbers"]["checks"] == {"n >= 0": 0, "n IS NOT NULL": 0, "n unique": 0}
    assert square["rows_in"] == {"numbers": 5}
    assert square["tables"]["squares"]["rows"] == square["tables"]["squares"]["distinct"] == 4
    assert square["figures"] == {"of": 5, "squares": 4}
    assert square["models"] == {"square_model": manifest["models"]["square_model"]}
    assert square["peak_memory_mb"] > 0
    assert (manifest["seed"], manifest["files"]) == (7, ["told.txt"])
    assert manifest["packages"]["pyspark"].startswith("3.5")


def test_a_shared_table_gathers_the_rows_of_each_step(
    start: Start, spark: SparkSession, tmp_path: Path
) -> None:
    manifest = start().manifest
    count, square = manifest["steps"][:2]
    assert count["tables"]["left_out"]["rows"] == 1
    assert square["tables"]["left_out"]["rows"] == 2
    assert square["tables"]["left_out"]["reasons"] == {"too large": 1}
    rows = spark.read.parquet(str(tmp_path / "w" / manifest["tables"]["left_out"])).collect()
    assert {(row["step"], row["n"]) for row in rows} == {("count", -1), ("square", 4)}


def test_a_second_run_reuses_what_is_unchanged(start: Start) -> None:
    first = start().manifest
    second = start().manifest
    assert toy.done == ["tell"]
    assert second["tables"] == first["tables"]
    assert second["models"] == first["models"]
    assert [s["reused"] for s in second["steps"]] == [True, True, False, False]
    assert second["steps"][0]["warnings"] == ["numbers end somewhere"]


def test_a_changed_setting_repeats_its_step_and_those_after(start: Start) -> None:
    start()
    start("square.largest=2")
    assert toy.done == ["square", "tell"]
    start("count.upto=4", "square.largest=2")
    assert toy.done == ["count", "square", "tell"]
    start("count.batch_size=3")
    assert toy.done == ["tell"]


def test_a_step_alone_needs_the_tables_before_it(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(only="square").code == 2
    error = capsys.readouterr().err
    assert "step count has no complete tables for these settings, code and inputs" in error
    assert "run toy all --until count with the same settings first" in error
    start()
    ended = start("square.largest=2", only="square")
    assert (ended.code, toy.done) == (0, ["square"])
    assert set(ended.manifest["tables"]) == {"numbers", "squares", "left_out"}


def test_prune_alone_needs_no_tables(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(only="prune").code == 0
    assert "0 deleted" in capsys.readouterr().out


def test_a_run_until_a_step_ends_there(start: Start, tmp_path: Path) -> None:
    start(options=["--until", "count"])
    assert toy.done == ["count"]
    assert not (tmp_path / "w" / "current.json").exists()


def test_a_review_can_stop_a_run(start: Start, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ended = start("square.largest=-1")
    assert (ended.code, ended.manifest["state"]) == (2, "failed")
    assert capsys.readouterr().err == "toy: no number is small enough: raise square.largest\n"
    assert ended.manifest["error"] == "no number is small enough: raise square.largest"
    assert not (tmp_path / "w" / "current.json").exists()
    assert not list(tmp_path.glob("w/steps/square/*"))


@step("square", "fails")
def break_down(numbers: DataFrame) -> toy.Squared:
    numbers.select(F.raise_error(F.lit("No space left on device"))).collect()
    raise AssertionError


@step("square", "is interrupted")
def interrupt(numbers: DataFrame) -> toy.Squared:
    raise KeyboardInterrupt


def test_a_fault_keeps_its_details_in_the_run(
    start: Start, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert start(steps=(toy.count_numbers, break_down)).code == 1
    line = capsys.readouterr().err
    assert line.startswith("toy: the disk is full")
    assert line.count("\n") == 1
    assert "Traceback" in next(tmp_path.glob("w/runs/*/error.txt")).read_text()


def test_an_interrupt_is_one_line_and_the_next_run_resumes(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = start(steps=(toy.count_numbers, interrupt))
    assert (ended.code, ended.manifest["state"]) == (130, "interrupted")
    assert capsys.readouterr().err == "toy: Interrupted. Run the same command again to resume.\n"
    start()
    assert toy.done == ["square", "tell"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "square.largets=2"],
            "--set: unknown setting square.largets; did you mean square.largest?",
        ),
        (["--until", "squre"], "unknown step squre; did you mean square?"),
        (["--from", "square", "--until", "count"], "--from square comes after --until count"),
    ],
)
def test_a_wrong_command_stops_before_any_run(
    start: Start, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    ended = start(options=arguments)
    assert (ended.code, ended.manifest) == (2, {})
    assert capsys.readouterr().err == f"toy: {message}\n"


def test_verbose_shows_more_and_quiet_shows_warnings_alone(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start()
    usual = capsys.readouterr().out
    assert "5 numbers -> 4 squares" in usual
    assert "note: numbers end somewhere" in usual
    assert "fingerprint" not in usual
    start("square.largest=1", options=["--verbose"])
    assert "fingerprint of square: " in capsys.readouterr().out
    start("square.largest=2", options=["--quiet"])
    assert capsys.readouterr().out.split("\n") == [f"{'':<18}note: numbers end somewhere", ""]


def test_the_last_lines_say_where_to_look(
    start: Start, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    start()
    told, tables, query = capsys.readouterr().out.splitlines()[-3:]
    assert told == f"  told     {tmp_path}/w/runs/run-0/told.txt"
    assert tables.startswith(f"  tables   {tmp_path}/w/tables")
    assert f"{tmp_path}/w/tables/squares/" in query


def test_logging_is_the_package_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    set_up_logging("toy", logging.INFO)
    set_up_logging("toy", logging.INFO)  # twice does not show lines twice
    logging.getLogger("toy.part").info("shown")
    logging.getLogger("elsewhere").info("not shown")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("shown\n", "")


def test_a_command_starts_without_what_is_slow_to_import() -> None:
    code = (
        "import sys; sys.path.insert(0, 'lib'); from pathlib import Path;"
        "from songmood.pipeline import PIPELINE; from songmood.settings import load_settings;"
        "from songmood.engine.fingerprint import Fingerprints;"
        "prints = Fingerprints(PIPELINE, load_settings(Path('conf/base.yaml'), [], ['paths.corpus=conf']));"
        "[prints.of(step) for step in PIPELINE.steps];"
        "print({'torch', 'transformers', 'sklearn', 'gensim', 'umap', 'sparknlp'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_a_fault_is_told_in_one_line() -> None:
    assert "cut off" in explain(RuntimeError("file:/a/b.parquet is not a Parquet file. Expected magic"))
    assert "file:/a/b.parquet" in explain(RuntimeError("file:/a/b.parquet is not a Parquet file."))
    assert explain(ValueError("odd\nand more")) == "ValueError: odd"
    worker = (
        'Job aborted: PythonException: Traceback (most recent call last):\n  File "x.py", line 1\n    f()\n'
    )
    assert (
        explain(RuntimeError(f"{worker}KeyError: 'odd'\n\n\tat org.apache"))
        == "RuntimeError: KeyError: 'odd'"
    )
    ours = f"{worker}{UserError.__module__}.UserError: no such thing: do this\n\n\tat org.apache"
    assert explain(RuntimeError(ours)) == "no such thing: do this"
    cut_off = "Traceback (most recent call last):\n" + "    deeper and deeper\n" * 60
    assert explain(RuntimeError(cut_off)) == "RuntimeError: Traceback (most recent call last):"  # and at once
    killed = "Python worker exited unexpectedly (crashed)\nCaused by: java.io.EOFException"
    assert explain(RuntimeError(killed)).startswith("a Python worker was killed")
    assert explain(ValueError()) == "ValueError: ValueError"


def test_an_importer_of_a_zip_does_not_read_it_anew(tmp_path: Path) -> None:
    """As Python below 3.12 does for each of Spark's zips and packages in them, at every task of a worker."""
    archive = tmp_path / "songs.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("song.py", "")
    importer = zipimporter(str(archive))
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("another.py", "")
    importer.invalidate_caches()
    assert importer.find_spec("another") is None


# -- run ids, and runs that were killed -------------------------------------------------------


def test_a_run_id_that_exists_is_refused(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = start().manifest
    assert start(options=["--run-id", "run-0"]).code == 2
    error = capsys.readouterr().err
    assert error == f"toy: there is already a run run-0 in file://{tmp_path}/w: choose another --run-id\n"
    assert json.loads((tmp_path / "w/runs/run-0/manifest.json").read_text()) == before
    (tmp_path / "w/runs/run-0/manifest.json").unlink()  # its page is still there
    assert start(options=["--run-id", "run-0"]).code == 2
    assert [path.name for path in tmp_path.glob("w/runs/run-0/*")] == ["told.txt"]


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_a_run_that_did_not_end_well_is_resumed_under_its_id(
    start: Start, tmp_path: Path, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start(options=["--until", "count"])
    manifest = tmp_path / "w/runs/run-0/manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "state": state}))
    assert start(options=["--run-id", "run-0"]).code == 0
    assert toy.done == ["square", "tell"]
    assert json.loads(manifest.read_text())["state"] == "complete"


def test_a_run_id_in_use_is_refused(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with keep_alive(Store(f"{tmp_path}/w"), "mine"):
        assert start(options=["--run-id", "mine"]).code == 2
    assert capsys.readouterr().err == (
        "toy: run mine is still running: wait until it has ended, or choose another --run-id\n"
    )


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"tables": 1, "models": {}}'])
def test_a_damaged_manifest_of_the_same_id_is_named(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    manifest = tmp_path / "w/runs/mine/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(content)
    assert start(options=["--run-id", "mine"]).code == 2
    assert capsys.readouterr().err == (
        f"toy: file://{manifest} is damaged: restore it, or delete file://{manifest.parent}\n"
    )


def test_a_damaged_pointer_is_replaced_by_publish(start: Start, tmp_path: Path) -> None:
    start()
    (tmp_path / "w/current.json").write_text("{")
    assert start(only="prune").code == 2
    assert start(only="publish").code == 0
    assert json.loads((tmp_path / "w/current.json").read_text())["run_id"] == "run-2"
    assert start(only="prune").code == 0


def test_the_next_run_says_which_one_was_killed_and_removes_what_it_left(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = tmp_path / "w"
    start(steps=(toy.count_numbers, interrupt))
    manifest = warehouse / "runs/run-0/manifest.json"  # as kill -9 would have left it
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "state": "running"}))
    Store(str(warehouse)).write_record(
        "runs/run-0/alive.json", {"machine": _machine(), "pid": 1, "started": 0}
    )
    for place in ("tables/squares", "models"):
        (warehouse / place / ".writing" / "ab12-cd34" / "_temporary").mkdir(parents=True)
    capsys.readouterr()
    assert start().code == 0
    assert "run run-0 was killed; what it completed is reused" in capsys.readouterr().out
    assert json.loads(manifest.read_text())["state"] == "interrupted"
    assert not list(warehouse.glob("**/.writing/*"))
    assert not list(warehouse.glob("**/alive.json"))


def test_prune_after_many_prunes_keeps_all_of_the_published_run(start: Start, tmp_path: Path) -> None:
    start()
    (tmp_path / "w/runs/run-0/manifest.json").unlink()
    for _ in range(4):  # more than store.keep_runs
        assert start(only="prune").code == 0
    make_old(tmp_path / "w")
    assert start(only="prune").code == 0
    assert start(only="publish").code == 0
    assert toy.done == []


def make_old(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (1_700_000_000, 1_700_000_000))


@step("square", "runs prune while it works")
def prune_meanwhile(numbers: DataFrame, store: Store) -> toy.Squared:
    make_old(Path(str(store.local_root), "tables"))
    make_old(Path(str(store.local_root), "steps"))
    prune_warehouse(store, 1)
    rows = numbers.select("n", F.col("n").alias("square"))
    left_out = numbers.limit(0).select(F.lit("square").alias("step"), "n", F.lit("").alias("reason"))
    return toy.Squared(rows, left_out, None)


def test_prune_beside_a_run_leaves_alone_what_that_run_reads(start: Start, tmp_path: Path) -> None:
    start(options=["--until", "count"])
    make_old(tmp_path / "w")
    start("count.upto=3")  # newer, so that the run's tables hang on its being alive
    ended = start(steps=(toy.count_numbers, prune_meanwhile))
    assert (ended.code, ended.manifest["steps"][1]["tables"]["squares"]["rows"]) == (0, 5)


# -- errors before there is a run ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "File exists"),
        ("file/below", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("y/" * 3000, "File name too long"),
        ("/dev/null/w", "Not a directory"),
    ],
)
def test_a_warehouse_that_cannot_be_is_one_line(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, reason: str
) -> None:
    (tmp_path / "file").write_text("")
    ended = start(f"warehouse={tmp_path / place}")
    error = capsys.readouterr().err
    assert (ended.code, toy.done) == (2, [])
    assert error.startswith(f"toy: cannot write to the warehouse file://{tmp_path / place}".rstrip("/"))
    assert f"({reason}): set paths.warehouse to a folder that you can write to" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("fault", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_a_warehouse_that_cannot_be_written_is_one_line(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(fault, "of some library, with a path")

    monkeypatch.setattr(Store, "write_text", refuse)
    assert start().code == 2
    error = capsys.readouterr().err
    assert f"({os.strerror(fault)}): set paths.warehouse" in error
    assert error.count("\n") == 1


def test_a_warehouse_that_fills_up_is_one_line_without_a_hint_at_what_is_not_there(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "write_json", refuse)
    monkeypatch.setattr("songmood.engine.cli.Run.go", refuse)
    monkeypatch.setattr(Store, "write_text", refuse)
    monkeypatch.setattr(Store, "check_writable", lambda _: None)
    monkeypatch.setattr("songmood.engine.cli.keep_alive", lambda *_: nullcontext())
    assert start().code == 1
    error = capsys.readouterr().err
    assert error.startswith("toy: the disk is full: free some space")
    assert "error.txt" not in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (RuntimeError("java.io.IOException: No space left on device\n\tat java.base"), "the disk is full"),
        (Exception("An error occurred while calling None.x.\n: java.lang.A: a secret\n\tat org"), "a secret"),
        (FileNotFoundError(2, "No such file or directory", "spark"), "No such file or directory"),
    ],
)
def test_a_spark_that_does_not_start_is_one_line(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
    shown: str,
) -> None:
    def fail(_: Any) -> None:
        raise fault

    monkeypatch.setattr("pyspark.sql.SparkSession.Builder.getOrCreate", fail)
    assert start().code == 2
    error = capsys.readouterr().err
    assert error.startswith("toy: Spark does not start: ")
    assert shown in error
    assert error.count("\n") == 1
