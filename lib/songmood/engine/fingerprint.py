"""What a step's result depends on, as a hash: the meaning of its code, settings, packages and inputs.

Two runs whose fingerprints of a step agree would write the same tables, so the second one reuses them.
Comments, docstrings and layout are not a part of what code means.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from songmood.engine.errors import UserError
from songmood.engine.pipeline import Pipeline
from songmood.engine.settings import RootSettings, with_effect
from songmood.engine.step import Step

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_ENGINE = __name__.rpartition(".")[0]


class Fingerprints:
    """The fingerprints of a pipeline's steps, each computed when it is needed, in the order of the steps.

    An input is looked at when the step that reads it comes up, so an earlier step may still make it.
    """

    def __init__(self, pipeline: Pipeline, settings: RootSettings) -> None:
        self._pipeline, self._settings = pipeline, settings
        self._made_by: dict[str, str] = {}  # table or model -> fingerprint of the step that wrote it last
        self._waiting = iter(pipeline.steps)
        self._found: dict[str, str] = {}

    def of(self, step: Step[..., Any]) -> str:
        """The fingerprint of a step. Reads no table."""
        while step.name not in self._found:
            self._advance(next(self._waiting))
        return self._found[step.name]

    def _advance(self, step: Step[..., Any]) -> None:
        pipeline, settings = self._pipeline, self._settings
        writes = pipeline.writes(step)
        if not writes:  # never reused, so nothing need be known of it
            self._found[step.name] = ""
            return
        parameters = step.parameters
        sections = [section for _, section in pipeline.sections(step.function, settings)]
        shared = [name for name in writes if name in pipeline.tables and pipeline.tables[name].shared]
        parts = {
            "code": code_fingerprint(step.function.__module__, pipeline.by_value),
            "seed": settings.seed if "seed" in parameters else None,
            "sections": {type(section).__name__: with_effect(section) for section in sections},
            "schemas": {t: pipeline.tables[t].schema.jsonValue() for t in writes if t in pipeline.tables},
            "reads": {n: self._made_by.get(n) for n in [*pipeline.reads(step, settings), *shared]},
            "inputs": {i.name: i.fingerprint(settings) for i in pipeline.inputs_of(step, settings)},
        }
        text = json.dumps(parts, sort_keys=True, default=str)
        self._found[step.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._made_by.update(dict.fromkeys(writes, self._found[step.name]))


def code_fingerprint(module: str, by_value: Iterable[str] = (), with_versions: bool = True) -> str:
    """A hash of the meaning of a module, of the modules of its package that it imports, and, `with_versions`,
    of the versions of the other packages that they import.

    `by_value` names modules that are left out, because what matters of them (settings, schemas) is a
    part of the fingerprint as a value. The engine is left out, too.
    """
    top = module.partition(".")[0]
    left_out = {top, *by_value}
    meanings: dict[str, str] = {}
    packages: set[str] = set()
    waiting = [(module, _source_of_loaded(module))]
    while waiting:
        name, source = waiting.pop()
        tree = ast.parse(source)
        meanings[name] = _meaning(tree)
        for imported in _imports(tree):
            package = imported.partition(".")[0]
            if package != top:
                packages.add(package)
            elif imported not in meanings and not _is_left_out(imported, left_out) and _spec(imported):
                waiting.append((imported, _source(imported)))
    versions = {name: _version(name) for name in sorted(packages) if with_versions}
    text = json.dumps({"meanings": meanings, "versions": versions}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_left_out(module: str, names: set[str]) -> bool:
    return module in names or module == _ENGINE or module.startswith(f"{_ENGINE}.")


def _meaning(tree: ast.Module) -> str:
    """A module's code without its docstrings, comments and layout."""
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _spec(name: str) -> ModuleSpec | None:
    """Where a module is, None if there is none. It imports nothing, not even parents: some take seconds."""
    parent = name.rpartition(".")[0]
    above = _spec(parent) if parent else None
    if parent and (above is None or above.submodule_search_locations is None):
        return None
    return PathFinder.find_spec(name, above.submodule_search_locations if above else None)


@cache
def _source(name: str) -> str:
    spec = _spec(name)
    if spec is None or spec.loader is None:
        raise UserError(f"cannot find the module {name}")
    return spec.loader.get_source(name) or ""  # type: ignore[attr-defined,no-any-return]


def _source_of_loaded(name: str) -> str:
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file).read_text(encoding="utf-8") if file and Path(file).is_file() else _source(name)


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _version(package: str) -> str | None:
    distributions = _distributions().get(package)
    return metadata.version(distributions[0]) if distributions else None


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of packages, for the manifest."""
    return {name: metadata.version(name) for name in names}


def code_revision() -> str | None:
    """The git commit that the code is at, with + if files differ; None outside a checkout."""
    here = Path(sys.argv[0]).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
