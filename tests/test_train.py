"""train, from tables to tables and the saved model."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.stats import binomtest

from conftest import as_rows
from mood_songs import BY_LINE, QUICK, Tables, model_settings, song_tables, take
from songmood.encoder.files import encoder_id
from songmood.engine.errors import UserError
from songmood.models.base import Loss
from songmood.models.comparison import Comparison, Learned, TrainedModels, fit_models, split_frame
from songmood.models.files import DESCRIPTION, HEAD, describe
from songmood.models.neural import NeuralModel
from songmood.models.songs import fetch_training_songs
from songmood.settings import Settings
from songmood.steps.train import train_models
from songmood.tables import LABELLED

FINAL_TEST = ("fusion", "test")


def fit(songs: DataFrame, encoder: Path, settings: Settings, folder: Path) -> TrainedModels:
    return fit_models(songs, encoder, model_settings(settings), folder)


@pytest.fixture(scope="module")
def trained(
    mood_tables: Tables, encoder: Path, quick: Settings, tmp_path_factory: pytest.TempPathFactory
) -> TrainedModels:
    return fit(take(mood_tables, quick), encoder, quick, tmp_path_factory.mktemp("mood"))


# -- which songs -----------------------------------------------------------------------------------


def test_training_songs(quick: Settings, mood_tables: Tables) -> None:
    songs = {row["song_id"]: row for row in as_rows(take(mood_tables, quick))}
    assert len(songs) == 100
    assert songs["s003"]["lyrics"] is None
    assert songs["s003"]["valence"] == 0.6
    assert songs["s004"]["valence"] is None
    assert songs["s004"]["lyrics"]
    assert songs["s001"]["artist"] == songs["s000"]["artist"] == "artist 0"


def test_the_artist_of_a_song(quick: Settings, mood_tables: Tables) -> None:
    names = {
        **{"s000": "Tom Petty", "s001": "Tom Petty & The Heartbreakers", "s002": "Simon and Garfunkel"},
        **{"s005": "!!!", "s006": " !!! ", "s007": "...", "s008": None, "s009": " "},
    }
    named = F.create_map(*(F.lit(x) for pair in names.items() for x in pair))
    deduped = mood_tables["deduped"].withColumn(
        "artist", F.when(F.col("song_id").isin(*names), named[F.col("song_id")]).otherwise(F.col("artist"))
    )
    frame = fetch_training_songs(take({**mood_tables, "deduped": deduped}, quick)).set_index("song_id")[
        "artist"
    ]
    assert {song: frame[song] for song in names} == {
        **{"s000": "tom petty", "s001": "tom petty", "s002": "simon and garfunkel"},
        **{"s005": "!!!", "s006": "!!!", "s007": "...", "s008": "s008", "s009": "s009"},
    }


def test_song_with_neither_lyrics_nor_audio_is_not_used(quick: Settings, mood_tables: Tables) -> None:
    without = dict(mood_tables)
    without["lyrics"] = mood_tables["lyrics"].where("song_id <> 's000'")
    without["audio_features"] = mood_tables["audio_features"].where("song_id <> 's000'")
    assert "s000" not in {row["song_id"] for row in take(without, quick).collect()}
    signs = F.when(F.col("song_id") == "s000", "... !").otherwise(F.col("lyrics"))
    without["lyrics"] = mood_tables["lyrics"].withColumn("lyrics", signs)
    assert "s000" not in {row["song_id"] for row in take(without, quick).collect()}


def test_the_sample_is_bounded_and_does_not_depend_on_order(
    make_settings: Callable[..., Settings], mood_tables: Tables
) -> None:
    settings = make_settings("train.max_songs=7")
    ids = sorted(row["song_id"] for row in take(mood_tables, settings).collect())
    shuffled = {name: frame.repartition(3) for name, frame in mood_tables.items()}
    assert len(ids) == 7
    assert ids == sorted(row["song_id"] for row in take(shuffled, settings).collect())
    assert ids != sorted(
        row["song_id"] for row in take(mood_tables, make_settings("train.max_songs=7", "seed=8")).collect()
    )


# -- what is written -------------------------------------------------------------------------------


def test_the_step_returns_tables_model_and_notes(
    mood_tables: Tables, encoder: Path, quick: Settings, tmp_path: Path
) -> None:
    train = quick.train.model_copy(
        update={"models": ("majority", "simple_bert"), "final_model": "simple_bert"}
    )
    result = train_models(
        **mood_tables,
        encoder=encoder,
        settings=train,
        encoder_settings=quick.encoder,
        seed=quick.seed,
        scratch=tmp_path,
    )
    assert {row["model"] for row in as_rows(result.model_metrics)} == {"majority", "simple_bert"}
    assert result.mood_model is not None
    assert describe(result.mood_model)["model"] == "simple_bert"
    assert result.notes.figures["songs"]["test"] == {"happy": 12, "sad": 8}
    assert result.notes.warnings == ()


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
    right = pd.DataFrame(
        [
            (row["song_id"], row["model"], row["mood"] == row["predicted"])
            for row in as_rows(trained.model_predictions)
            if row["split"] == "test"
        ],
        columns=["song", "model", "right"],
    ).pivot(index="song", columns="model", values="right")
    for model, earlier in before.items():
        if earlier is not None:
            better = int((right[model] & ~right[earlier]).sum())
            worse = int((~right[model] & right[earlier]).sum())
            expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
            assert rows[model]["mcnemar_p"] == pytest.approx(expected)


def test_the_figures_are_those_of_the_predictions(trained: TrainedModels, mood_tables: Tables) -> None:
    predictions = pd.DataFrame(as_rows(trained.model_predictions))
    labels = {row["song_id"]: row["mood"] for row in as_rows(mood_tables["labelled"])}
    assert not predictions.duplicated(["model", "song_id"]).any()
    assert (predictions["mood"] == predictions["song_id"].map(labels)).all()
    assert (
        predictions["predicted"] == [max(shares, key=shares.get) for shares in predictions["probabilities"]]
    ).all()
    for row in as_rows(trained.model_metrics):
        rows = predictions[(predictions["model"] == row["model"]) & (predictions["split"] == row["split"])]
        assert len(rows) == row["n"]
        assert (rows["mood"] == rows["predicted"]).mean() == pytest.approx(row["accuracy"])


def test_the_final_model_is_made_again_with_the_test_songs(
    mood_tables: Tables,
    trained: TrainedModels,
    encoder: Path,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    settings = make_settings(*QUICK, "train.refit=false")
    once = fit(take(mood_tables, settings), encoder, settings, tmp_path)
    # figures and predictions stay those of the model that has not seen the test songs
    assert as_rows(once.model_predictions) == as_rows(trained.model_predictions)
    assert trained.folder is not None
    assert once.folder is not None
    tested = [row for row in as_rows(once.model_predictions) if (row["model"], row["split"]) == FINAL_TEST]
    songs = take(mood_tables, settings).toPandas().set_index("song_id")
    songs = songs.loc[[row["song_id"] for row in tested]].reset_index()
    hidden = np.array([row["hidden"] for row in tested])
    measured, refitted = (NeuralModel.load(path, BY_LINE) for path in (once.folder, trained.folder))
    np.testing.assert_allclose(measured.hidden(songs), hidden, atol=1e-4)
    assert not np.allclose(refitted.hidden(songs), hidden, atol=1e-2)
    cards = [(path / "README.md").read_text() for path in (once.folder, trained.folder)]
    assert ["it has seen the moods of both" in card for card in cards] == [False, True]


def test_only_the_final_models_hidden_layer_is_kept(trained: TrainedModels) -> None:
    kept = {(row["model"], row["hidden"] is not None) for row in as_rows(trained.model_predictions)}
    assert {model for model, has_hidden in kept if has_hidden} == {"fusion"}
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
    mood_tables: Tables, trained: TrainedModels, encoder: Path, quick: Settings, tmp_path: Path
) -> None:
    shuffled = {name: frame.repartition(3) for name, frame in mood_tables.items()}
    torch.rand(5)  # earlier draws must not matter
    again = fit(take(shuffled, quick), encoder, quick, tmp_path)
    pd.testing.assert_frame_equal(
        pd.DataFrame(as_rows(again.model_metrics)).drop(columns="train_seconds"),
        pd.DataFrame(as_rows(trained.model_metrics)).drop(columns="train_seconds"),
    )
    assert as_rows(again.training_curves) == as_rows(trained.training_curves)
    assert trained.folder is not None
    assert encoder_id(tmp_path) == encoder_id(trained.folder)


def test_model_folder(trained: TrainedModels, mood_tables: Tables, quick: Settings) -> None:
    assert trained.folder is not None
    for file in trained.folder.iterdir():
        assert file.suffix in {".safetensors", ".json", ".txt", ".md"}
    assert describe(trained.folder)["moods"] == ["happy", "sad"]
    card = (trained.folder / "README.md").read_text()
    assert card.startswith("# fusion")
    assert "modified_tbert" in card
    assert "| test | 12 | 8 |" in card
    songs = take(mood_tables, quick).toPandas()
    model = NeuralModel.load(trained.folder, BY_LINE)
    prediction = model.predict(songs)
    assert prediction.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert prediction.hidden.shape == (100, 8 + 2)  # and what the regressions say of each mood
    assert (model.hidden(songs) == prediction.hidden).all()
    accuracy = (prediction.probabilities.argmax(1) == (songs["mood"] == "sad")).mean()
    assert accuracy > 0.8


def test_loading_never_unpickles(trained: TrainedModels, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained.folder is not None

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    NeuralModel.load(trained.folder, BY_LINE)


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


def test_a_model_that_gives_no_numbers_raises(encoder: Path, quick: Settings) -> None:
    class Broken:
        def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
            return []

        def predict_proba(self, songs: pd.DataFrame) -> np.ndarray:
            return np.full((len(songs), 2), math.nan)

    songs = pd.DataFrame({"song_id": ["a", "b"], "split": ["validation", "test"], "mood": [0, 1]})
    comparison = Comparison(model_settings(quick), encoder)
    comparison.moods = ["happy", "sad"]
    with pytest.raises(UserError, match=r"majority gives no numbers.*train\.head_learning_rate"):
        comparison.measure("majority", Learned(Broken(), songs, 1.0))


# -- what is missing -------------------------------------------------------------------------------


def test_no_labels(
    table: Callable[..., DataFrame], mood_tables: Tables, encoder: Path, quick: Settings, tmp_path: Path
) -> None:
    unlabelled = {**mood_tables, "labelled": table(LABELLED)}
    result = fit(take(unlabelled, quick), encoder, quick, tmp_path)
    assert result.folder is None
    assert result.model_metrics.collect() == result.training_curves.collect() == []
    assert "no labelled songs" in result.warnings[0]


def test_one_mood_stops(mood_tables: Tables, encoder: Path, quick: Settings, tmp_path: Path) -> None:
    happy = {**mood_tables, "labelled": mood_tables["labelled"].where("mood = 'happy'")}
    with pytest.raises(UserError, match=r"all 60 labelled songs are happy.*label\.min_tags"):
        fit(take(happy, quick), encoder, quick, tmp_path)


def test_a_mood_of_three_songs_stops(
    table: Callable[..., DataFrame], encoder: Path, quick: Settings, tmp_path: Path
) -> None:
    few = song_tables(table, encoder, {"happy": 12, "sad": 3})
    with pytest.raises(UserError, match=r"only 3 labelled songs are sad.*needs 10"):
        fit(take(few, quick), encoder, quick, tmp_path)


@pytest.mark.parametrize(
    ("songs", "artists", "left_out", "reason"),
    [
        ({"angry": 9, "happy": 40, "sad": 40}, 2, ["angry"], "only 9 labelled songs are angry"),
        ({"angry": 1, "calm": 3, "happy": 40, "sad": 40}, 2, ["angry", "calm"], "only 1 labelled song is"),
        ({"angry": 12, "happy": 120, "sad": 120}, 12, ["angry"], "its only artist is too few"),
        ({"angry": 20, "happy": 40, "sad": 40}, 2, [], ""),
    ],
)
def test_a_mood_with_too_few_songs_or_artists_is_left_out_while_two_remain(
    songs: dict[str, int], artists: int, left_out: list[str], reason: str, quick: Settings
) -> None:
    """`artists` is the number of neighboring songs that share an artist."""
    moods = [mood for mood, count in songs.items() for _ in range(count)]
    frame = pd.DataFrame({"mood": moods, "artist": [f"Artist {i // artists}" for i in range(len(moods))]})
    kept, names, warnings = split_frame(frame, model_settings(quick))
    assert names == [mood for mood in songs if mood not in left_out]
    assert sorted(set(kept["mood"])) == list(range(len(names)))
    assert len(kept) == sum(songs[mood] for mood in names)
    assert [warning.split()[0] for warning in warnings] == left_out
    assert not left_out or (reason in warnings[0] and "bring more" in warnings[0])


@pytest.mark.parametrize("songs", [{"angry": 2, "happy": 40, "sad": 3}, {"happy": 40, "sad": 1}])
def test_two_moods_must_remain(songs: dict[str, int], quick: Settings) -> None:
    moods = [mood for mood, count in songs.items() for _ in range(count)]
    frame = pd.DataFrame({"mood": moods, "artist": [f"Artist {i}" for i in range(len(moods))]})
    with pytest.raises(UserError, match=r"only \d labelled songs? (is|are) sad, and training needs 10"):
        split_frame(frame, model_settings(quick))


def test_audio_alone_and_three_moods(
    table: Callable[..., DataFrame], encoder: Path, quick: Settings, tmp_path: Path
) -> None:
    tables = song_tables(table, encoder, {"angry": 20, "happy": 20, "sad": 20}, lyrics=False)
    result = fit(take(tables, quick), encoder, quick, tmp_path)
    assert "lyrics" in result.warnings[0]
    assert {row["model"] for row in as_rows(result.model_metrics)} == {"majority", "modified_tbert", "fusion"}
    assert describe(tmp_path)["widths"].keys() == {"audio"}
    assert json.loads((tmp_path / DESCRIPTION).read_text())["moods"] == ["angry", "happy", "sad"]


def test_lyrics_alone(
    table: Callable[..., DataFrame], encoder: Path, quick: Settings, tmp_path: Path
) -> None:
    tables = song_tables(table, encoder, {"happy": 30, "sad": 30}, audio=False)
    result = fit(take(tables, quick), encoder, quick, tmp_path)
    assert describe(tmp_path)["widths"].keys() == {"lyrics", "reading", "words", "lexicon", "topics"}
    assert len(as_rows(result.model_metrics)) == 2 * len(quick.train.models)
