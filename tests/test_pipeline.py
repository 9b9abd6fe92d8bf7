"""What a pipeline refuses when it is put together, and which steps a command chooses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame

import toy
from songmood.engine.errors import UserError
from songmood.engine.step import Notes, step
from songmood.pipeline import PIPELINE
from songmood.tables import TABLES


@pytest.fixture
def toy_settings(tmp_path: Path) -> toy.ToySettings:
    base = tmp_path / "base.yaml"
    base.write_text(toy.BASE)
    return toy.load(base)


def test_a_step_says_what_it_reads_and_writes(toy_settings: toy.ToySettings) -> None:
    pipeline = toy.make_pipeline()
    square = toy.square_numbers
    assert pipeline.reads(square, toy_settings) == ["numbers"]
    assert pipeline.writes(square) == ["squares", "left_out", "square_model"]
    assert [i.name for i in pipeline.inputs_of(square, toy_settings)] == ["words"]
    without = toy_settings.model_copy(
        update={"square": toy_settings.square.model_copy(update={"use_file": False})}
    )
    assert pipeline.inputs_of(square, without) == []


class Unknown(NamedTuple):
    cubes: DataFrame


class Numbers(NamedTuple):
    numbers: DataFrame


@step("bad", "reads what nobody writes")
def reads_unwritten(squares: DataFrame) -> None: ...


@step("bad", "has a parameter of no kind")
def reads_unknown(answer: int) -> None: ...


@step("bad", "writes an unknown table")
def writes_unknown() -> Unknown:
    raise AssertionError


@step("bad", "writes a table again")
def writes_again() -> Numbers:
    raise AssertionError


def odd_review(colour: str) -> Notes:
    raise AssertionError


@step("bad", "has an odd review", review=odd_review)
def reviewed_oddly() -> None: ...


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (reads_unwritten, "step bad reads squares, which no step before it writes"),
        (reads_unknown, "step bad has a parameter answer, which is not a table, model, input or setting"),
        (writes_unknown, "step bad writes cubes, which is not a table or model"),
        (writes_again, "step bad writes numbers, which a step before it writes"),
        (reviewed_oddly, "step bad has a parameter colour, which is not a table, model, input or setting"),
    ],
)
def test_what_is_not_declared_is_refused(bad: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        toy.make_pipeline((toy.count_numbers, bad, toy.square_numbers))


def test_a_table_that_no_step_writes_is_refused() -> None:
    with pytest.raises(TypeError, match="no step writes square_model, squares"):
        toy.make_pipeline((toy.count_numbers,))


def test_steps_are_chosen_from_until(toy_settings: toy.ToySettings) -> None:
    conditional = toy.tell.when("where numbers are many", lambda settings: settings.count.upto > 100)
    pipeline = toy.make_pipeline((toy.count_numbers, toy.square_numbers, conditional, toy.publish, toy.prune))

    def names(start: str | None, until: str | None) -> list[str]:
        return [chosen.name for chosen in pipeline.choose(start, until, toy_settings)]

    assert names(None, "publish") == ["count", "square", "publish"]
    assert names("square", "square") == ["square"]
    assert names(None, "tell") == ["count", "square"]
    with pytest.raises(UserError, match="unknown step squar; did you mean square"):
        names("squar", None)
    with pytest.raises(UserError, match="--from square comes after --until count"):
        names("square", "count")


def test_a_step_on_request_is_not_in_the_whole_run(toy_settings: toy.ToySettings) -> None:
    pipeline = toy.make_pipeline()
    assert "prune" not in [chosen.name for chosen in pipeline.choose(None, None, toy_settings)]
    assert pipeline.find("prune").name == "prune"


def test_every_table_of_songmood_has_a_step_and_every_job_is_a_door() -> None:
    written = {name for step in PIPELINE.steps for name in PIPELINE.writes(step)}
    assert written == {*TABLES, *PIPELINE.models}
    jobs = Path(__file__).resolve().parent.parent / "jobs"
    doors = {job.stem: job.read_text() for job in jobs.glob("*.py")}
    assert set(doors) == {"all", *(step.name for step in PIPELINE.steps)}
    for name, text in doors.items():
        called = "main()" if name == "all" else f'main("{name}")'
        assert [line for line in text.splitlines() if line] == [
            "from songmood.pipeline import main",
            called,
        ]
