"""reproduce: each unit is done once, and the tables cover every song that was tested."""

from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from conftest import ROOT
from songmood.audio import AUDIO_FEATURES
from songmood.engine.errors import UserError
from songmood.engine.store import Store
from songmood.models import reproduction
from songmood.models.reproduction import Units, folder_of, reproduce
from songmood.models.table1 import Row, learning_rows, optimizer_curves, pool, table_rows, write_table
from songmood.report.curves import optimizer_figures
from songmood.report.table1 import render_table1
from songmood.settings import Settings, load_settings
from songmood.tables import METRICS
from tiny_encoder import HAPPY, NEUTRAL, SAD, WIDTH

SETTINGS = (
    *("train.epochs=1", "train.head_epochs=8", "train.head_learning_rate=0.01", "train.hidden_size=8"),
    *("train.trained_layers=1", "train.bootstrap_samples=50", "encoder.max_tokens=32"),
    *("encoder.window_overlap=8", "reproduce.folds=5", "reproduce.seeds=[1, 2]", "reproduce.epochs=1"),
    "reproduce.models=[majority, tfidf_logistic, modified_tbert]",
    *("reproduce.learning_models=[tfidf_logistic]", "reproduce.learning_shares=[0.5]"),
)
GRID = {"sgd": (0.001, 0.1)}


def made_songs() -> pd.DataFrame:
    chance = random.Random(1)
    rows = []
    for i in range(120):
        words = (HAPPY, SAD)[i % 2] if chance.random() < 0.8 else (SAD, HAPPY)[i % 2]
        text = " ".join(chance.choices(words, k=3) + chance.choices(NEUTRAL, k=4))
        rows.append(
            (f"s{i:03}", ("happy", "sad")[i % 2], f"artist {i // 3}", [0.1] * WIDTH, text, [0.5, 0.5])
        )
    songs = pd.DataFrame(rows, columns=["song_id", "mood", "artist", "embedding", "lyrics", "topic_weights"])
    return songs.assign(**dict.fromkeys(AUDIO_FEATURES, np.nan))


@pytest.fixture(scope="module")
def settings() -> Settings:
    grid = f"reproduce.optimizers={json.dumps({name: list(rates) for name, rates in GRID.items()})}"
    return load_settings(ROOT / "conf" / "base.yaml", [], (*SETTINGS, grid))


@pytest.fixture(scope="module")
def done(
    encoder: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Units, list[str]]:
    songs = made_songs()
    units = Units(Store(str(tmp_path_factory.mktemp("warehouse"))), folder_of(songs, settings, "encoder"))
    lines: list[str] = []
    reproduce(songs, encoder, settings, units, lines.append)
    return units, lines


@pytest.fixture(scope="module")
def rows(done: tuple[Units, list[str]], settings: Settings) -> list[Row]:
    return table_rows(done[0], artists(), settings)


def artists() -> dict[str, str]:
    songs = made_songs()
    return dict(zip(songs["song_id"], songs["artist"], strict=True))


def changed(settings: Settings, **reproduce: Any) -> Settings:
    section = settings.reproduce.model_copy(update=reproduce)
    return settings.model_copy(update={"reproduce": section})


def test_every_unit_is_done_once(done: tuple[Units, list[str]], encoder: Path, settings: Settings) -> None:
    units, lines = done
    folds, seeds, models = 5, 2, 3
    assert len(lines) == len(set(lines)) == folds * seeds * models + seeds + len(GRID["sgd"]) + 1
    again: list[str] = []
    reproduce(made_songs(), encoder, settings, units, again.append)
    assert again == []


def test_an_interrupted_run_resumes(
    done: tuple[Units, list[str]], encoder: Path, settings: Settings, tmp_path: Path
) -> None:
    fresh = Units(Store(str(tmp_path)), done[0].folder)
    models = ("majority", "modified_tbert")
    short = changed(settings, models=models, folds=2, seeds=(1,), learning_shares=(), optimizers={})

    class Interrupted(Exception):
        pass

    lines: list[str] = []

    def interrupt_after_three(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        reproduce(made_songs(), encoder, short, fresh, interrupt_after_three)
    reproduce(made_songs(), encoder, short, fresh, lines.append)
    assert len(lines) == len(set(lines)) == 4
    for model in models:
        whole, resumed = (pool(units, model, 2, 1) for units in (done[0], fresh))
        assert whole is not None
        assert resumed is not None
        np.testing.assert_allclose(whole.probabilities, resumed.probabilities, atol=1e-6)


def test_other_songs_settings_or_code_are_other_units(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = made_songs()
    folder = folder_of(songs, settings, "encoder")

    def after(**train: Any) -> str:
        section = settings.train.model_copy(update=train)
        return folder_of(songs, settings.model_copy(update={"train": section}), "encoder")

    assert folder_of(made_songs(), settings, "encoder") == folder
    assert folder_of(songs, settings, "another encoder") != folder
    assert folder_of(songs.assign(mood="sad"), settings, "encoder") != folder
    assert after(dropout=0.5) != folder
    assert after(fold=3, models=("majority", "modified_tbert")) == folder
    assert after(refit=False, bootstrap_samples=7) == folder
    monkeypatch.setattr(reproduction, "code_fingerprint", lambda *_: "another code")
    assert folder_of(songs, settings, "encoder") != folder


def test_songs_that_cannot_be_compared_raise_before_any_work(
    encoder: Path, settings: Settings, tmp_path: Path
) -> None:
    units, lines = Units(Store(str(tmp_path)), "units"), list[str]()
    songs = made_songs()
    sad = songs["mood"] == "sad"
    # ten songs and seven artists: for some seed a fold has none of them
    few = pd.concat([songs[~sad], songs[sad].head(10).assign(artist=[f"sad {i % 7}" for i in range(10)])])
    for unusable, requested, why in (
        (songs.head(0), settings, "no labelled songs"),
        (songs, changed(settings, folds=10), "10 folds of 0.2 of the songs would test some twice"),
        (few.reset_index(drop=True), settings, "no sad song for .*: its 7 artists are too few"),
    ):
        with pytest.raises(UserError, match=why):
            reproduce(unusable, encoder, requested, units, lines.append)
    assert lines == []


def test_models_that_cannot_be_trained_are_reported_once(
    encoder: Path, settings: Settings, tmp_path: Path
) -> None:
    nothing: dict[str, None] = dict.fromkeys(("lyrics", "embedding", "topic_weights"))
    songs = made_songs().assign(**nothing, **dict.fromkeys(AUDIO_FEATURES, 0.5))
    songs["valence"] = (songs["mood"] == "happy") * 0.5
    models = ("tfidf_logistic", "modified_tbert_no_audio", "base_network")
    requested = changed(settings, models=models, seeds=(1, 2), folds=2, learning_shares=(), optimizers=GRID)
    lines: list[str] = []
    reproduce(songs, encoder, requested, Units(Store(str(tmp_path)), "units"), lines.append)
    assert [line for line in lines if "too few lyrics" in line] == [lines[1]]
    assert "tfidf_logistic, modified_tbert_no_audio" in lines[1]
    assert len(lines) == 2 * 2 + 1 + len(GRID["sgd"]) + 1  # nothing to tune: no loss
    assert lines[-1] == "optimizer-sgd-0.001-epochs1-seed2: validation loss inf"


def test_a_small_share_of_the_songs_keeps_a_rare_mood(
    encoder: Path, settings: Settings, tmp_path: Path
) -> None:
    songs = made_songs().assign(artist=[f"artist {i}" for i in range(120)])
    songs = songs.drop(songs.index[songs["mood"] == "sad"][11:])
    models = {"models": ("tfidf_logistic",), "learning_models": ("tfidf_logistic",)}
    requested = changed(settings, **models, seeds=(1, 2, 3), learning_shares=(0.1,), optimizers={})
    units = Units(Store(str(tmp_path)), "units")
    reproduce(songs, encoder, requested, units, lambda _: None)  # scikit-learn needs two moods
    assert [row["songs"] for row in learning_rows(units, requested)][:3] == [4 + 1] * 3  # of 42 and 8


def test_every_song_is_tested_once_for_each_seed(done: tuple[Units, list[str]]) -> None:
    pooled = pool(done[0], "tfidf_logistic", 5, 2)
    assert pooled is not None
    assert pooled.song_ids == made_songs()["song_id"].tolist()
    assert (np.array(pooled.moods)[pooled.truth] == made_songs()["mood"]).all()
    assert pool(done[0], "tfidf_logistic", 5, 9) is None


def test_the_table_has_gains_with_their_errors(done: tuple[Units, list[str]], rows: list[Row]) -> None:
    assert [row["model"] for row in rows] == ["majority", "tfidf_logistic", "modified_tbert"]
    majority, baseline, tbert = rows
    assert baseline["gain"] is None
    right = []
    for model in ("majority", "tfidf_logistic"):
        pooled = [p for seed in (1, 2) if (p := pool(done[0], model, 5, seed)) is not None]
        assert len(pooled) == 2
        right.append(np.mean([p.probabilities.argmax(axis=1) == p.truth for p in pooled], axis=0))
    assert majority["gain"] == pytest.approx((right[0] - right[1]).mean())
    assert baseline["accuracy"] == pytest.approx(right[1].mean())
    # each artist has three songs: the error is that of the sums by artist
    width = 2 * 1.96 * right[1].reshape(40, 3).sum(axis=1).std() / 3 / np.sqrt(40)
    assert baseline["accuracy_high"] - baseline["accuracy_low"] == pytest.approx(width, rel=0.3)
    sums = (right[0] - right[1]).reshape(40, 3).sum(axis=1)
    assert majority["gain_error"] == pytest.approx(sums.std() / 3 / np.sqrt(40), rel=0.3)
    assert majority["mcnemar_p"] is None
    assert baseline["accuracy"] > 0.7
    both = [pool(done[0], model, 5, 1) for model in ("tfidf_logistic", "modified_tbert")]
    before, after = (p.probabilities.argmax(axis=1) == p.truth for p in both if p is not None)
    better, worse = int((after & ~before).sum()), int((before & ~after).sum())
    assert tbert["mcnemar_p"] == pytest.approx(binomtest(better, better + worse).pvalue)
    areas = []
    for seed, fold in itertools.product((1, 2), range(5)):
        unit = done[0].get(f"modified_tbert-fold{fold}-seed{seed}")
        assert unit is not None
        areas.append(roc_auc_score(unit["mood"], np.array(unit["probabilities"])[:, 1]))
    assert tbert["roc_auc"] == pytest.approx(np.mean(areas))  # songs of two folds are not ranked together
    assert {row["n"] for row in rows} == {120}


def test_with_few_folds_the_table_covers_the_songs_that_were_tested(
    done: tuple[Units, list[str]], settings: Settings
) -> None:
    rows = table_rows(done[0], artists(), changed(settings, folds=2))
    pooled = [p for seed in (1, 2) if (p := pool(done[0], "majority", 2, seed)) is not None]
    assert pooled[0].song_ids != pooled[1].song_ids  # another seed deals other songs into the folds
    assert rows[0]["n"] == len({song for predictions in pooled for song in predictions.song_ids}) < 120
    right = [(predictions.guesses == predictions.truth).mean() for predictions in pooled]
    assert rows[0]["accuracy"] == pytest.approx(np.mean(right))
    for row in rows:
        for name in METRICS:
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_the_learning_curve_and_the_optimizers(done: tuple[Units, list[str]], settings: Settings) -> None:
    learning = learning_rows(done[0], settings)
    assert [(row["model"], row["seed"]) for row in learning] == [("tfidf_logistic", s) for s in (1, 2, 1, 2)]
    assert learning[0]["songs"] == learning[1]["songs"]  # both seeds have one place on the axis
    assert learning[0]["songs"] * 2 == pytest.approx(learning[2]["songs"], abs=1)
    assert learning_rows(done[0], changed(settings, learning_shares=())) == []
    curves = list(optimizer_curves(done[0], settings))
    assert [(curve["optimizer"], curve["seed"]) for curve in curves] == [("sgd", 1), ("sgd", 2)]
    assert len({curve["rate"] for curve in curves}) == 1


def test_the_table_shows_the_figures_of_the_paper_too(
    done: tuple[Units, list[str]], rows: list[Row], settings: Settings
) -> None:
    text = write_table(rows, learning_rows(done[0], settings), list(optimizer_curves(done[0], settings)))
    lines: list[list[Any]] = [line.split(" | ") for line in text.splitlines()]
    assert lines[4][-1].startswith("76.4 / 79.2 / 85.6")
    assert {len(line) for line in lines[:5]} == {14}
    assert text.count("| sgd |") == 1
    assert "tfidf_logistic" in text


def test_seeds_with_unequal_epochs_have_one_place_on_the_axis() -> None:
    rows = [
        ("sgd", 0.1, seed, step, 0.5 + seed / 10, "validation")
        for seed, step in ((1, 19), (2, 18), (1, 38), (2, 36))
    ]
    points = pd.DataFrame(rows, columns=["optimizer", "rate", "seed", "step", "loss", "split"])
    _, validation = optimizer_figures(points)
    (_, line) = json.loads(validation["figure"].unescape())["data"]
    assert line["x"] == [18, 37]
    assert line["y"] == [0.65, 0.65]


def test_the_page_shows_table_curve_and_optimizers(
    done: tuple[Units, list[str]], rows: list[Row], settings: Settings
) -> None:
    run = {"run_id": "<b>r</b>", "settings": settings.model_dump(mode="json")}
    learning, curves = learning_rows(done[0], settings), list(optimizer_curves(done[0], settings))
    page = render_table1(rows, learning, curves, run)
    assert "<b>r</b>" not in page
    charts = re.findall(r'<div class="chart" role="img" aria-label="([^"]+)">', page)
    assert charts == ["accuracy by number of training songs", "train loss", "validation loss"]
    found = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    (band, line) = found[0]["data"]
    accuracies = [row["accuracy"] for row in learning]
    assert line["y"] == [round(float(np.mean(pair)), 4) for pair in (accuracies[:2], accuracies[2:])]
    assert band["fill"] == "toself"
    cells = re.sub(r"<[^>]+>", " ", page[page.index("<h2>Models") : page.index("<h2>Learning")]).split()
    assert "76.4%" in cells
    assert "Every song is tested once for each seed" in page
    half = {**run, "settings": {**run["settings"], "reproduce": {**run["settings"]["reproduce"], "folds": 2}}}
    assert "Every song" not in render_table1(rows, learning, curves, half)
    assert "None" not in cells
    empty = render_table1([], [], [], run)
    assert "No learning curve was requested" in empty
    assert "No optimizers were requested" in empty
