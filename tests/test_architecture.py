"""What holds the house together: who computes where, and how large functions may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

LIB = ROOT / "lib" / "songmood"
STEPS = sorted((LIB / "steps").rglob("*.py"))

# Methods of a DataFrame that run a Spark job or bring rows to the driver.
ACTIONS = {
    *("collect", "toPandas", "toLocalIterator", "isEmpty", "first", "head", "take", "tail", "show"),
    *("foreach", "foreachPartition", "checkpoint", "localCheckpoint"),
}
EXCEPTIONS = ("fit_", "iterate_", "fetch_")  # functions whose names say that they do
MOST_LINES = 75  # of a function


def functions_of(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The outermost functions and methods of a module, with their names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions_of(node)


def actions_in(function: ast.FunctionDef) -> Iterator[str]:
    """What a function does beside describing tables: Spark jobs, reads and writes."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            is_function = isinstance(node.func.value, ast.Name) and node.func.value.id in ("F", "np", "pd")
            if name in ACTIONS and not is_function:
                yield f"{name}()"
            if name == "count" and not node.args and not node.keywords and not is_grouped(node.func.value):
                yield "count()"
        if isinstance(node, ast.Attribute) and node.attr == "write":
            yield "write"


def is_grouped(value: ast.expr) -> bool:
    """Whether it is rows grouped, whose count() is a table."""
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "groupBy"
    )


def found_in(source: str) -> list[tuple[str, str]]:
    return [
        (name, action)
        for name, function in functions_of(ast.parse(source))
        if not name.lstrip("_").startswith(EXCEPTIONS)
        for action in actions_in(function)
    ]


@pytest.mark.parametrize("file", STEPS, ids=lambda file: str(file.relative_to(LIB)))
def test_no_step_counts_collects_or_writes(file: Path) -> None:
    """Outside functions named fit_ (a bounded sample), iterate_ (until it settles) and fetch_ (a service)."""
    assert found_in(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rows.collect()", ["collect()"]),
        ("rows.where('x').count()", ["count()"]),
        ("rows.write.parquet('x')", ["write"]),
        ("F.first('x')", []),
        ("F.count('x')", []),
        ("text.count('x')", []),
        ("rows.groupBy('x').count()", []),
    ],
)
def test_the_search_finds_what_it_is_for(line: str, found: list[str]) -> None:
    assert [action for _, action in found_in(f"def make():\n    {line}\n")] == found
    assert found_in(f"def fit_model():\n    {line}\n") == []


def test_functions_stay_small() -> None:
    lengths = {
        f"{file.relative_to(LIB)}:{name}": (function.end_lineno or 0) - function.lineno + 1
        for file in LIB.rglob("*.py")
        for name, function in functions_of(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
