"""The step fetch as people run it: over a demo corpus, with fake services."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
from fake_services import ENVIRONMENT, FakeServices, fake_services

pytestmark = pytest.mark.slow

CORPUS = ("demo.songs=200", "demo.parts=[songs]", "filter.required_ids=[]", "fetch.lastfm.per_second=200")


def submit(folder: Path, *options: str, settings: list[str], keys: bool = True) -> tuple[int, str]:
    """A run over songs without ids; its exit code, and what the terminal showed."""
    ended = runs.submit(
        folder, *options, settings=(*CORPUS, *settings), environment=ENVIRONMENT if keys else {}
    )
    return ended.code, ended.out + ended.err


def manifest(folder: Path, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (folder / "demo/warehouse/runs" / run_id / "manifest.json").read_text()
    )
    return found


def table(folder: Path, run_id: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "demo/warehouse" / manifest(folder, run_id)["tables"][name])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fetch")


def switched_on(fake: FakeServices) -> list[str]:
    order = ("tags=[files, lastfm]", "lyrics=[files, genius]", "audio_features=[files, reccobeats]")
    return [*fake.settings(), *(f"enrich.{setting}" for setting in order)]


@contextmanager
def cache(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "answers.sqlite")) as answers, answers:
        yield answers


def test_a_run_goes_on_where_its_budget_ended_and_asks_nothing_twice(folder: Path) -> None:
    with fake_services(hits=lambda words: [], transient_share=0.1) as fake:
        first = ("all", "--until", "fetch", "--run-id", "first", "--max-requests", "25")
        code, output = submit(folder, *first, settings=switched_on(fake))
        assert code == 0, output
        assert "25 requests were made" in output
        assert len(fake.seen) == 25
        requests = folder / "demo/warehouse/requests"
        with cache(requests) as answers:  # as if the clock had been set back by a year since then
            answers.execute("UPDATE answers SET fetched_at = fetched_at + ?", (365 * 86_400 * 10**6,))
        code, output = submit(
            folder, "all", "--until", "enrich", "--run-id", "second", settings=switched_on(fake)
        )
        assert code == 0, output
        assert "the clock may be set back" in output
        tags, audio = table(folder, "second", "tags"), table(folder, "second", "audio_features")
        songs = table(folder, "second", "deduped")
        assert set(tags["source"]) == {"lastfm"}
        assert set(tags["song_id"]) == set(songs["song_id"][songs["artist"].notna() & songs["title"].notna()])
        assert {*audio["source"]} <= {"reccobeats"}
        failures = table(folder, "second", "enrichment_failures")
        without_lyrics = failures[failures["source"] == "lyrics:genius"]
        assert set(without_lyrics["status"]) <= {"not_found", "not_asked"}
        assert not any(fake.tried[request] > 2 for request in fake.tried)
        with cache(requests) as answers:
            query = "SELECT request, max(attempts) FROM answers WHERE source = 'lastfm' GROUP BY request"
            attempts = sum(count for _, count in answers.execute(query))
        # the answers count every request but a retry that the budget cut off
        assert attempts <= len(fake.asked("/2.0/")) <= attempts + 2


def test_keys_are_nowhere_after_a_run_that_fails(folder: Path) -> None:
    with fake_services() as fake:
        fake.respond = lambda path, body: (403, {}, f"{path} {body}")
        settings = [*switched_on(fake), "fetch.cache=failing"]
        code, output = submit(folder, "fetch", "--run-id", "refused", settings=settings)
        assert code == 0, output
        assert output.count("answers 403; run the same command again to resume") == 3
        settings.append("enrich.tags=[lastfm]")
        (folder / "failing" / "answers.sqlite").write_text("not a database")
        code, output = submit(folder, "fetch", "--run-id", "failed", settings=settings)
        assert code == 2
        assert "damaged: move it away" in output
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts.append(output.encode())
    for key in ENVIRONMENT.values():
        assert not any(key.encode() in text for text in texts)


def test_without_a_key_it_says_which(folder: Path) -> None:
    with fake_services() as fake:
        code, output = submit(folder, "fetch", "--run-id", "keyless", settings=switched_on(fake), keys=False)
    assert code == 2
    assert "no LASTFM_API_KEY: set it in the environment" in output.splitlines()[-1]
