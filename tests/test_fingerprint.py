"""A fingerprint follows the meaning of code, settings, inputs and the seed, and nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import toy
from conftest import ROOT
from songmood.engine.fingerprint import Fingerprints, code_fingerprint
from songmood.pipeline import PIPELINE
from songmood.settings import Settings

MODULE = '''"""A module."""

from {package} import helper


def work(x: int) -> int:
    """Add."""
    # a comment
    return helper.shift(x) + 1
'''
HELPER = """def shift(x):
    "Shift."
    return x + 2
"""


def test_comments_docstrings_and_layout_are_not_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "wording.py").write_text('"""One."""\n\n\ndef work(x):\n    """Two."""\n    return x + 1\n')
    module = importlib.import_module("wording")
    before = code_fingerprint(module.__name__)
    (tmp_path / "wording.py").write_text(
        "# Three.\ndef work(x):\n\n    return (x\n            + 1)  # four\n"
    )
    assert code_fingerprint(module.__name__) == before
    (tmp_path / "wording.py").write_text("def work(x):\n    return x + 2\n")
    assert code_fingerprint(module.__name__) != before


def test_a_function_with_only_a_docstring_still_parses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "hollow.py").write_text(
        'class Fault(Exception):\n    """A fault."""\n\n\ndef work():\n    pass\n'
    )
    module = importlib.import_module("hollow")
    before = code_fingerprint(module.__name__)
    (tmp_path / "hollow.py").write_text("class Fault(Exception):\n    pass\n\n\ndef work():\n    pass\n")
    assert code_fingerprint(module.__name__) == before


def test_code_of_imported_modules_of_the_package_counts(tmp_path: Path) -> None:
    """In processes of their own, because a process reads a module once."""

    def hash_with(helper: str) -> str:
        folder = tmp_path / "package"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        (folder / "module.py").write_text(MODULE.format(package="package"))
        (folder / "helper.py").write_text(helper)
        code = (
            "from package.module import work; from songmood.engine.fingerprint import code_fingerprint; "
            "print(code_fingerprint(work.__module__))"
        )
        environment = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'lib'}", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return found.stdout.strip()

    first = hash_with(HELPER)
    assert hash_with(HELPER.replace('"Shift."', '"Move to the right."')) == first
    assert hash_with(HELPER.replace("+ 2", "+ 3")) != first


def toy_prints(folder: Path, *single: str) -> dict[str, str]:
    base = folder / "base.yaml"
    base.write_text(toy.BASE)
    settings = toy.load(base, [], [f"warehouse={folder / 'w'}", *single])
    fingerprints = Fingerprints(toy.make_pipeline(), settings)
    return {step.name: fingerprints.of(step) for step in (toy.count_numbers, toy.square_numbers)}


def test_a_setting_counts_where_it_is_read_and_after(tmp_path: Path) -> None:
    plain = toy_prints(tmp_path)
    assert toy_prints(tmp_path) == plain
    other_square = toy_prints(tmp_path, "square.largest=2")
    assert other_square["count"] == plain["count"]
    assert other_square["square"] != plain["square"]
    other_count = toy_prints(tmp_path, "count.upto=6")
    assert other_count["count"] != plain["count"]
    assert other_count["square"] != plain["square"]


def test_a_setting_without_effect_does_not_count(tmp_path: Path) -> None:
    assert toy_prints(tmp_path, "count.batch_size=99") == toy_prints(tmp_path)


def test_the_seed_counts_for_steps_that_take_it(tmp_path: Path) -> None:
    plain, seeded = toy_prints(tmp_path), toy_prints(tmp_path, "seed=8")
    assert seeded["count"] == plain["count"]
    assert seeded["square"] != plain["square"]


def test_an_input_counts_where_it_is_read(tmp_path: Path) -> None:
    plain, off = toy_prints(tmp_path), toy_prints(tmp_path, "square.use_file=false")
    (tmp_path / "words.txt").write_text("one two")
    assert toy_prints(tmp_path)["square"] != plain["square"]
    assert toy_prints(tmp_path, "square.use_file=false") == off


def test_steps_of_songmood_have_fingerprints_of_their_own(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    def prints(*single: str) -> dict[str, str]:
        settings = make_settings(f"paths.corpus={tmp_path}", *single)
        fingerprints = Fingerprints(PIPELINE, settings)
        return {step.name: fingerprints.of(step) for step in PIPELINE.steps}

    plain = prints()
    writing = [step.name for step in PIPELINE.steps if PIPELINE.writes(step)]
    assert len({plain[name] for name in writing}) == len(writing)

    def changed(*single: str) -> set[str]:
        now = prints(*single)
        return {name for name in writing if now[name] != plain[name]}

    after_label = {"label", "train", "score", "cluster", "recommend"}
    assert changed("label.top_k=4") == after_label
    assert changed("encoder.batch_tokens=7") == set()
    assert changed("report.map_songs=5") == set()
    assert changed("fetch.threads=1") == set()
    assert {"ingest", "filter", "dedupe", "enrich", "label", "text", "embed"}.isdisjoint(changed("seed=8"))


def test_an_encoder_by_name_and_by_path_is_the_same(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    from songmood.encoder.files import resolve_encoder

    def embed_print(*single: str) -> str:
        settings = make_settings(f"paths.corpus={tmp_path}", *single)
        return Fingerprints(PIPELINE, settings).of(PIPELINE.find("embed"))

    assert embed_print() == embed_print(f"encoder.model={resolve_encoder('embedded')}")
