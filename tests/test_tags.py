"""tags: the tag files of a corpus, and pickles that are refused."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import pickletools
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from conftest import ROOT
from songmood.corpus.files import list_files
from songmood.corpus.pickles import read_pickle
from songmood.corpus.tags import TagFiles, read_tags
from songmood.engine.errors import UserError
from songmood.settings import Settings
from songmood.steps.enrich.tags import collect_tags
from songmood.tables import SONG_RECORDS

MB = 2**20
TAGS = {"TR1": [("happy", 100), ("pop", 40)], "TR2": [("sad", 7.5), ("ünï", "3")], "TR3": []}
SOCIAL = [
    {"lastfm_id": "TR1", "song_id": {"$oid": "s1"}, "socials": [{"social_tag": "pop", "nbr_tags": 100}]},
    {"song_id": {"$oid": "s2"}, "socials": [{"social_tag": "folk", "nbr_tags": "8"}]},
    {"lastfm_id": "TR3", "socials": []},
]
EMOTION = [{"lastfm_id": "TR1", "emotions": [{"emotion_tag": "happy", "nbr_tags": 60}]}]


@pytest.fixture
def tags(tmp_path: Path) -> Callable[..., str]:
    """A corpus with these files in tags/: name to what is in it."""

    def make(files: dict[str, Any]) -> str:
        (tmp_path / "tags").mkdir(exist_ok=True)
        for name, content in files.items():
            if isinstance(content, list):
                content = "[\n" + ",\n".join(map(json.dumps, content)) + "\n]\n"
            content = content.encode() if isinstance(content, str) else content
            path = tmp_path / "tags" / name
            path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return str(tmp_path)

    return make


def read(spark: SparkSession, corpus: str) -> TagFiles:
    return read_tags(spark, list_files(corpus, "tags"), MB, MB)


def found(files: TagFiles) -> set[tuple[str | None, ...]]:
    rows = files.rows.collect()
    assert len(set(rows)) == len(rows)
    return {tuple(row) for row in rows}


# -- all formats -----------------------------------------------------------------------------------


def test_files_of_every_format_are_read_together(spark: SparkSession, tags: Callable[..., str]) -> None:
    corpus = tags(
        {
            "social-tags.json": SOCIAL,
            "emotion-tags.json.gz": EMOTION,
            "lastfm_id_to_social_tags.pickle": pickle.dumps(TAGS),
            "lastfm_id_to_emotion_tags.pickle.gz": pickle.dumps({"TR9": [("calm", 5)]}),
            "flat.tsv": "song_id\ttag\tweight\ns9\tjazz\t50\n",
            "flat.jsonl": '{"song_id": "s8", "tag": "rock", "weight": 3.5}\nnot JSON\n',
        }
    )
    files = read(spark, corpus)
    assert found(files) == {
        ("s1", "TR1", "pop", "100", "wasabi"),
        ("s2", None, "folk", "8", "wasabi"),
        (None, "TR1", "happy", "60", "wasabi"),
        (None, "TR1", "happy", "100", "wasabi"),
        (None, "TR1", "pop", "40", "wasabi"),
        (None, "TR2", "sad", "7.5", "wasabi"),
        (None, "TR2", "ünï", "3", "wasabi"),
        (None, "TR9", "calm", "5", "wasabi"),
        ("s9", None, "jazz", "50", "files"),
        ("s8", None, "rock", "3.5", "files"),
    }
    (reject,) = files.rejects.collect()
    assert (reject["source"], reject["reason"]) == ("tags/flat.jsonl", "broken_json")


def test_without_files_there_are_no_rows(spark: SparkSession, tags: Callable[..., str]) -> None:
    files = read(spark, tags({}))
    assert (files.rows.count(), files.rejects.count()) == (0, 0)


def test_enrich_merges_the_lists_of_a_song(
    spark: SparkSession,
    tags: Callable[..., str],
    table: Callable[..., DataFrame],
    settings: Settings,
) -> None:
    corpus = tags(
        {
            "social-tags.json": [
                {"song_id": {"$oid": "one"}, "socials": [{"social_tag": "Pop", "nbr_tags": 400}]},
                {"song_id": {"$oid": "one"}, "socials": [{"social_tag": "happy", "nbr_tags": 100}]},
            ],
            "emotion-tags.json": [
                {"lastfm_id": "TR1", "emotions": [{"emotion_tag": "happy", "nbr_tags": 200}]}
            ],
            "flat.csv": "lastfm_id,tag,weight\nTR1,happy,30\nTR1,rock,20\n",
            "broken.json": '[\n{"lastfm_id": "TR1"\n]\n',
        }
    )
    records = table(SONG_RECORDS, record_id="one", song_id="one", lastfm_id="TR1")
    merged = collect_tags(records, read(spark, corpus).rows, {}, settings.enrich)
    assert {row["tag"]: row["weight"] for row in merged.collect()} == {
        "pop": 100.0,
        "happy": 50.0,
        "rock": 20.0,
    }


# -- pickles ---------------------------------------------------------------------------------------


def read_bytes(tmp_path: Path, content: bytes, max_bytes: int = MB) -> list[tuple[str, ...]]:
    (tmp_path / "a.pickle").write_bytes(content)
    return list(zip(*read_pickle(f"file://{tmp_path}/a.pickle", max_bytes).values(), strict=True))


def flat(tags: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(key, tag, str(weight)) for key, pairs in tags.items() for tag, weight in pairs]


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1),
        st.lists(st.tuples(st.text(), st.integers(0, 10**12) | st.floats(0, 1e9) | st.text(max_size=5))),
    ),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_pickles_of_every_protocol_are_read(
    tmp_path_factory: pytest.TempPathFactory, tags: dict[str, Any], protocol: int
) -> None:
    padded = tags | {"padding": [("x" * 5000, 1)]}  # so that repeated texts are a small part
    content = pickle.dumps(padded, protocol)
    assert read_bytes(tmp_path_factory.getbasetemp(), content) == flat(padded)
    optimized = pickletools.optimize(content)
    assert read_bytes(tmp_path_factory.getbasetemp(), optimized) == flat(padded)


def test_bytes_and_texts_of_python_2_are_read_as_text(tmp_path: Path) -> None:
    python_2 = b"\x80\x02}q\x00U\x03TR1q\x01]q\x02U\x05Caf\xc3\xa9q\x03K\x05\x86q\x04as."
    assert read_bytes(tmp_path, python_2) == [("TR1", "Café", "5")]
    assert read_bytes(tmp_path, pickle.dumps({"TR1": [("Café".encode(), 5)]})) == [("TR1", "Café", "5")]


class Runs:
    """Runs a command when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.file}'",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "ran"
    content = pickle.dumps({"TR1": [("happy", 1)], "TR2": Runs(trace)}, protocol)
    with pytest.raises(UserError, match=r"a\.pickle has more than texts, .*, so it was not read"):
        read_bytes(tmp_path, content)
    assert not trace.exists()
    pickle.loads(content)
    assert trace.exists()  # so the test would have noticed


def unfolding(levels: int) -> Any:
    value: Any = ("happy", 1)
    for _ in range(levels):
        value = (value, value)
    return value


def shared(songs: int, tags: int) -> dict[str, Any]:
    pairs = [("happy", 1)] * tags
    return {f"TR{n}": pairs for n in range(songs)}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pickle.dumps({"TR1": [unfolding(40)]}), "is not a pair \\(tag, weight\\)"),
        (pickle.dumps({"TR1": unfolding(40)}), "is not a pair \\(tag, weight\\)"),
        # hashing this key would take 2^40 steps
        (
            b"\x80\x04}" + b"K\x01\x94" + b"".join(b"h%c\x86\x94" % n for n in range(40)) + b"]s.",
            "keys that are not texts",
        ),
        (pickle.dumps(shared(20_000, 20_000)), "unfolds to far more text"),
        (pickle.dumps({"TR1": [("x" * 100_000, 1)] * 50_000}), "unfolds to far more text"),
        (b"\x80\x04}r\xff\xff\xff\xff.", ""),  # an entry far in the memo: Python would reserve 64 GB
        (b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.", ""),  # a frame of a TB
        (b"\x80\x04}X\x03\x00\x00\x00TR1]X\x01\x00\x00\x00t\x8b\x7f\xff\xff\x7f", "damaged or cut off"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "damaged or cut off"),  # a text of a TB
        (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.", "damaged or cut off|has more"),
        (b"(" * 200_000 + b"l" * 200_000 + b".", "is not a dict"),
        (b"}(" + b"(" * 200_000 + b"t" * 200_000 + b"]u.", "keys that are not texts"),
        (pickle.dumps(TAGS)[:-20], "damaged or cut off"),
        (b"}2s.", "has more than .* \\(operation DUP\\)"),
        (b"}Pname\n.", "has more than .* \\(operation PERSID\\)"),
        (b"", "damaged or cut off"),
        (b"no pickle", "is not a pickle"),
        (pickle.dumps([1, 2]), "is not a dict"),
        (pickle.dumps({"TR1": "happy"}), "whose tags are not a list"),
        (pickle.dumps({"TR1": [("happy", [1])]}), "is not a pair \\(tag, weight\\)"),
        (pickle.dumps({"TR1": [("x" * 2 * MB, 1)]}), "more than 1 MB: raise enrich.max_pickle_mb"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    if says:
        with pytest.raises(UserError, match=says) as error:
            read_bytes(tmp_path, content)
        assert "\n" not in str(error.value)
    else:  # what matters is that no memory is reserved
        assert read_bytes(tmp_path, content) == []


def test_an_unfolding_pickle_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "a.pickle").write_bytes(pickle.dumps(shared(50_000, 50_000)))
    script = f"""
import resource
from songmood.engine.errors import UserError
from songmood.corpus.pickles import read_pickle
resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_pickle("file://{tmp_path}/a.pickle", 2**20)
except UserError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT / "lib", timeout=120
    )
    kilobytes, _, message = done.stdout.partition(" ")
    assert "unfolds" in message
    assert int(kilobytes) < 400_000


def test_a_number_of_a_million_digits_is_limited(tmp_path: Path) -> None:
    large = int.from_bytes(b"\x7f" * 400_000, "little")
    content = pickle.dumps({"TR1": [("happy", large), ("sad", -large), ("none", None)]})
    weights = [row[2] for row in read_bytes(tmp_path, content)]
    assert weights == ["1000000000000000", "-1", "None"]
    assert pd.to_numeric(pd.Series(weights), errors="coerce").notna().tolist() == [True, True, False]
