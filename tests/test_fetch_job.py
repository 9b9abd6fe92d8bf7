"""The fetch job as people run it: over a demo corpus, with the services as fakes."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import ROOT
from fake_services import ENVIRONMENT, FakeServices, fake_services

pytestmark = pytest.mark.slow

CORPUS = ("demo.songs=200", "demo.parts=[songs]", "filter.required_ids=[]", "fetch.lastfm.per_second=200")


def submit(folder: Path, *options: str, settings: list[str], keys: bool = True) -> tuple[int, str]:
    sets = [part for setting in [*CORPUS, *settings] for part in ("--set", setting)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [
            str(ROOT / "spark-submit.sh"),
            *options,
            "--master",
            "local[2]",
            *sets,
            "--",
            "--driver-memory",
            "2g",
        ],
        cwd=folder,
        env={**environment, **(ENVIRONMENT if keys else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout


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


def a_year_ahead(answers: Path) -> None:
    """As if the answers had been fetched before the clock was set back."""
    for shard in answers.glob("*.parquet"):
        rows = pq.read_table(shard)
        ahead = pc.add(rows["fetched_at"], pa.scalar(timedelta(days=365), pa.duration("us")))
        pq.write_table(rows.set_column(rows.schema.get_field_index("fetched_at"), "fetched_at", ahead), shard)


def test_a_run_goes_on_where_its_budget_ended_and_asks_nothing_twice(folder: Path) -> None:
    with fake_services(hits=lambda words: [], transient_share=0.1) as fake:
        first = ("all", "--until", "enrich", "--run-id", "first", "--max-requests", "25")
        code, said = submit(folder, *first, settings=switched_on(fake))
        assert code == 0, said
        assert "25 requests are made" in said
        assert len(fake.seen) == 25
        a_year_ahead(folder / "demo/warehouse/requests/answers")
        code, said = submit(
            folder, "all", "--until", "enrich", "--run-id", "second", settings=switched_on(fake)
        )
        assert code == 0, said
        assert "the clock seems to be set back" in said
        tags, audio = table(folder, "second", "tags"), table(folder, "second", "audio_features")
        songs = table(folder, "second", "deduped")
        assert set(tags["source"]) == {"lastfm"}
        assert set(tags["song_id"]) == set(songs["song_id"][songs["artist"].notna() & songs["title"].notna()])
        assert {*audio["source"]} <= {"reccobeats"}
        failures = table(folder, "second", "enrichment_failures")
        of_genius = failures[failures["source"] == "lyrics:genius"]
        assert set(of_genius["status"]) <= {"not_found", "not_asked"}
        assert not any(fake.tried[request] > 2 for request in fake.tried)
        answers = pd.read_parquet(folder / "demo/warehouse/requests/answers").query("source == 'lastfm'")
        known = answers.groupby("request")["attempts"].max().sum()
        # but for a retry that the budget cut off, what was asked is what is known
        assert known <= len(fake.asked("/2.0/")) <= known + 2


def test_keys_are_nowhere_after_a_run_that_fails(folder: Path) -> None:
    with fake_services() as fake:
        fake.respond = lambda path, body: (403, {}, f"{path} {body}")
        settings = [*switched_on(fake), "fetch.cache=failing"]
        code, said = submit(folder, "fetch", "--run-id", "refused", settings=settings)
        assert code == 0, said
        assert said.count("answers 403; the same command goes on") == 3
        settings.append("enrich.tags=[lastfm]")
        (folder / "failing" / "answers").mkdir(exist_ok=True)
        (folder / "failing" / "answers" / "000000000001-000000000002.parquet").write_text("cut")
        code, said = submit(folder, "fetch", "--run-id", "failed", settings=settings)
        assert code == 2
        assert "damaged: move it away" in said
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts.append(said.encode())
    for key in ENVIRONMENT.values():
        assert not any(key.encode() in text for text in texts)


def test_without_a_key_it_says_which(folder: Path) -> None:
    with fake_services() as fake:
        code, said = submit(folder, "fetch", "--run-id", "keyless", settings=switched_on(fake), keys=False)
    assert code == 2
    assert "no LASTFM_API_KEY: set it in the environment" in said.splitlines()[-1]
