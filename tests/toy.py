"""A pipeline of three tiny steps, for tests of the engine: numbers, their squares, and a model of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from songmood.engine.cli import run_command
from songmood.engine.errors import UserError
from songmood.engine.pipeline import Input, Pipeline
from songmood.engine.settings import NO_EFFECT, RootSettings, Section, read_settings
from songmood.engine.step import Counts, Notes, Step, step
from songmood.engine.table import Column, Table
from songmood.engine.upkeep import StoreSettings, prune, publish

done: list[str] = []  # the steps whose functions were called

NUMBERS = Table(
    "numbers",
    "Numbers from 0.",
    ("n",),
    (Column("n", T.LongType(), "the number"), Column("kind", T.StringType(), "even or odd")),
    checks=("n >= 0",),
    reason="kind",
)
SQUARES = Table(
    "squares",
    "The square of each number.",
    ("n",),
    (Column("n", T.LongType(), "the number"), Column("square", T.LongType(), "its square")),
    distinct="square",
)
LEFT_OUT = Table(
    "left_out",
    "Numbers that a step left out, and why.",
    ("step", "n"),
    (
        Column("step", T.StringType(), "the step"),
        Column("n", T.LongType(), "the number"),
        Column("reason", T.StringType(), "why"),
    ),
    reason="reason",
    shared=True,
)


class CountSettings(Section):
    upto: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, NO_EFFECT]


class SquareSettings(Section):
    largest: int
    use_file: bool


class ToySettings(RootSettings):
    count: CountSettings
    square: SquareSettings
    store: StoreSettings
    warehouse: str


BASE = """
seed: 7
count: {upto: 5, batch_size: 10}
square: {largest: 3, use_file: true}
store: {keep_runs: 2}
warehouse: w
"""


class Counted(NamedTuple):
    numbers: DataFrame
    left_out: DataFrame
    notes: Notes


class Squared(NamedTuple):
    squares: DataFrame
    left_out: DataFrame
    square_model: Path | None
    shared: tuple[DataFrame, ...] = ()


class Told(NamedTuple):
    files: Mapping[str, str]


@step("count", "count numbers")
def count_numbers(spark: SparkSession, settings: CountSettings, keep: Callable[[str], str]) -> Counted:
    done.append("count")
    Path(keep("ids-0123").removeprefix("file://")).mkdir(parents=True, exist_ok=True)
    kind = F.when(F.col("id") % 2 == 0, "even").otherwise("odd")
    numbers = spark.range(settings.upto).select(F.col("id").alias("n"), kind.alias("kind"))
    left_out = spark.range(1).select(F.lit("count").alias("step"), (-F.col("id") - 1).alias("n"))
    left_out = left_out.withColumn("reason", F.lit("below 0"))
    return Counted(numbers, left_out, Notes(("numbers end somewhere",), {"first": 0}))


def review_squares(counts: Mapping[str, Counts], settings: SquareSettings) -> Notes:
    squares = counts["squares"]
    if squares.rows == 0:
        raise UserError("no number is small enough: raise square.largest")
    return Notes(figures={"of": counts["numbers"].rows, "squares": squares.distinct})


@step(
    "square",
    "square the numbers",
    review=review_squares,
    only_if={"words": lambda settings: settings.square.use_file},
)
def square_numbers(
    numbers: DataFrame,
    words: list[str] | None,
    settings: SquareSettings,
    seed: int,
    rows: Mapping[str, int],
    scratch: Path,
) -> Squared:
    done.append("square")
    model = scratch / "square_model"
    model.mkdir()
    (model / "model.json").write_text(json.dumps({"rows": rows, "words": words, "seed": seed}))
    squares = numbers.select("n", (F.col("n") * F.col("n")).alias("square")).checkpoint()
    large = squares.where(F.col("n") > settings.largest)
    left_out = large.select(F.lit("square").alias("step"), "n", F.lit("too large").alias("reason"))
    return Squared(squares.where(F.col("n") <= settings.largest), left_out, model, (squares,))


@step("tell", "tell what was found")
def tell(
    square_model: Path | None,
    tables: Mapping[str, DataFrame],
    manifest: dict[str, Any],
    say: Callable[[str], None],
) -> Told:
    done.append("tell")
    assert square_model is not None
    say(f"{len(tables)} tables")
    model = json.loads((square_model / "model.json").read_text())
    return Told({"told.txt": json.dumps({"model": model, "steps": [s["step"] for s in manifest["steps"]]})})


STEPS: tuple[Step[..., Any], ...] = (count_numbers, square_numbers, tell, publish, prune.on_request())


def words_of(settings: ToySettings) -> list[str]:
    file = Path(settings.warehouse).parent / "words.txt"
    return file.read_text().split() if file.exists() else []


def load(base: Path, files: Sequence[Path] = (), single: Sequence[str] = ()) -> ToySettings:
    return read_settings(ToySettings, base, files, single)


def make_pipeline(steps: Sequence[Step[..., Any]] = STEPS, **changed: Any) -> Pipeline:
    """The pipeline, or another one of some of its parts."""
    parts: dict[str, Any] = {
        "tables": {table.name: table for table in (NUMBERS, SQUARES, LEFT_OUT)},
        "models": {"square_model": "what was squared"},
        "inputs": {"words": Input("words", "a file of words", words_of, lambda s: " ".join(words_of(s)))},
        **changed,
    }
    return Pipeline(
        name="toy",
        version="1",
        command="toy",
        steps=tuple(steps),
        settings=ToySettings,
        load=load,
        prepare=lambda settings, chosen: settings,
        warehouse=lambda settings: settings.warehouse,
        title=lambda settings: "numbers",
        packages=("pyspark",),
        featured="squares",
        **parts,
    )


class Ended(NamedTuple):
    """How a run ended: its exit code and its manifest, which is empty if there is none."""

    code: int
    manifest: dict[str, Any]


def start(
    folder: Path,
    *single: str,
    options: Sequence[str] = (),
    only: str | None = None,
    steps: Sequence[Step[..., Any]] = STEPS,
) -> Ended:
    """Run the pipeline, or some of its steps, with settings of BASE replaced. The warehouse is `folder`/w.

    The first run has the id run-0, and so on.
    """
    done.clear()
    (folder / "base.yaml").write_text(BASE)
    run_id = f"run-{len(list(folder.glob('w/runs/*')))}"
    sets = [part for setting in (f"warehouse={folder}/w", *single) for part in ("--set", setting)]
    arguments = ["--run-id", run_id, *sets, *options]
    code = run_command(make_pipeline(steps), only, arguments, folder / "base.yaml")
    manifest = folder / "w" / "runs" / run_id / "manifest.json"
    return Ended(code, json.loads(manifest.read_text()) if manifest.exists() else {})
