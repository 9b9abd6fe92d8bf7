"""What a seal finds: every way in which a file or folder can differ from what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from songmood.engine.seal import FORMAT, SEAL, find_damage, from_sealed, seal_folder, to_sealed

LOCAL = fs.LocalFileSystem()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder with files of equal size, one of them in a folder within."""
    folder = tmp_path / "a folder"
    for name in ("a.parquet", "b.parquet", "model/weights.bin"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name[0].encode() * 1000)
    seal_folder(LOCAL, str(folder), {"rows": 7})
    return folder


def turn_a_bit(file: Path, place: int = 500) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))


def swap(first: Path, second: Path) -> None:
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])


def make_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def change(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))


# name -> (what is done, what is said of it, whether names and sizes show it)
DAMAGES: dict[str, tuple[Callable[[Path], Any], str, bool]] = {
    "a part is deleted": (lambda f: (f / "a.parquet").unlink(), "lacks a.parquet", True),
    "a part of a model is deleted": (lambda f: (f / "model/weights.bin").unlink(), "lacks model", True),
    "a part is a folder": (lambda f: make_a_folder(f / "a.parquet"), "lacks a.parquet", True),
    "a part is cut": (lambda f: (f / "b.parquet").write_bytes(b"b" * 500), "500 bytes of b.parquet", True),
    "a part is empty": (lambda f: (f / "b.parquet").write_bytes(b""), "has 0 bytes of b.parquet", True),
    "a part is longer": (lambda f: (f / "b.parquet").write_bytes(b"b" * 1001), "1,001 bytes", True),
    "a part more": (lambda f: (f / "c.parquet").write_bytes(b"c"), "does not belong to it, c.parquet", True),
    "a bit is turned": (lambda f: turn_a_bit(f / "a.parquet"), "another content of a.parquet", False),
    "the last bit is turned": (lambda f: turn_a_bit(f / "model/weights.bin", 999), "another content", False),
    "parts are swapped": (lambda f: swap(f / "a.parquet", f / "b.parquet"), "another content", False),
    "the seal is deleted": (lambda f: (f / SEAL).unlink(), "is not complete", True),
    "the seal is empty": (lambda f: (f / SEAL).write_bytes(b""), "is not complete", True),
    "the seal is {}": (lambda f: (f / SEAL).write_text("{}"), "is not complete", True),
    "the seal is cut": (lambda f: (f / SEAL).write_bytes((f / SEAL).read_bytes()[:100]), "is not comp", True),
    "the seal is changed": (lambda f: change(f / SEAL, "1000", "1001"), "is not complete", True),
    "the seal is a folder": (lambda f: make_a_folder(f / SEAL), "is not complete", True),
    "all is gone": (lambda f: f.rename(f.parent / "elsewhere"), "is not complete", True),
    "it is a file": (lambda f: (f.rename(f.parent / "x"), f.write_text("x")), "is not complete", True),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_found(folder: Path, name: str) -> None:
    do, message, shown_by_sizes = DAMAGES[name]
    assert find_damage(LOCAL, str(folder), whole=True) is None
    do(folder)
    found = find_damage(LOCAL, str(folder), whole=True)
    assert found is not None
    assert message in found
    assert (find_damage(LOCAL, str(folder), whole=False) is not None) == shown_by_sizes


def test_what_readers_pass_over_is_no_damage(folder: Path) -> None:
    for name in ("_SUCCESS", ".DS_Store", "_temporary/0/part", "model/.nfs1"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("anything")
    assert find_damage(LOCAL, str(folder), whole=True) is None


@given(st.dictionaries(st.text().filter(lambda key: key != "sha256"), JSON))
def test_a_sealed_file_has_the_content_that_was_written(content: dict[str, Any]) -> None:
    assert from_sealed(to_sealed(content).encode()) == content


SEALED = to_sealed({"step": "count", "rows": [1, 2.5], "figures": {"2": None, "10": "é"}})


@given(st.integers(0, len(SEALED) - 1), st.integers(0, 255))
def test_a_changed_byte_never_gives_another_content(place: int, byte: int) -> None:
    changed = bytearray(SEALED.encode())
    changed[place] = byte
    assert from_sealed(bytes(changed)) in (None, from_sealed(SEALED.encode()))


@given(st.binary())
def test_any_bytes_are_no_sealed_file(content: bytes) -> None:
    assert from_sealed(content) is None


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "[]", "null", "7", '"x"', '{"sha256": {}}', "[" * 100_000, "9" * 5000),
        *(SEALED[:-3], SEALED + SEALED, SEALED.replace("count", "Count")),
        json.dumps({**json.loads(SEALED), "more": 1}),
    ],
)
def test_what_is_not_as_written_counts_as_missing(content: str) -> None:
    assert from_sealed(content.encode()) is None


def test_another_version_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songmood.engine.seal.FORMAT", FORMAT + 1)
    assert from_sealed(SEALED.encode()) is None
