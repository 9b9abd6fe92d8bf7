"""The machinery of a run, on steps of two lines; the real steps run in test_whole.py."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from zipimport import zipimporter

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conftest import ROOT
from songmood.engine import run as run_module
from songmood.engine.errors import UserError, explain
from songmood.engine.fingerprint import code_fingerprint, fingerprints
from songmood.engine.run import Run, Step, choose, place
from songmood.engine.store import Store
from songmood.settings import Settings
from songmood.tables import TABLES

done: list[str] = []


def make_labels(run: Run) -> None:
    done.append("label")
    rows = run.spark.range(run.settings.label.min_tags).select(
        F.col("id").cast("string").alias("song_id"),
        F.lit("happy").alias("mood"),
        F.lit("happy").alias("tag"),
        F.lit(0.5).alias("margin"),
    )
    run.write(labelled=rows)
    run.warn("all are happy")


def make_tokens(run: Run) -> None:
    done.append("text")
    rows = run.read("labelled").select("song_id", F.array("mood").alias("tokens"))
    run.write(tokens=rows)


def fail(run: Run) -> None:
    raise UserError("nothing to do here; set text.stem")


LABEL = Step("label", "make labels", make_labels, writes=("labelled",), sections=("label",))
TEXT = Step("text", "make tokens", make_tokens, reads=("labelled",), writes=("tokens",), sections=("text",))
STEPS = (LABEL, TEXT)


@pytest.fixture
def start(
    spark: SparkSession, tmp_path: Path, make_settings: Callable[..., Settings]
) -> Callable[..., tuple[int, dict[str, object]]]:
    def run_steps(
        *settings: str, steps: tuple[Step, ...] = STEPS, first: int = 0
    ) -> tuple[int, dict[str, object]]:
        done.clear()
        corpus = tmp_path / "corpus"
        (corpus / "songs").mkdir(parents=True, exist_ok=True)
        (corpus / "songs" / "songs.csv").write_text("_id\n")
        settings = place(make_settings(f"paths.corpus={corpus}", f"paths.warehouse={tmp_path}/w", *settings))
        run_id = f"run-{len(list(tmp_path.glob('w/runs/*')))}"
        code = run_module._execute(steps[first:], steps, settings, run_id)
        return code, json.loads((tmp_path / "w" / "runs" / run_id / "manifest.json").read_text())

    return run_steps


def test_a_second_run_reuses_what_is_unchanged(start: Callable[..., tuple[int, dict[str, object]]]) -> None:
    code, first = start()
    assert (code, done, first["state"]) == (0, ["label", "text"], "complete")
    _, second = start()
    assert done == []
    assert second["tables"] == first["tables"]
    assert [s["reused"] for s in second["steps"]] == [True, True]  # type: ignore[index, attr-defined]
    assert second["steps"][0]["warnings"] == ["all are happy"]  # type: ignore[index]


def test_a_changed_setting_redoes_its_step_and_those_after(
    start: Callable[..., tuple[int, dict[str, object]]],
) -> None:
    start()
    start("text.stem=true")
    assert done == ["text"]
    start("label.min_tags=12", "text.stem=true")
    assert done == ["label", "text"]
    start("report.seed_songs=3")
    assert done == []


def test_a_step_alone_needs_the_tables_before_it(
    start: Callable[..., tuple[int, dict[str, object]]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = start(first=1)
    assert code == 2
    assert "no complete tables of step label" in capsys.readouterr().err
    start()
    code, manifest = start("text.stem=true", first=1)
    assert (code, done) == (0, ["text"])
    assert set(manifest["tables"]) == {"labelled", "tokens"}  # type: ignore[call-overload]


def test_a_failed_step_is_one_line_and_a_failed_manifest(
    start: Callable[..., tuple[int, dict[str, object]]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, manifest = start(steps=(LABEL, Step("text", "fail", fail, ("labelled",), ("tokens",))))
    assert code == 2
    assert capsys.readouterr().err == "songmood: nothing to do here; set text.stem\n"
    assert manifest["state"] == "failed"
    assert manifest["error"] == "nothing to do here; set text.stem"


def test_a_fault_keeps_its_details_in_the_run(
    start: Callable[..., tuple[int, dict[str, object]]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(run: Run) -> None:
        run.spark.range(3).select(F.raise_error(F.lit("No space left on device"))).collect()

    broken.__module__ = __name__
    code, _ = start(steps=(Step("text", "break", broken, writes=("tokens",)),))
    assert code == 1
    line = capsys.readouterr().err
    assert line.startswith("songmood: the disk is full")
    assert line.count("\n") == 1
    assert "Traceback" in next(tmp_path.glob("w/runs/*/error.txt")).read_text()


def test_the_manifest_says_what_happened(start: Callable[..., tuple[int, dict[str, object]]]) -> None:
    _, manifest = start()
    text = manifest["steps"][1]  # type: ignore[index]
    assert text["rows_in"] == {"labelled": 11}
    assert text["tables"]["tokens"]["rows"] == 11
    assert text["tables"]["tokens"]["checks"]["song_id unique"] == 0
    assert text["peak_memory_mb"] > 0
    assert manifest["seed"] == 7
    assert manifest["packages"]["pyspark"].startswith("3.5")  # type: ignore[index]


def test_a_corpus_that_is_not_there_stops_before_anything(
    start: Callable[..., tuple[int, dict[str, object]]], tmp_path: Path, settings: Settings
) -> None:
    from_outside = Step("ingest", "read", make_labels, writes=("songs",), outside=lambda _: "")
    for corpus, says in ((tmp_path / "none", "no corpus folder"), (tmp_path, "no song files")):
        paths = settings.paths.model_copy(update={"corpus": str(corpus), "warehouse": str(tmp_path / "w2")})
        with pytest.raises(UserError, match=says):
            run_module._execute((from_outside,), STEPS, settings.model_copy(update={"paths": paths}), "r")


def test_fingerprints_follow_code_settings_and_inputs(
    settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    plain = fingerprints(STEPS, settings)
    assert plain == fingerprints(STEPS, settings)
    assert fingerprints(STEPS, make_settings("seed=8")) != plain
    other_label = fingerprints(STEPS, make_settings("label.top_k=4"))
    assert other_label["label"] != plain["label"]
    assert other_label["text"] != plain["text"]
    elsewhere = Step(
        "text", "make tokens", make_tokens, ("labelled",), ("tokens",), ("text",), lambda _: "files"
    )
    assert fingerprints((LABEL, elsewhere), settings)["text"] != plain["text"]
    assert code_fingerprint(LABEL) != code_fingerprint(TEXT)


def test_a_command_starts_without_what_is_slow_to_import() -> None:
    code = (
        "import sys; sys.path.insert(0, 'jobs'); import all; from pathlib import Path;"
        "from songmood.settings import load_config; from songmood.engine.fingerprint import fingerprints;"
        "known = fingerprints(all.STEPS, load_config(Path('conf/base.yaml'), [], ['paths.corpus=conf']));"
        "print(len(known), {'torch', 'transformers', 'sklearn', 'gensim'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "15 set()"


def test_choose_names_the_nearest_step() -> None:
    assert choose(STEPS, None, None) == list(STEPS)
    assert choose(STEPS, "text", None) == [TEXT]
    assert choose(STEPS, None, "label") == [LABEL]
    with pytest.raises(UserError, match="did you mean label"):
        choose(STEPS, "labell", None)
    with pytest.raises(UserError, match="--from text comes after --until label"):
        choose(STEPS, "text", "label")


def test_the_demo_has_a_warehouse_of_its_own(make_settings: Callable[..., Settings]) -> None:
    assert place(make_settings()).paths.warehouse == "demo/warehouse"
    assert place(make_settings("paths.corpus=x")).paths.warehouse == "warehouse"
    assert place(make_settings("paths.corpus=x", "paths.warehouse=y")).paths.warehouse == "y"


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
    ours = f"{worker}songmood.engine.errors.UserError: no such thing: do this\n\n\tat org.apache"
    assert explain(RuntimeError(ours)) == "no such thing: do this"
    cut_off = "Traceback (most recent call last):\n" + "    deeper and deeper\n" * 60
    assert explain(RuntimeError(cut_off)) == "RuntimeError: Traceback (most recent call last):"  # and at once
    killed = "Python worker exited unexpectedly (crashed)\nCaused by: java.io.EOFException"
    assert explain(RuntimeError(killed)).startswith("a Python worker was killed")
    assert explain(ValueError()) == "ValueError: ValueError"


def test_tables_have_keys_among_their_columns() -> None:
    for table in TABLES.values():
        assert set(table.key) <= set(table.column_names)
        assert len(set(table.column_names)) == len(table.column_names)
    assert Store("x").uri.startswith("file:///")


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
