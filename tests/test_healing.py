"""What is damaged in a warehouse is found before it is used or published, and made again.

The steps are those of toy.py.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import toy
from songmood.engine.errors import UserError

Start = Callable[..., toy.Ended]
Damage = Callable[[Path], Any]  # what is done to the folder of a table


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of one run."""
    folder = tmp_path_factory.mktemp("made")
    assert toy.start(folder).code == 0
    return folder / "w"


@pytest.fixture
def warehouse(made: Path, tmp_path: Path) -> Path:
    """A copy of that warehouse, to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "w"))


@pytest.fixture
def start(spark: SparkSession, warehouse: Path) -> Start:
    """Runs the toy pipeline, as toy.start says, on that copy."""
    return partial(toy.start, warehouse.parent)


def current(warehouse: Path) -> dict[str, Path]:
    """The folders of the published tables."""
    tables = json.loads((warehouse / "current.json").read_text())["tables"]
    return {name: warehouse / path for name, path in tables.items()}


def rows(warehouse: Path) -> dict[str, list[Any]]:
    """The rows of the published tables."""
    tables = {name: pq.read_table(folder).to_pylist() for name, folder in current(warehouse).items()}
    return {name: sorted(found, key=str) for name, found in tables.items()}


def part(folder: Path) -> Path:
    """The largest part of a table."""
    return max(folder.glob("*.parquet"), key=lambda file: file.stat().st_size)


def turn_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def lose_a_row(folder: Path) -> None:
    """A part is replaced by a whole one with fewer rows."""
    pq.write_table(pq.read_table(part(folder)).slice(1), part(folder))


DAMAGES: dict[str, tuple[str, Damage]] = {
    "a part is deleted": ("numbers", lambda folder: part(folder).unlink()),
    "a part is cut": ("numbers", lambda folder: os.truncate(part(folder), 300)),
    "a part has other rows": ("numbers", lose_a_row),
    "there is a part more": ("numbers", lambda folder: shutil.copy(part(folder), folder / "part-9.parquet")),
    "the seal is gone": ("numbers", lambda folder: (folder / "_seal").unlink()),
    "the folder is gone": ("numbers", shutil.rmtree),
    "the folder is a file": ("numbers", lambda folder: (shutil.rmtree(folder), folder.write_text(""))),
    "a bit is turned": ("numbers", lambda folder: turn_a_bit(part(folder))),
    "all parts are gone": ("squares", lambda folder: [file.unlink() for file in folder.glob("*.parquet")]),
    "a part is empty": ("squares", lambda folder: os.truncate(part(folder), 0)),
    "a bit of the last step is turned": ("squares", lambda folder: turn_a_bit(part(folder))),
    "a bit of a shared table is turned": ("left_out", lambda folder: turn_a_bit(part(folder))),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_table_is_made_again_by_the_same_command(
    start: Start, made: Path, warehouse: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    table, damage = DAMAGES[name]
    damage(current(warehouse)[table])
    assert start().code == 0
    writer = "count" if table == "numbers" else "square"
    assert sorted(toy.done) == sorted([writer, "tell"])
    captured = capsys.readouterr()
    said = [line.strip() for line in captured.out.splitlines() if "again" in line]
    assert captured.err == ""
    assert len(said) == 1
    assert said[0].startswith(f"note: tables/{table}/")
    assert said[0].endswith(f": step {writer} is done again")
    assert rows(warehouse) == rows(made)
    aside = list(warehouse.glob(f"tables/{table}/.damaged/*"))
    assert len(aside) == (name != "the folder is gone")


@pytest.mark.parametrize(
    "name", ["a part is deleted", "a bit is turned", "a bit of a shared table is turned"]
)
def test_publish_alone_makes_damaged_tables_again_before_it_publishes(
    start: Start, made: Path, warehouse: Path, name: str
) -> None:
    table, damage = DAMAGES[name]
    damage(current(warehouse)[table])
    assert start(only="publish").code == 0
    assert rows(warehouse) == rows(made)
    assert json.loads((warehouse / "current.json").read_text())["run_id"] == "run-1"


def test_after_that_all_is_reused(start: Start, warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part(current(warehouse)["numbers"]).unlink()
    start(only="publish")
    assert start(only="publish").code == 0
    assert toy.done == []
    assert capsys.readouterr().out.count("is done again") == 1


def test_a_turned_bit_is_found_before_a_step_reads_the_table(
    start: Start, warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turn_a_bit(part(current(warehouse)["numbers"]))
    ended = start("square.largest=2", only="square")
    assert (ended.code, toy.done) == (0, ["count", "square"])
    assert [record["step"] for record in ended.manifest["steps"]] == ["count", "square"]
    assert "has another content of part-" in capsys.readouterr().out


def test_a_shared_table_that_is_made_again_has_no_rows_of_the_steps_after_it(
    start: Start, warehouse: Path
) -> None:
    manifest = json.loads((warehouse / "runs/run-0/manifest.json").read_text())
    first = warehouse / manifest["steps"][0]["tables"]["left_out"]["path"]
    turn_a_bit(part(first))
    ended = start("square.largest=2")
    assert (ended.code, toy.done) == (0, ["count", "square", "tell"])
    assert [row["step"] for row in pq.read_table(first).to_pylist()] == ["count"]
    assert [(row["step"], row["n"]) for row in rows(warehouse)["left_out"]] == [
        ("count", -1),
        ("square", 3),
        ("square", 4),
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: turn_a_bit(folder / "model.json"),
        lambda folder: (folder / "model.json").unlink(),
        lambda folder: os.truncate(folder / "model.json", 3),
        lambda folder: (folder / "_seal").write_text("{}"),
        shutil.rmtree,
    ],
)
def test_a_damaged_model_is_made_again(start: Start, made: Path, warehouse: Path, damage: Damage) -> None:
    (model,) = warehouse.glob("models/[!.]*")
    damage(model)
    assert start(only="publish").code == 0
    assert toy.done == ["square"]
    assert (model / "model.json").read_bytes() == next(made.glob("models/*/model.json")).read_bytes()


def test_if_it_cannot_be_made_again_nothing_is_published(
    start: Start, warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part(current(warehouse)["squares"]).unlink()
    before = (warehouse / "current.json").read_text()

    def fail(*_: Any) -> None:
        raise UserError("the disk is full: free some space")

    monkeypatch.setattr("songmood.engine.run.Run._write", fail)
    assert start().code == 2
    assert capsys.readouterr().err == "toy: the disk is full: free some space\n"
    assert (warehouse / "current.json").read_text() == before
    monkeypatch.undo()
    assert start().code == 0


def without(text: str, name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(text).items() if key != name})


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:200],
        lambda text: "{}",
        lambda text: "[]",
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: json.dumps({**json.loads(text), "tables": {}}),
        lambda text: without(text, "warnings"),
        lambda text: without(text, "sha256"),
        lambda text: text.replace('"rows": 5', '"rows": 6'),
    ],
)
def test_a_step_record_that_is_not_as_written_counts_as_missing(
    start: Start,
    made: Path,
    warehouse: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[str], str],
) -> None:
    (record,) = warehouse.glob("steps/count/*.json")
    written = json.loads(record.read_text())
    record.write_text(change(record.read_text()))
    assert start(options=["--until", "count"]).code == 0
    assert toy.done == ["count"]
    assert capsys.readouterr().err == ""
    again = json.loads(record.read_text())
    assert again["tables"] == written["tables"]


def test_a_step_record_of_another_step_counts_as_missing(start: Start, warehouse: Path) -> None:
    (record,) = warehouse.glob("steps/count/*.json")
    (other,) = warehouse.glob("steps/square/*.json")
    shutil.copy(other, record)
    assert start().code == 0
    assert toy.done == ["count", "tell"]


def test_a_folder_in_the_place_of_a_step_record_is_one_line(
    start: Start, warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = warehouse.glob("steps/count/*.json")
    record.unlink()
    record.mkdir()
    assert start(options=["--until", "count"]).code != 0
    error = capsys.readouterr().err
    assert str(record) in error
    assert error.count("\n") == 1


def test_what_an_older_version_wrote_counts_as_missing(
    start: Start, made: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seal in warehouse.glob("**/_seal"):  # as before there were seals
        seal.unlink()
    for record in warehouse.glob("steps/*/*.json"):
        record.write_text(without(record.read_text(), "sha256"))
    assert start().code == 0
    assert toy.done == ["count", "square", "tell"]
    assert rows(warehouse) == rows(made)
