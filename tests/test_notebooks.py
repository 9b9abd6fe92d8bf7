"""Notebooks run from top to bottom on published tables, and are stored without outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

TABLES: dict[str, dict[str, list[Any]]] = {
    "deduped": {
        "song_id": ["a", "b", "c"],
        "artist": ["Ann", "Bea", None],
        "title": ["Home Again", "River of Dust", "Winter"],
    },
    "moods": {"song_id": ["a", "b", "c"], "mood": ["sad", "sad", "happy"], "p_happy": [0.1, 0.2, 0.9]},
    "labelled": {"song_id": ["a", "c"], "mood": ["sad", "happy"]},
    "clusters": {"song_id": ["a", "b", "c"], "cluster": [0, 0, 1]},
    "recommendations": {
        "seed_song_id": ["a", "a"],
        "rank": [2, 1],
        "song_id": ["c", "b"],
        "score": [0.2, 0.7],
        "words_similarity": [0.1, 0.6],
        "mood_similarity": [0.3, 0.8],
        "reason": ["Both sing of home.", "Both sing of river."],
    },
}


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    places = {name: f"tables/{name}/f" for name in TABLES}
    for name, columns in TABLES.items():
        folder = tmp_path / places[name]
        folder.mkdir(parents=True)
        pd.DataFrame(columns).to_parquet(folder / "part-0.parquet")
    (tmp_path / "current.json").write_text(json.dumps({"run_id": "r1", "tables": places}))
    return tmp_path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_explore_shows_moods_clusters_and_recommendations(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONGMOOD_WAREHOUSE", str(warehouse))
    notebook = nbformat.read(ROOT / "notebooks" / "explore.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    shown = {
        cell.id: "".join(
            output.get("text", "") or output["data"]["text/plain"]
            for output in cell.outputs
            if output.output_type in {"stream", "execute_result", "display_data"}
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    assert "run r1: 3 songs" in shown["tables"]
    assert "labelled" in shown["moods"]
    assert "Home Again – Ann; River of Dust – Bea" in shown["clusters"]
    assert "Home Again" in shown["songs"]
    assert shown["songs"].index("River of Dust") < shown["songs"].index("Winter")
