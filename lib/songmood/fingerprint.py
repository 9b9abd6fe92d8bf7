"""What a step's result depends on, as a hash: code, settings, packages and inputs.

Two runs whose fingerprints of a step agree would write the same tables, so the second reuses them.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from songmood.config import Config
from songmood.errors import SongmoodError
from songmood.tables import TABLES

if TYPE_CHECKING:
    from songmood.run import Step


def fingerprints(steps: Sequence[Step], config: Config) -> dict[str, str]:
    """The fingerprint of every step, from its code, settings, packages and inputs; reads no table."""
    made_by: dict[str, str] = {}  # table -> fingerprint of the step that wrote it last
    result = {}
    for step in steps:
        sections = config.model_dump(mode="json", include=set(step.sections))
        parts = {
            "code": code_fingerprint(step),
            "seed": config.seed,
            "sections": sections,
            "schemas": {t: TABLES[t].schema.jsonValue() for t in step.writes},
            "inputs": {t: made_by.get(t) for t in step.reads},
            "outside": step.outside(config) if step.outside else None,
        }
        text = json.dumps(parts, sort_keys=True)
        result[step.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
        made_by.update(dict.fromkeys(step.writes, result[step.name]))
    return result


def code_fingerprint(step: Step) -> str:
    """A hash of a step's job and module, the songmood modules they import, and the packages used.

    Settings and schemas enter a fingerprint by value, so config.py and tables.py are left out: a new
    setting elsewhere must not recompute everything. The same goes for the run and the store.
    """
    sources: dict[str, str] = {}
    packages: set[str] = set()
    job_module = sys.modules[step.job.__module__]
    waiting = [(step.name, _source_of(job_module))]
    while waiting:
        name, source = waiting.pop()
        sources[name] = source
        for imported in _imports(source):
            top = imported.split(".")[0]
            if top != "songmood":
                packages.add(top)
            elif imported not in sources and imported not in _BY_VALUE and _spec(imported):
                waiting.append((imported, _source(imported)))
    versions = {name: _version(name) for name in sorted(packages)}
    text = json.dumps({"sources": sources, "versions": versions}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


_BY_VALUE = {
    f"songmood{name}" for name in ("", ".config", ".tables", ".run", ".store", ".fingerprint", ".errors")
}


def _imports(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


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
        raise SongmoodError(f"cannot find the module {name}")
    return spec.loader.get_source(name) or ""  # type: ignore[attr-defined,no-any-return]


def _source_of(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _version(package: str) -> str | None:
    distributions = _distributions().get(package)
    return metadata.version(distributions[0]) if distributions else None


def package_versions() -> dict[str, str]:
    """Versions of the packages that make the results, for the manifest."""
    names = (
        "pyspark spark-nlp torch transformers gensim scikit-learn umap-learn pandas pyarrow numpy rapidfuzz "
        "py3langid vaderSentiment"
    )
    return {name: metadata.version(name) for name in names.split()}


def code_revision() -> str | None:
    """The git commit the code is at, with + if files differ; None outside a checkout."""
    here = Path(sys.argv[0]).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
