from __future__ import annotations

import dataclasses
import json
import math
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from conftest import as_rows
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import encoder_id, resolve_encoder
from songmood.engine.errors import UserError
from songmood.models.baselines import Majority, naive_bayes
from songmood.models.evaluate import evaluate, fit_temperature, mcnemar, temper
from songmood.models.heads import Fusion, Head
from songmood.models.lexicon import read_lexicon
from songmood.models.linear import Lexicon, Reading, Words
from songmood.models.neural import DESCRIPTION, HEAD, KINDS, NeuralModel, describe
from songmood.models.splits import deal, split_songs
from songmood.settings import EncoderSettings, Settings
from songmood.steps.train import Comparison, TrainedModels, fit_models, training_frame, training_songs
from songmood.tables import (
    AUDIO,
    AUDIO_FEATURES,
    DEDUPED,
    EMBEDDINGS,
    LABELLED,
    LYRICS,
    METRICS,
    TABLES,
    TOPICS,
)
from tiny_encoder import HAPPY, NEUTRAL, SAD, write_tiny_encoder

QUICK = (
    "train.epochs=2",
    "train.head_epochs=20",
    "train.head_learning_rate=0.01",
    "train.hidden_size=8",
    "train.trained_layers=1",
    "train.bootstrap_samples=50",
    "train.encoder_learning_rate=0.001",
    "encoder.max_tokens=32",
    "encoder.window_overlap=8",
)
READS = EncoderSettings(
    model="",
    read_by="line",
    max_line_words=12,
    pooling="mean",
    max_tokens=32,
    window_overlap=8,
    max_windows=2,
    batch_size=8,
)
Tables = dict[str, DataFrame]
FINAL_TEST = ("fusion", "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny_train"))


@pytest.fixture(scope="module")
def quick() -> Settings:
    root = Path(__file__).resolve().parent.parent
    return settings.load_settings(root / "conf" / "base.yaml", [], QUICK)


def song_tables(
    spark: SparkSession, folder: Path, moods: dict[str, int], lyrics: bool = True, audio: bool = True
) -> Tables:
    """Songs whose words and valence lean with the mood; of ten, one has no lyrics and one no audio."""
    rng = random.Random(1)
    words = dict(zip(moods, (HAPPY, SAD, NEUTRAL), strict=False))
    encoder = Encoder(folder, READS)
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
    names = [mood for mood, count in moods.items() for _ in range(count)]
    for i, mood in enumerate(names):
        song_id = f"s{i:03d}"
        song = {"song_id": song_id, "artist": f"Artist {i // 2}", "title": f"Title {i}", "version_count": 1}
        rows["deduped"].append(tuple(song.get(name) for name in DEDUPED.column_names))
        rows["labelled"].append((song_id, mood, mood, 0.5))
        if lyrics and i % 10 != 3:
            text = " ".join(rng.choices(words[mood], k=3) + rng.choices(NEUTRAL, k=rng.randint(3, 9)))
            rows["lyrics"].append((song_id, text, "files", None, None, None, None))
            rows["topics"].append((song_id, [0.7, 0.3] if mood == names[0] else [0.4, 0.6]))
            rows["embeddings"].append((song_id, encoder.read([text])[0].tolist(), "", "tiny"))
        if audio and i % 10 != 4:
            values = {name: rng.random() for name in AUDIO_FEATURES} | {"key": i % 12, "mode": 1}
            values |= {"time_signature": 4, "valence": 0.6 if mood == names[0] else 0.4, "tempo": None}
            rows["audio_features"].append((song_id, *(values[name] for name in AUDIO_FEATURES), "files"))
    wanted = (LABELLED, DEDUPED, LYRICS, EMBEDDINGS, TOPICS, AUDIO)
    return {table.name: spark.createDataFrame(rows[table.name], table.schema) for table in wanted}


def take(tables: Tables, settings: Settings) -> DataFrame:
    frames = (tables[table.name] for table in (LABELLED, DEDUPED, LYRICS, EMBEDDINGS, TOPICS, AUDIO))
    return training_songs(*frames, settings.train, settings.seed)


@pytest.fixture(scope="module")
def tables(spark: SparkSession, folder: Path) -> Tables:
    return song_tables(spark, folder, {"happy": 60, "sad": 40})


@pytest.fixture(scope="module")
def trained(
    tables: Tables, folder: Path, quick: Settings, tmp_path_factory: pytest.TempPathFactory
) -> TrainedModels:
    return fit_models(take(tables, quick), folder, quick, tmp_path_factory.mktemp("mood"))


# -- which songs -----------------------------------------------------------------------------------


def test_training_songs(spark: SparkSession, folder: Path, quick: Settings, tables: Tables) -> None:
    songs = {row["song_id"]: row for row in as_rows(take(tables, quick))}
    assert len(songs) == 100
    assert songs["s003"]["lyrics"] is None
    assert songs["s003"]["valence"] == 0.6
    assert songs["s004"]["valence"] is None
    assert songs["s004"]["lyrics"]
    assert songs["s001"]["artist"] == songs["s000"]["artist"] == "artist 0"


def test_whose_a_song_is(spark: SparkSession, folder: Path, quick: Settings, tables: Tables) -> None:
    names = {
        **{"s000": "Tom Petty", "s001": "Tom Petty & The Heartbreakers", "s002": "Simon and Garfunkel"},
        **{"s005": "!!!", "s006": " !!! ", "s007": "...", "s008": None, "s009": " "},
    }
    named = F.create_map(*(F.lit(x) for pair in names.items() for x in pair))
    deduped = tables["deduped"].withColumn(
        "artist", F.when(F.col("song_id").isin(*names), named[F.col("song_id")]).otherwise(F.col("artist"))
    )
    frame = training_frame(take({**tables, "deduped": deduped}, quick)).set_index("song_id")["artist"]
    assert {song: frame[song] for song in names} == {
        **{"s000": "tom petty", "s001": "tom petty", "s002": "simon and garfunkel"},
        **{"s005": "!!!", "s006": "!!!", "s007": "...", "s008": "s008", "s009": "s009"},
    }


def test_song_with_neither_lyrics_nor_audio_is_not_used(
    spark: SparkSession, folder: Path, quick: Settings, tables: Tables
) -> None:
    nothing = dict(tables)
    nothing["lyrics"] = tables["lyrics"].where("song_id <> 's000'")
    nothing["audio_features"] = tables["audio_features"].where("song_id <> 's000'")
    assert "s000" not in {row["song_id"] for row in take(nothing, quick).collect()}
    signs = F.when(F.col("song_id") == "s000", "... !").otherwise(F.col("lyrics"))
    nothing["lyrics"] = tables["lyrics"].withColumn("lyrics", signs)
    assert "s000" not in {row["song_id"] for row in take(nothing, quick).collect()}


def test_sample_is_bounded_and_does_not_hang_on_order(
    make_settings: Callable[..., Settings], tables: Tables
) -> None:
    settings = make_settings("train.max_songs=7")
    ids = sorted(row["song_id"] for row in take(tables, settings).collect())
    shuffled = {name: frame.repartition(3) for name, frame in tables.items()}
    assert len(ids) == 7
    assert ids == sorted(row["song_id"] for row in take(shuffled, settings).collect())
    assert ids != sorted(
        row["song_id"] for row in take(tables, make_settings("train.max_songs=7", "seed=8")).collect()
    )


# -- splits ----------------------------------------------------------------------------------------


def test_splits_keep_artists_apart_and_moods_alike(quick: Settings) -> None:
    rng = np.random.default_rng(0)
    moods = pd.Series((rng.random(600) < 0.3).astype(int))
    artists = pd.Series([f"a{n}" for n in rng.integers(150, size=600)])
    split = split_songs(moods, artists, ["happy", "sad"], quick.train, 1)
    seen = pd.DataFrame({"split": split, "artist": artists, "mood": moods})
    assert seen.groupby("artist")["split"].nunique().max() == 1
    shares = seen["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["validation"] == pytest.approx(0.1, abs=0.03)
    assert seen.groupby("split")["mood"].mean().to_numpy() == pytest.approx(moods.mean(), abs=0.05)
    assert (split == split_songs(moods, artists, ["happy", "sad"], quick.train, 1)).all()
    assert (split != split_songs(moods, artists, ["happy", "sad"], quick.train, 2)).any()


def test_over_the_folds_every_song_is_tested_once(make_settings: Callable[..., Settings]) -> None:
    moods = pd.Series([0, 1, 0] * 100)
    artists = pd.Series([f"a{n % 60}" for n in range(300)])
    folds = [
        split_songs(moods, artists, ["happy", "sad"], make_settings(f"train.fold={fold}").train, 1)
        for fold in range(5)
    ]
    assert (sum((split == "test").astype(int) for split in folds) == 1).all()


def test_too_few_to_be_dealt() -> None:
    moods = [0, 1] * 7
    for artists, why in (
        (None, "7 songs of a mood are too few for 10"),
        (pd.Series([f"a{n}" for n in range(14)]), "7 songs of a mood"),
        (pd.Series(["one", "other"] * 7), "2 artists are too few for 5"),
    ):
        with pytest.raises(UserError, match=why):
            list(deal(moods, artists, 5 if artists is not None and artists.nunique() == 2 else 10, 1))


def test_too_few_artists_to_keep_apart(quick: Settings, make_settings: Callable[..., Settings]) -> None:
    moods, artists = pd.Series([0, 1] * 20), pd.Series(["one", "two"] * 20)
    with pytest.raises(UserError, match=r"2 artists are too few.*train\.split_by"):
        split_songs(moods, artists, ["happy", "sad"], quick.train, 1)
    few_sad = pd.Series([f"a{n}" for n in range(36)] + ["sad one", "sad other"] * 2)
    with pytest.raises(UserError, match=r"no sad song for \w+: its 2 artists are too few"):
        split_songs(pd.Series([0] * 36 + [1] * 4), few_sad, ["happy", "sad"], quick.train, 1)
    random_split = make_settings("train.split_by=random").train
    split = split_songs(moods, artists, ["happy", "sad"], random_split, 1)
    assert {name: int((split == name).sum()) for name in ("train", "validation", "test")} == {
        "train": 28,
        "validation": 4,
        "test": 8,
    }


# -- figures ---------------------------------------------------------------------------------------


def test_figures_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])  # happy, happy, happy, sad
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    figures = evaluate(["happy", "sad"], truth, probabilities, seed=1, bootstrap_samples=200)
    assert figures["accuracy"] == 0.5
    assert figures["precision"] == pytest.approx(2 / 3)  # 3 called happy, 2 are
    assert figures["recall"] == pytest.approx(2 / 3)  # 3 are happy, 2 found
    assert figures["f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert figures["roc_auc"] == pytest.approx(2 / 3)  # sad's 0.4 is above two of three happy songs'
    assert figures["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.3, 0.4])))
    assert figures["n"] == 4
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    assert low is not None
    assert high is not None
    assert 0 <= low < 0.5 < high <= 1


@pytest.mark.parametrize("moods", [["happy", "sad"], ["angry", "happy", "sad"]])
def test_figures_are_scikit_learns(moods: list[str]) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(len(moods), size=200)
    probabilities = rng.dirichlet(np.ones(len(moods)), 200).round(2)  # rounded: some tie
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    figures = evaluate(moods, truth, probabilities, 1, 50)
    guesses = probabilities.argmax(axis=1)
    two = len(moods) == 2
    average: dict[str, Any] = {"average": "binary", "pos_label": 0} if two else {"average": "macro"}
    expected = {
        "accuracy": accuracy_score(truth, guesses),
        "precision": precision_score(truth, guesses, **average),
        "recall": recall_score(truth, guesses, **average),
        "f1": f1_score(truth, guesses, average="macro"),
        "roc_auc": roc_auc_score(truth, probabilities[:, 1] if two else probabilities, multi_class="ovr"),
        "log_loss": log_loss(truth, probabilities),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    for name in METRICS:
        low, value, high = (figures[key] for key in (f"{name}_low", name, f"{name}_high"))
        assert low is not None
        assert value is not None
        assert high is not None
        assert low < high
        assert low <= value <= high


def test_an_interval_is_as_wide_as_theory_has_it() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros(400, dtype=int)
    right = rng.random(400) < 0.7
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    figures = evaluate(["happy", "sad"], truth, probabilities, 1, 2000)
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.7 * 0.3 / 400), rel=0.1)


def test_calibration_error_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.95, 0.05], [0.62, 0.38], [0.66, 0.34]])
    figures = evaluate(["happy", "sad"], truth, probabilities, 1, 10)
    # the first two are right and say 0.925; of the last two one is right and they say 0.64
    assert figures["calibration_error"] == pytest.approx(0.5 * (1 - 0.925) + 0.5 * (0.64 - 0.5))


def test_the_interval_of_a_calibration_error_is_around_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):  # perfectly calibrated: all there is comes from chance, and drawing anew adds to it
        happy = rng.random(150)
        truth = (rng.random(150) >= happy).astype(int)
        figures = evaluate(["happy", "sad"], truth, np.column_stack([happy, 1 - happy]), 1, 200)
        low, value, high = (figures[f"calibration_error{end}"] for end in ("_low", "", "_high"))
        assert low is not None
        assert value is not None
        assert high is not None
        assert 0 <= low < value < high


def test_mcnemar_looks_at_the_songs_two_models_differ_on() -> None:
    truth = np.zeros(20, dtype=int)
    one, other = np.zeros(20, dtype=int), np.zeros(20, dtype=int)
    other[:6] = 1  # right where the other is wrong six times, never the other way round
    assert mcnemar(truth, one, other) == pytest.approx(2 * 0.5**6)
    assert mcnemar(truth, other, one) == mcnemar(truth, one, other)
    assert mcnemar(truth, one, one) == 1.0


def test_temperature_makes_probabilities_true() -> None:
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([1.0, 1.0], 4000)
    truth = (rng.random(4000) < honest[:, 1]).astype(int)
    logits = np.log(honest)
    assert fit_temperature(truth, logits) == pytest.approx(1, abs=0.1)
    for times in (3, 50):  # as models that trust themselves too much
        assert fit_temperature(truth, times * logits) == pytest.approx(times, rel=0.1)
        np.testing.assert_allclose(temper(times * logits, times), honest, atol=1e-6)
    assert (temper(logits, 5).argmax(axis=1) == honest.argmax(axis=1)).all()
    assert fit_temperature(np.array([0, 1]), np.array([[1.0, 0], [0, 1]])) == pytest.approx(0.1, abs=0.01)


def test_figures_of_three_moods_are_means_over_moods() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=50)
    probabilities = rng.dirichlet(np.ones(3), 50)
    figures = evaluate(["angry", "happy", "sad"], truth, probabilities, 1, 10)
    assert figures["f1"] == pytest.approx(f1_score(truth, probabilities.argmax(1), average="macro"))
    assert figures["roc_auc"] == pytest.approx(0.5, abs=0.2)


def test_a_split_without_one_of_the_moods_has_no_roc_auc() -> None:
    figures = evaluate(["happy", "sad"], np.zeros(3, dtype=int), np.full((3, 2), 0.5), 1, 10)
    assert figures["roc_auc"] is None
    assert figures["accuracy"] == 1


# -- models ----------------------------------------------------------------------------------------


def test_majority_gives_the_shares_of_training() -> None:
    model = Majority(["happy", "sad"])
    model.fit(pd.DataFrame({"mood": [0, 0, 0, 1]}), pd.DataFrame())
    np.testing.assert_array_equal(model.predict_proba(pd.DataFrame(index=range(2))), [[0.75, 0.25]] * 2)


def test_word_models_are_no_surer_than_they_are_right() -> None:
    chance = random.Random(1)
    moods = [chance.randrange(2) for _ in range(600)]
    lean = {0: ["sun", "road"], 1: ["rain", "road"]}
    # a word in five lies about the mood, and comes thirty times: naive Bayes takes each for evidence
    texts = [
        " ".join([chance.choice(lean[mood if chance.random() < 0.8 else 1 - mood])] * 30) for mood in moods
    ]
    songs = pd.DataFrame({"lyrics": texts, "mood": moods})
    train, validation, test = songs[:200], songs[200:400], songs[400:]
    model = naive_bayes()
    model.fit(train, validation)
    said, plain = model.predict_proba(test), model.pipeline.predict_proba(test["lyrics"])
    assert model.temperature == pytest.approx(30, rel=0.3)
    assert (said.argmax(axis=1) == plain.argmax(axis=1)).all()
    assert log_loss(test["mood"], said) < 0.6 < 0.69 < log_loss(test["mood"], plain)


def test_all_models_are_measured(trained: TrainedModels, quick: Settings) -> None:
    metrics = as_rows(trained.model_metrics)
    assert [(row["model"], row["split"]) for row in metrics] == [
        (model, split) for model in sorted(quick.train.models) for split in ("test", "validation")
    ]
    for row in metrics:
        assert row["n"] == (20 if row["split"] == "test" else 10)
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        assert math.isfinite(row["log_loss"])
        assert row["seed"] == quick.seed
    test = {row["model"]: row["accuracy"] for row in metrics if row["split"] == "test"}
    assert test["majority"] == pytest.approx(0.6, abs=0.1)
    assert min(test["modified_tbert"], test["fusion"]) > 0.8  # valence alone tells the moods
    assert trained.figures["songs"]["test"] == {"happy": 12, "sad": 8}
    assert trained.warnings == []


def test_each_model_is_compared_with_the_one_before(trained: TrainedModels) -> None:
    rows = {row["model"]: row for row in as_rows(trained.model_metrics) if row["split"] == "test"}
    before = {name: row["compared_with"] for name, row in rows.items()}
    assert before["majority"] is None
    assert rows["majority"]["mcnemar_p"] is None
    assert before["fusion"] == "modified_tbert"
    assert before["modified_tbert"] == "fine_tuned_bert"
    assert 0 <= rows["fusion"]["mcnemar_p"] <= 1


def test_predictions_are_those_the_figures_are_of(trained: TrainedModels, tables: Tables) -> None:
    said = pd.DataFrame(as_rows(trained.model_predictions))
    labels = {row["song_id"]: row["mood"] for row in as_rows(tables["labelled"])}
    assert not said.duplicated(["model", "song_id"]).any()
    assert (said["mood"] == said["song_id"].map(labels)).all()
    assert (said["predicted"] == [max(shares, key=shares.get) for shares in said["probabilities"]]).all()
    for row in as_rows(trained.model_metrics):
        of = said[(said["model"] == row["model"]) & (said["split"] == row["split"])]
        assert len(of) == row["n"]
        assert (of["mood"] == of["predicted"]).mean() == pytest.approx(row["accuracy"])


def test_the_final_model_is_made_again_with_the_test_songs(
    tables: Tables,
    trained: TrainedModels,
    folder: Path,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    settings = make_settings(*QUICK, "train.refit=false")
    once = fit_models(take(tables, settings), folder, settings, tmp_path)
    # what is measured stays the same: no song's mood is asked of a model that has seen it
    assert as_rows(once.model_predictions) == as_rows(trained.model_predictions)
    assert trained.folder is not None
    assert once.folder is not None
    tested = [row for row in as_rows(once.model_predictions) if (row["model"], row["split"]) == FINAL_TEST]
    songs = take(tables, settings).toPandas().set_index("song_id")
    songs = songs.loc[[row["song_id"] for row in tested]].reset_index()
    hidden = np.array([row["hidden"] for row in tested])
    measured, again = (NeuralModel.load(of, batch_size=8) for of in (once.folder, trained.folder))
    np.testing.assert_allclose(measured.hidden(songs), hidden, atol=1e-4)
    assert not np.allclose(again.hidden(songs), hidden, atol=1e-2)
    cards = [(of / "README.md").read_text() for of in (once.folder, trained.folder)]
    assert ["it has seen the moods of both" in card for card in cards] == [False, True]


def test_only_the_final_models_hidden_layer_is_kept(trained: TrainedModels) -> None:
    kept = {(row["model"], row["hidden"] is not None) for row in as_rows(trained.model_predictions)}
    assert {model for model, known in kept if known} == {"fusion"}
    assert ("fusion", False) not in kept


def test_curves_go_by_step_on_both_splits(trained: TrainedModels) -> None:
    curves = pd.DataFrame(as_rows(trained.training_curves))
    assert set(curves["model"]) == {"simple_bert", "fine_tuned_bert", "modified_tbert", "fusion"}
    assert set(curves["optimizer"]) == {"adamw"}
    assert not curves.duplicated(["model", "optimizer", "step", "split"]).any()
    tbert = curves[(curves["model"] == "modified_tbert") & (curves["split"] == "validation")]
    losses = tbert.sort_values("step")["loss"].to_list()
    assert min(losses) < losses[0]


def test_two_runs_with_one_seed_are_the_same(
    tables: Tables, trained: TrainedModels, folder: Path, quick: Settings, tmp_path: Path
) -> None:
    shuffled = {name: frame.repartition(3) for name, frame in tables.items()}
    torch.rand(5)  # whatever was drawn before must not matter
    again = fit_models(take(shuffled, quick), folder, quick, tmp_path)
    pd.testing.assert_frame_equal(
        pd.DataFrame(as_rows(again.model_metrics)).drop(columns="train_seconds"),
        pd.DataFrame(as_rows(trained.model_metrics)).drop(columns="train_seconds"),
    )
    assert as_rows(again.training_curves) == as_rows(trained.training_curves)
    assert trained.folder is not None
    assert encoder_id(tmp_path) == encoder_id(trained.folder)


def test_model_folder(trained: TrainedModels, tables: Tables, quick: Settings) -> None:
    assert trained.folder is not None
    for file in trained.folder.iterdir():
        assert file.suffix in {".safetensors", ".json", ".txt", ".md"}
    assert describe(trained.folder)["moods"] == ["happy", "sad"]
    card = (trained.folder / "README.md").read_text()
    assert card.startswith("# fusion")
    assert "modified_tbert" in card
    assert "| test | 12 | 8 |" in card
    songs = take(tables, quick).toPandas()
    model = NeuralModel.load(trained.folder, batch_size=8)
    prediction = model.predict(songs)
    assert prediction.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert prediction.hidden.shape == (100, 8 + 2)  # and what the regressions say of each mood
    assert (model.hidden(songs) == prediction.hidden).all()
    accuracy = (prediction.probabilities.argmax(1) == (songs["mood"] == "sad")).mean()
    assert accuracy > 0.8


def test_loading_never_unpickles(
    trained: TrainedModels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert trained.folder is not None

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    NeuralModel.load(trained.folder, batch_size=8)


@pytest.mark.parametrize(
    "name",
    [
        HEAD,
        "model.safetensors",
        DESCRIPTION,
        "words.safetensors",
        "words.json",
        "reading.safetensors",
        "lexicon.safetensors",
    ],
)
def test_damaged_model_folder(trained: TrainedModels, tmp_path: Path, name: str) -> None:
    assert trained.folder is not None
    copy = Path(shutil.copytree(trained.folder, tmp_path / "mood"))
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="--from train") as caught:
        describe(copy)
    assert "\n" not in str(caught.value)
    (copy / name).unlink()
    with pytest.raises(UserError, match=name):
        describe(copy)


@pytest.mark.parametrize("kind", ["simple_bert", "fine_tuned_bert", "modified_tbert_lyrics_only", "fusion"])
def test_other_models_keep_and_load_too(kind: str, folder: Path, quick: Settings, tmp_path: Path) -> None:
    songs = pd.DataFrame({"lyrics": ["sun dance"] * 12 + ["rain tears"] * 12 + [None]})
    songs = songs.assign(topic_weights=None, mood=[0] * 12 + [1] * 13, **dict.fromkeys(AUDIO_FEATURES))
    songs["embedding"] = [*Encoder(folder, READS).read(songs["lyrics"][:-1].tolist()), None]
    model = NeuralModel(KINDS[kind], ["happy", "sad"], Encoder(folder, READS), quick.train, 1)
    before = encoder_id(folder)
    assert model.fit(songs, songs)
    expected = model.predict(songs)
    assert np.isfinite(expected.probabilities).all()
    model.save(tmp_path)
    loaded = NeuralModel.load(tmp_path, batch_size=8).predict(songs)
    np.testing.assert_array_equal(loaded.probabilities, expected.probabilities)
    np.testing.assert_array_equal(loaded.hidden, expected.hidden)
    assert encoder_id(folder) == before


@pytest.mark.parametrize("kind", ["simple_bert", "fusion", "fine_tuned_bert"])
def test_the_plain_reading_is_taken_from_the_table_and_a_tuned_one_is_not(
    kind: str, folder: Path, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears"] * 8, "mood": [0, 1] * 8})
    songs = songs.assign(topic_weights=None, **dict.fromkeys(AUDIO_FEATURES))
    encoder = Encoder(folder, READS)
    songs["embedding"] = list(encoder.read(songs["lyrics"].tolist()))
    model = NeuralModel(KINDS[kind], ["happy", "sad"], encoder, quick.train, 1)
    model.fit(songs, songs)
    expected = model.predict_proba(songs)
    other = songs.assign(embedding=[[1.0, *[0.0] * (encoder.width - 1)]] * len(songs))
    if kind == "fine_tuned_bert":
        np.testing.assert_array_equal(model.predict_proba(other), expected)
    else:
        assert not np.allclose(np.log(model.predict_proba(other)), np.log(expected))
        if kind == "simple_bert":  # lyrics alone will do
            read_here = model.predict_proba(songs.drop(columns="embedding"))
            np.testing.assert_allclose(read_here, expected, atol=1e-6)
        monkeypatch.setattr(encoder, "read", lambda _: pytest.fail("read again"))
        np.testing.assert_array_equal(model.predict_proba(songs), expected)


@pytest.mark.parametrize("kind", ["modified_tbert", "fusion"])
def test_validation_songs_without_lyrics_have_no_topics_either(
    kind: str, folder: Path, quick: Settings
) -> None:
    audio = dict.fromkeys(AUDIO_FEATURES, 0.5)
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears"] * 8, "mood": [0, 1] * 8}).assign(**audio)
    songs["embedding"] = list(Encoder(folder, READS).read(songs["lyrics"].tolist()))
    songs["topic_weights"] = [[0.7, 0.3], [0.2, 0.8]] * 8
    bare = songs.assign(lyrics=None, embedding=None, topic_weights=None, valence=[0.1, 0.9] * 8)
    model = NeuralModel(KINDS[kind], ["happy", "sad"], Encoder(folder, READS), quick.train, 1)
    assert model.fit(songs, bare)
    assert np.isfinite(model.predict_proba(pd.concat([songs, bare]))).all()


def test_fine_tuning_changes_the_top_layers_only(folder: Path, quick: Settings) -> None:
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears"] * 8, "mood": [0, 1] * 8})
    before, after = Encoder(folder, READS), Encoder(folder, READS)
    NeuralModel(KINDS["fine_tuned_bert"], ["happy", "sad"], after, quick.train, 1).fit(songs, songs)
    old, new = before.model.state_dict(), after.model.state_dict()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)


def test_head_takes_what_is_not_a_number_for_missing() -> None:
    torch.manual_seed(0)
    head = Head({"topics": 2, "audio": 2}, moods=2, hidden_size=4, dropout=0.5, part_dropout=0.5).eval()
    head.standardize({"topics": np.array([[0.2, 0.8], [0.6, 0.4]]), "audio": np.array([[10.0, 0], [30, 1]])})
    whole = {"topics": torch.tensor([[0.2, 0.8]] * 3), "audio": torch.tensor([[20.0, 1]] * 3)}
    whole["audio"][1, 0], whole["audio"][2] = math.inf, math.nan
    mean, infinite, missing = head(**whole)["logits"].detach().numpy()
    np.testing.assert_allclose(infinite, mean)  # 20 is the mean of 10 and 30
    assert np.isfinite(missing).all()
    assert not np.allclose(missing, mean)
    np.testing.assert_allclose(head.get_buffer("audio_scale"), [10, 1])  # 0 and 1 stay as they are


def test_a_number_that_only_rounding_changes_is_not_blown_up() -> None:
    head = Head({"lyrics": 2}, moods=2, hidden_size=0, dropout=0, part_dropout=0)
    head.standardize({"lyrics": np.array([[0.1, 0.3], [0.1 + 5e-8, 0.5]])})
    np.testing.assert_allclose(head.get_buffer("lyrics_scale"), [1, 0.1])


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("moods", [2, 3])
def test_a_tuned_head_begins_as_a_logistic_regression(moods: int, balanced: bool) -> None:
    random = np.random.default_rng(0)
    of = np.array([0] * 60 + [1] * 30 + [moods - 1] * 30)
    readings = (random.normal(size=(len(of), 4)) + of[:, None]).astype(np.float32)
    shown = np.vstack([readings, np.full((1, 4), np.nan, np.float32)])  # the last song has no lyrics
    head = Head({"lyrics": 4}, moods, hidden_size=0, dropout=0.5, part_dropout=0)
    head.standardize({"lyrics": shown})
    head.regress({"lyrics": shown}, [*of, 0], balanced, seed=1)
    with torch.inference_mode():
        said = head.eval()(lyrics=torch.from_numpy(readings))["logits"].softmax(1).numpy()
    scaled = (readings - readings.mean(0)) / readings.std(0)
    oracle = LogisticRegression(C=0.003, class_weight="balanced" if balanced else None).fit(scaled, of)
    np.testing.assert_allclose(said, oracle.predict_proba(scaled), atol=1e-4)
    assert said.max() - said.min() > 0.2


def test_fine_tuning_begins_there(folder: Path, quick: Settings) -> None:
    encoder = Encoder(folder, READS)
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears", "sun rain"] * 8, "mood": [0, 1, 1] * 8})
    readings = encoder.read(songs["lyrics"].tolist())
    still = quick.train.model_copy(update={"encoder_learning_rate": 1e-9})
    model = NeuralModel(KINDS["fine_tuned_bert"], ["happy", "sad"], encoder, still, 1)
    model.fit(songs, songs)
    begun = Head(model.head.widths, moods=2, hidden_size=0, dropout=0, part_dropout=0)
    begun.standardize({"lyrics": readings})
    begun.regress({"lyrics": readings}, songs["mood"], False, seed=1)
    torch.testing.assert_close(model.head.output.weight, begun.output.weight, rtol=1e-3, atol=1e-6)


def test_a_tuned_head_begins_at_random_where_no_song_of_a_mood_has_lyrics() -> None:
    head = Head({"lyrics": 1}, moods=2, hidden_size=0, dropout=0, part_dropout=0)
    before = head.output.weight.detach().clone()
    head.regress({"lyrics": np.array([[0.5], [0.1], [math.nan]], np.float32)}, [0, 0, 1], False, seed=1)
    torch.testing.assert_close(head.output.weight, before)


def test_the_fusion_takes_a_missing_part_for_missing() -> None:
    torch.manual_seed(0)
    net = Fusion({"words": 2, "audio": 2}, moods=2, hidden_size=4, dropout=0.5, part_dropout=0.5).eval()
    words, audio = torch.tensor([[0.2, 0.8]] * 2), torch.tensor([[20.0, 1], [math.nan, math.nan]])
    both, alone = net(words=words, audio=audio)["hidden"].detach()
    other = net(words=words, audio=torch.tensor([[-20.0, 0], [math.inf, math.nan]]))["hidden"].detach()
    assert not torch.allclose(both, alone)
    torch.testing.assert_close(other[1], alone)  # what is missing says nothing, however it is missing
    nothing = net(words=torch.full((1, 2), math.nan), audio=torch.full((1, 2), math.nan))
    torch.testing.assert_close(nothing["hidden"], torch.zeros(1, 4))
    torch.testing.assert_close(nothing["logits"][0], net.output.bias)


def test_the_fusion_begins_with_the_sum_of_log_odds() -> None:
    torch.manual_seed(0)
    sizes = {"moods": 2, "hidden_size": 4, "dropout": 0.5, "part_dropout": 0.5}
    net = Fusion({"words": 2, "reading": 2, "audio": 3}, **sizes, log_odds=("reading", "words")).eval()
    words, reading = torch.tensor([[-1.0, 1], [-1, 1]]), torch.tensor([[2.0, -2], [math.nan, math.nan]])
    first = net(words=words, reading=reading, audio=torch.rand(2, 3))["logits"].detach()
    sums = 0.4 * torch.tensor([[1.0, -1], [-1, 1]])  # a missing part says nothing
    torch.testing.assert_close(first, sums)
    net.expect([0] * 29 + [1] * 9)  # 30 to 10: each mood has been seen once more, lest one be impossible
    again = net(words=words, reading=reading, audio=torch.rand(2, 3))["logits"].detach()
    torch.testing.assert_close((again - sums).diff(), torch.full((2, 1), -math.log(3)))


def test_words_say_of_training_songs_what_they_learned_from_others(tmp_path: Path) -> None:
    rng = random.Random(0)
    texts = [" ".join(rng.choices("abcdefghijklmnop", k=8)) + f" only{i}" for i in range(60)]
    songs = pd.DataFrame({"lyrics": texts, "mood": [0, 1] * 30})  # words that tell nothing of moods
    words = Words(2, 1, by_artist=False)
    said = words.fit(songs)
    assert ((said.argmax(axis=1) == songs["mood"]).mean()) < 0.7
    assert ((words.read(songs).argmax(axis=1) == songs["mood"]).mean()) >= 0.9  # by heart
    words.save(tmp_path)
    loaded = Words(2, 1, by_artist=False)
    loaded.load(tmp_path)
    np.testing.assert_allclose(loaded.read(songs), words.read(songs), atol=1e-5)
    assert np.isnan(words.read(pd.DataFrame({"lyrics": [None, " "]}))).all()


def test_a_reading_says_what_it_learned_from_other_songs(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    moods = np.array([0, 1, 2] * 20)
    vectors = chance.normal(size=(60, 40)) + 2.5 * np.eye(40)[moods]
    songs = pd.DataFrame({"embedding": [*vectors.tolist(), None], "mood": [*moods, 0]})
    reading = Reading(3, 1, by_artist=False)
    said = reading.fit(songs)
    assert np.isnan(said[-1]).all()
    scaled = StandardScaler().fit_transform(vectors)
    expected = cross_val_predict(  # scikit-learn's own: the same folds, scaled by and likened to all songs
        LogisticRegression(C=Reading.strength, max_iter=1000),
        Nystroem(n_components=60, random_state=1).fit_transform(scaled),
        moods,
        cv=StratifiedKFold(5, shuffle=True, random_state=1),
        method="decision_function",
    )
    np.testing.assert_allclose(said[:-1], expected, atol=1e-5)
    assert (said[:-1].argmax(axis=1) == moods).mean() > 0.5  # by chance a third
    reading.save(tmp_path)
    loaded = Reading(3, 1, by_artist=False)
    loaded.load(tmp_path)
    np.testing.assert_allclose(loaded.read(songs), reading.read(songs), atol=1e-6)
    too_few = songs[:9]  # three songs a mood, for five folds
    assert np.isnan(Reading(3, 1, by_artist=False).fit(too_few)).all()


def test_a_reading_is_told_by_those_alike_where_no_number_tells_by_itself() -> None:
    chance = np.random.default_rng(0)
    corners = chance.integers(0, 2, size=(300, 2))
    vectors = 4 * corners + chance.normal(size=(300, 2))
    songs = pd.DataFrame({"embedding": vectors.tolist(), "mood": corners[:, 0] ^ corners[:, 1]})
    reading = Reading(2, 1, by_artist=False)
    reading.landmarks = 50
    said = reading.fit(songs)
    assert reading.marks.shape == (50, 2)
    assert (said.argmax(axis=1) == songs["mood"]).mean() > 0.9
    by_number = LogisticRegression().fit(vectors, songs["mood"])
    assert by_number.score(vectors, songs["mood"]) < 0.7


def test_the_lexicon_is_weighed_by_what_moods_it_goes_with(tmp_path: Path) -> None:
    chance = random.Random(0)
    texts = [
        " ".join(chance.choices(("love", "joy") if i % 2 else ("tears", "pain"), k=2)) + " the a of" * (i % 3)
        for i in range(40)
    ]
    songs = pd.DataFrame({"lyrics": [*texts, None], "mood": [*([1, 0] * 20), 0]})
    lexicon = Lexicon(2, 1, by_artist=False)
    said = lexicon.fit(songs)
    assert np.isnan(said[-1]).all()
    assert (said[:-1].argmax(axis=1) == songs["mood"][:-1]).all()
    lexicon.save(tmp_path)
    loaded = Lexicon(2, 1, by_artist=False)
    loaded.load(tmp_path)
    np.testing.assert_array_equal(loaded.read(songs), lexicon.read(songs))


def test_words_of_three_moods_are_log_odds_of_scikit_learn() -> None:
    texts = ["sun and fire", "rain rain", "fire and rain", "and", "sun", "Fire!"] * 4
    songs = pd.DataFrame({"lyrics": texts, "mood": [0, 1, 2] * 8})
    words = Words(3, 1, by_artist=False)
    words.fit(songs)
    numbers = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+").fit_transform(
        texts
    )
    expected = LogisticRegression(max_iter=1000).fit(numbers, songs["mood"]).decision_function(numbers)
    np.testing.assert_allclose(words.read(songs), expected, atol=1e-3)


def test_words_that_no_two_songs_share_are_words_too() -> None:
    songs = pd.DataFrame({"lyrics": [f"thing{i}" for i in range(60)], "mood": [0, 1] * 30})
    words = Words(2, 1, by_artist=False)
    assert np.isfinite(words.fit(songs)).all()
    assert (words.read(songs).argmax(axis=1) == songs["mood"]).all()


@pytest.mark.parametrize("by_artist", [True, False])
def test_what_is_said_of_a_training_song_comes_from_other_artists(by_artist: bool) -> None:
    # an artist sings of one thing, in one mood: only of the artist's own songs can one learn what it means
    songs = pd.DataFrame(
        [(f"thing{artist}", f"a{artist}", artist % 2) for artist in range(20) for _ in range(6)],
        columns=["lyrics", "artist", "mood"],
    )
    words = Words(2, 1, by_artist=by_artist)
    right = (words.fit(songs).argmax(axis=1) == songs["mood"]).mean()
    assert right < 0.7 if by_artist else right == 1
    for few in (2, 5):  # too few artists for five folds; folds that know one mood only
        of_few = songs[songs["artist"].isin([f"a{n}" for n in (0, 1, 3, 5, 7)[:few]])]
        assert np.isnan(Words(2, 1, by_artist=by_artist).fit(of_few)).all() == by_artist


def test_the_lexicon_tells_glad_from_sad_words() -> None:
    glad, sad, neither, blank = read_lexicon(
        pd.DataFrame({"lyrics": ["Happy, happy love!", "sad and lonely tears", "the of a", None]})
    )
    assert glad[0] > 0 > sad[0]
    assert glad[1] == 1
    assert glad[2] == 0
    assert sad[2] == pytest.approx(0.75)
    assert neither[0] == 0
    assert np.isnan(blank).all()
    assert np.isfinite(read_lexicon(pd.DataFrame({"lyrics": ["...", "1"]}))).all()


def test_the_fusions_regressions_learn_from_validation_songs_but_not_what_they_then_say_of_them(
    folder: Path, quick: Settings
) -> None:
    chance = random.Random(1)
    texts = [" ".join(chance.choices(["sun", "rain", "road", "train", "home"], k=6)) for _ in range(160)]
    songs = pd.DataFrame({"lyrics": texts, "mood": [0, 1] * 80})  # words that tell nothing of moods
    songs = songs.assign(topic_weights=None, artist=[f"a{i}" for i in range(160)])
    songs = songs.assign(embedding=[[float(i == j) for j in range(160)] for i in range(160)])
    songs = songs.assign(**dict.fromkeys(AUDIO_FEATURES))
    train, validation = songs[:80], songs[80:].assign(lyrics=songs["lyrics"][80:] + " city")
    learns = quick.train.model_copy(update={"head_epochs": 2, "models": ("fusion",)})
    model = NeuralModel(KINDS["fusion"], ["happy", "sad"], Encoder(folder, READS), learns, 1)
    seen: dict[str, Any] = {}
    model._fit_head = lambda parts, *_: seen.update(parts) or []  # type: ignore[method-assign,func-returns-value]
    model.fit(train, validation)
    assert "city" in model.linear["words"].vectorizer.get_feature_names_out()
    said = np.vstack([seen[split]["reading"] for split in ("train", "validation")])
    assert len(seen["train"]["reading"]) == len(seen["validation"]["reading"]) == 80
    assert ((said.argmax(axis=1) == songs["mood"]).mean()) < 0.6
    assert ((model.linear["reading"].read(songs).argmax(axis=1) == songs["mood"]).mean()) > 0.9  # by heart

    done = Comparison(quick.model_copy(update={"train": learns}))
    done.moods = ["happy", "sad"]
    splits = {"train": train, "validation": validation, "test": validation}
    songs = pd.concat(of.assign(split=split) for split, of in splits.items())
    assert list(done.compare(songs.assign(song_id="s"), folder)) == ["fusion"]
    accuracy = {row["split"]: row["accuracy"] for row in done.metrics}
    assert accuracy["validation"] < 0.65
    assert accuracy["test"] > 0.75  # the same songs, once they are learned by heart


@pytest.mark.parametrize("optimizer", ["adagrad", "sgd", "sgd_momentum"])
def test_other_optimizers_learn_too(optimizer: str, folder: Path, quick: Settings) -> None:
    songs = pd.DataFrame({"lyrics": ["sun dance", "rain tears"] * 16, "mood": [0, 1] * 16})
    songs = songs.assign(topic_weights=None, **dict.fromkeys(AUDIO_FEATURES))
    settings = quick.train.model_copy(update={"optimizer": optimizer, "head_learning_rate": 0.1})
    model = NeuralModel(KINDS["simple_bert"], ["happy", "sad"], Encoder(folder, READS), settings, 1)
    losses = [point.loss for point in model.fit(songs, songs) if point.split == "validation"]
    assert min(losses) < 0.3  # by chance it is 0.69
    assert model.optimizer == optimizer


def test_gradients_are_added_up_to_those_of_a_larger_batch(folder: Path, quick: Settings) -> None:
    chance = np.random.default_rng(1)
    songs = pd.DataFrame(chance.random((64, len(AUDIO_FEATURES))), columns=list(AUDIO_FEATURES))
    songs = songs.assign(mood=[0, 1] * 32, lyrics=None, topic_weights=None)
    curves = []
    for batch_size, added_up in ((32, 1), (8, 4)):
        more = {"batch_size": batch_size, "gradient_accumulation": added_up, "dropout": 0.0}
        more |= {"optimizer": "sgd", "head_learning_rate": 0.1, "head_epochs": 8}
        settings = quick.train.model_copy(update=more)
        kind = dataclasses.replace(KINDS["base_network"], optimizer=None)
        model = NeuralModel(kind, ["happy", "sad"], Encoder(folder, READS), settings, 1)
        curves.append([(point.step, point.loss) for point in model.fit(songs, songs)])
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-4)


def test_what_gives_no_numbers_is_said(folder: Path, quick: Settings) -> None:
    songs = pd.DataFrame({"lyrics": ["sun", "rain"] * 30, "mood": [0, 1] * 30, "song_id": "s"})
    songs = songs.assign(split=["train"] * 40 + ["validation"] * 10 + ["test"] * 10)
    done = Comparison(quick)
    done.moods = ["happy", "sad"]
    model = Majority(done.moods)
    model.shares = np.array([math.nan, math.nan])
    with pytest.raises(UserError, match=r"majority gives no numbers.*train\.head_learning_rate"):
        done._measure("majority", model, songs, 1.0)


def test_class_weights_give_a_rare_mood_its_say(folder: Path, quick: Settings) -> None:
    # nothing tells the moods apart: the model can only say how often each is
    songs = pd.DataFrame({"lyrics": ["road home"] * 60, "mood": [0] * 48 + [1] * 12})
    said = {}
    for weights in (False, True):
        settings = quick.train.model_copy(update={"class_weights": weights, "head_epochs": 30})
        model = NeuralModel(KINDS["simple_bert"], ["happy", "sad"], Encoder(folder, READS), settings, 1)
        model.fit(songs, songs)
        said[weights] = float(model.predict_proba(songs)[0, 1])
        assert model.head.loss.weights.tolist() == ([0.625, 2.5] if weights else [1, 1])
    assert said == {False: pytest.approx(0.2, abs=0.05), True: pytest.approx(0.5, abs=0.1)}


def test_cross_fit_readings_come_from_encoders_that_have_not_seen_the_song(
    tables: Tables, folder: Path, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    models = "train.models=[fine_tuned_bert, modified_tbert]"
    settings = make_settings(*QUICK, models, "train.final_model=modified_tbert", "train.cross_fit=2")
    frame = take(tables, settings).toPandas().sort_values("song_id", ignore_index=True)
    frame["mood"] = (frame["mood"] == "sad").astype(int)
    frame["split"] = split_songs(frame["mood"], frame["artist"], ["happy", "sad"], settings.train, 7)
    done = Comparison(settings)
    done.moods = ["happy", "sad"]
    tuned, read, _ = done._tune(frame, folder)
    own = tuned.read_lyrics(frame)
    known = frame["lyrics"].notna()
    learned = frame["split"] == "train"
    same = np.isclose(np.vstack(read["vector"]), own, atol=1e-6).all(axis=1)
    assert same[known & ~learned].all()
    assert not same[known & learned].any()


def test_head_in_training_never_loses_all_parts_of_a_song() -> None:
    torch.manual_seed(0)
    head = Head({"topics": 1, "audio": 1}, moods=2, hidden_size=0, dropout=0, part_dropout=0.5).train()
    topics, audio = torch.ones(400, 1), torch.ones(400, 1)
    topics[:200] = math.nan
    seen = head(topics=topics, audio=audio)["hidden"].detach().numpy()  # topics, audio, two flags
    assert (seen[:, :2].sum(axis=1) > 0).all()
    assert (seen[:200, 1] == 1).all()
    assert 0.3 < (seen[200:, 0] * seen[200:, 1]).mean() < 0.7  # sometimes both, sometimes one
    np.testing.assert_array_equal(seen[:, :2] + seen[:, 2:], 1)


# -- what is not there -----------------------------------------------------------------------------


def test_no_labels(
    spark: SparkSession, tables: Tables, folder: Path, quick: Settings, tmp_path: Path
) -> None:
    nothing = {**tables, "labelled": spark.createDataFrame([], LABELLED.schema)}
    result = fit_models(take(nothing, quick), folder, quick, tmp_path)
    assert result.folder is None
    assert result.model_metrics.collect() == result.training_curves.collect() == []
    assert "no labelled songs" in result.warnings[0]


def test_one_mood_stops(tables: Tables, folder: Path, quick: Settings, tmp_path: Path) -> None:
    happy = {**tables, "labelled": tables["labelled"].where("mood = 'happy'")}
    with pytest.raises(UserError, match=r"all 60 labelled songs are happy.*label\.min_tags"):
        fit_models(take(happy, quick), folder, quick, tmp_path)


def test_a_mood_of_three_songs_stops(
    spark: SparkSession, folder: Path, quick: Settings, tmp_path: Path
) -> None:
    few = song_tables(spark, folder, {"happy": 12, "sad": 3})
    with pytest.raises(UserError, match=r"only 3 labelled songs are sad.*needs 10"):
        fit_models(take(few, quick), folder, quick, tmp_path)


def test_audio_alone_and_three_moods(
    spark: SparkSession, folder: Path, quick: Settings, tmp_path: Path
) -> None:
    tables = song_tables(spark, folder, {"angry": 20, "happy": 20, "sad": 20}, lyrics=False)
    result = fit_models(take(tables, quick), folder, quick, tmp_path)
    assert "lyrics" in result.warnings[0]
    assert {row["model"] for row in as_rows(result.model_metrics)} == {"majority", "modified_tbert", "fusion"}
    assert describe(tmp_path)["widths"].keys() == {"audio"}
    assert json.loads((tmp_path / DESCRIPTION).read_text())["moods"] == ["angry", "happy", "sad"]


def test_lyrics_alone(spark: SparkSession, folder: Path, quick: Settings, tmp_path: Path) -> None:
    tables = song_tables(spark, folder, {"happy": 30, "sad": 30}, audio=False)
    result = fit_models(take(tables, quick), folder, quick, tmp_path)
    assert describe(tmp_path)["widths"].keys() == {"lyrics", "reading", "words", "lexicon", "topics"}
    assert len(as_rows(result.model_metrics)) == 2 * len(quick.train.models)


def test_embedded_encoder_trains(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings("train.epochs=1", "train.batch_size=8").train
    happy, sad = "we dance and smile in the summer sun", "I cry alone in the cold rain"
    songs = pd.DataFrame({"lyrics": [happy, sad] * 8, "mood": [0, 1] * 8})
    model = NeuralModel(
        KINDS["fine_tuned_bert"], ["happy", "sad"], Encoder(resolve_encoder("embedded"), READS), settings, 1
    )
    model.fit(songs, songs)
    assert (model.predict_proba(songs).argmax(axis=1) == songs["mood"]).all()
