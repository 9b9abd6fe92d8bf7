"""Train the mood models on the labelled songs, compare them, and keep the final one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from songmood import config as settings
from songmood.baselines import Majority, TfidfLogistic
from songmood.encoder import Encoder, encoder_id
from songmood.errors import SongmoodError
from songmood.evaluate import evaluate
from songmood.models import KINDS, Loss, Model, NeuralModel, song_parts
from songmood.names import normalised_artist
from songmood.tables import AUDIO_FEATURES, MODEL_METRICS, TRAINING_CURVES

SPLITS = ("train", "validation", "test")
OPTIMIZER = "adamw"
PARTS = 10  # songs are dealt into so many, and splits are whole ones
_LYRICS_MODELS = {"tfidf_logistic", "simple_bert", "fine_tuned_bert"}


class TrainedModels(NamedTuple):
    """The tables, the folder of the final model (None if there is none), and what a person should know."""

    model_metrics: DataFrame
    training_curves: DataFrame
    folder: Path | None
    warnings: list[str]
    figures: dict[str, Any]


def training_songs(
    labelled: DataFrame,
    deduped: DataFrame,
    lyrics: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    embeddings: DataFrame,
    config: settings.Train,
    seed: int,
) -> DataFrame:
    """The labelled songs that have lyrics or audio features, at most `train.max_songs` of them.

    Columns: song_id, mood, artist (normalised; the song's own id where it has none, so that it is
    nobody's), embedding, and `songmood.models.SONG_COLUMNS`. Which songs are taken depends on ids
    and seed alone.
    """
    artist = normalised_artist(F.col("artist"))
    songs = labelled.select("song_id", "mood").join(deduped.select("song_id", "artist"), "song_id")
    taken = (
        song_parts(songs, lyrics, topics, audio_features)
        .orderBy(F.xxhash64("song_id", F.lit(seed)), "song_id")
        .limit(config.max_songs)
    )
    return taken.join(embeddings.select("song_id", "embedding"), "song_id", "left").withColumn(
        "artist", F.when(artist == "", F.col("song_id")).otherwise(artist)
    )


def fit_models(
    songs: DataFrame, encoder_folder: Path, config: settings.Config, folder: Path
) -> TrainedModels:
    """Train each model of `train.models` on the driver, on one split; write the final one to `folder`.

    `songs` are those of `training_songs`. Two runs on one machine give the same figures, but for
    train_seconds; on another machine sums come in another order and figures differ a little.
    Raises SongmoodError if all songs have one mood, or a mood has too few to be split.
    """
    frame = songs.toPandas().sort_values("song_id", ignore_index=True)
    torch.set_num_threads(os.cpu_count() or 1)  # Spark gives its driver one thread, and waits meanwhile
    done = _Comparison(config)
    if frame.empty:
        done.warnings.append("no labelled songs with lyrics or audio features: no model is trained")
    else:
        done.moods = _moods(frame["mood"])
        frame["mood"] = frame["mood"].map(done.moods.index)
        frame["split"] = split_songs(frame["mood"], frame["artist"], done.moods, config.train, config.seed)
        done.figures = _balance(frame, done.moods)
        _compare(frame, encoder_folder, done)
    final = done.models.get(config.train.final_model)
    if isinstance(final, NeuralModel):
        final.save(folder)
        card = model_card(final, encoder_id(encoder_folder), done)
        (folder / "README.md").write_text(card, encoding="utf-8")
    metrics = [tuple(row[name] for name in MODEL_METRICS.column_names) for row in done.metrics]
    curves = [
        (name, OPTIMIZER, point.step, point.loss, point.split)
        for name, curve in done.curves.items()
        for point in curve
    ]
    spark = songs.sparkSession
    return TrainedModels(
        spark.createDataFrame(metrics, MODEL_METRICS.schema),
        spark.createDataFrame(curves, TRAINING_CURVES.schema),
        folder if final is not None else None,
        done.warnings,
        done.figures,
    )


def split_songs(
    moods: pd.Series[int], artists: pd.Series[str], names: Sequence[str], config: settings.Train, seed: int
) -> npt.NDArray[Any]:
    """The split of each song: 'train', 'validation' or 'test'; the moods are alike in all three.

    Songs are dealt into ten parts; with `train.split_by` artist, all songs of an artist go into one.
    `train.fold` says which of them are for test: over the folds, every song is tested on once.
    The result depends on the songs' order. Raises SongmoodError if a split lacks a mood.
    """
    by_artist = config.split_by == "artist"
    too_few = f"{artists.nunique()} artists are too few to keep them apart; set train.split_by to random"
    if by_artist and artists.nunique() < PARTS:
        raise SongmoodError(f"the labelled songs' {too_few}, or bring more labelled songs")
    if by_artist:
        # renamed at random rather than shuffled by the dealer, which versions of scikit-learn do differently
        codes, known = pd.factorize(artists, sort=True)
        renamed = np.random.default_rng(seed).permutation(len(known))[codes]
        dealt = StratifiedGroupKFold(n_splits=PARTS).split(moods, moods, renamed)
    else:
        dealt = StratifiedKFold(n_splits=PARTS, shuffle=True, random_state=seed).split(moods, moods)
    part = np.empty(len(moods), dtype=int)
    for number, (_, rows) in enumerate(dealt):
        part[rows] = number
    test = round(config.test_share * PARTS)
    part = (part - config.fold * test) % PARTS
    validation = test + round(config.validation_share * PARTS)
    split = np.where(part < test, "test", np.where(part < validation, "validation", "train"))
    for name in SPLITS:
        for code, mood in enumerate(names):
            if not ((split == name) & (moods.to_numpy() == code)).any():
                raise SongmoodError(f"no {mood} song for {name}: {too_few}, or bring more labelled songs")
    return split


class _Comparison:
    """The models of one run: fitted one by one on the same split, and measured on it."""

    def __init__(self, config: settings.Config) -> None:
        self.config = config
        self.moods: list[str] = []
        self.models: dict[str, Model] = {}
        self.metrics: list[dict[str, Any]] = []
        self.curves: dict[str, list[Loss]] = {}
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.figures: dict[str, Any] = {}

    def neural(self, name: str, encoder: Encoder) -> NeuralModel:
        """A neural model, not fitted."""
        return NeuralModel(KINDS[name], self.moods, encoder, self.config.train, self.config.seed)

    def fit(self, name: str, model: Model, songs: pd.DataFrame) -> None:
        """Fit a model on the training songs."""
        started = time.perf_counter()
        train, validation = (songs[songs["split"] == split] for split in ("train", "validation"))
        self.curves[name] = model.fit(train, validation)
        self.seconds[name] = time.perf_counter() - started
        self.models[name] = model

    def measure(self, name: str, songs: pd.DataFrame) -> None:
        """Measure a fitted model on the songs it has not learnt from."""
        config = self.config
        for split in ("validation", "test"):
            rows = songs[songs["split"] == split]
            truth, guesses = rows["mood"].to_numpy(), self.models[name].predict_proba(rows)
            figures = evaluate(self.moods, truth, guesses, config.seed, config.train.bootstrap_samples)
            seconds = round(self.seconds[name], 2)
            self.metrics.append(
                {"model": name, "split": split, **figures, "train_seconds": seconds, "seed": config.seed}
            )


def _compare(frame: pd.DataFrame, encoder_folder: Path, done: _Comparison) -> None:
    """Fit and measure the models of `train.models`, in the order of the paper's Table 1."""
    config = done.config

    def encoder() -> Encoder:
        return Encoder(encoder_folder, config.encoder.max_tokens, config.encoder.batch_size)

    wanted = set(config.train.models)
    has_lyrics = frame.groupby("split")["lyrics"].count().reindex(["train", "validation"]).min() > 0
    if not has_lyrics and wanted & _LYRICS_MODELS:
        wanted -= _LYRICS_MODELS
        done.warnings.append(
            "too few lyrics among the labelled songs: models of lyrics alone are not trained"
        )
    if "majority" in wanted:
        done.fit("majority", Majority(done.moods), frame)
        done.measure("majority", frame)
    if "tfidf_logistic" in wanted:
        done.fit("tfidf_logistic", TfidfLogistic(config.seed), frame)
        done.measure("tfidf_logistic", frame)
    frame = frame.assign(vector=frame["embedding"])  # the plain encoder has read them already
    if "simple_bert" in wanted:
        done.fit("simple_bert", done.neural("simple_bert", encoder()), frame)
        done.measure("simple_bert", frame)
    reader = encoder()
    if has_lyrics and wanted & {"fine_tuned_bert", "modified_tbert"}:
        tuned = done.neural("fine_tuned_bert", reader)
        done.fit("fine_tuned_bert", tuned, frame)
        frame = frame.assign(vector=list(tuned.read_lyrics(frame)))  # once, for both models
        if "fine_tuned_bert" in wanted:
            done.measure("fine_tuned_bert", frame)
    if "modified_tbert" in wanted:
        done.fit("modified_tbert", done.neural("modified_tbert", reader), frame)
        done.seconds["modified_tbert"] += done.seconds.get(
            "fine_tuned_bert", 0.0
        )  # it needs that one's encoder
        done.measure("modified_tbert", frame)


def _moods(moods: pd.Series[str]) -> list[str]:
    """The moods in order. Raises SongmoodError unless there are two or more, each with songs to split."""
    counts = moods.value_counts().sort_index()
    advice = "loosen label.min_tags, label.top_k or label.epsilon, look at label.moods, or bring more tags"
    if len(counts) == 1:
        raise SongmoodError(f"all {len(moods)} labelled songs are {counts.index[0]}, one mood only: {advice}")
    if counts.min() < PARTS:
        raise SongmoodError(
            f"only {counts.min()} labelled songs are {counts.idxmin()}, "
            f"and training needs {PARTS} of each mood: {advice}"
        )
    return [str(mood) for mood in counts.index]


def _balance(frame: pd.DataFrame, moods: Sequence[str]) -> dict[str, Any]:
    """Songs by split and mood, and how many have what."""
    splits = {split: frame.loc[frame["split"] == split, "mood"] for split in SPLITS}
    return {
        "songs": {
            split: {mood: int((codes == code).sum()) for code, mood in enumerate(moods)}
            for split, codes in splits.items()
        },
        "with_lyrics": int(frame["lyrics"].notna().sum()),
        "with_audio": int(frame[list(AUDIO_FEATURES)].notna().any(axis=1).sum()),
        "artists": int(frame["artist"].nunique()),
    }


def model_card(model: NeuralModel, encoder: str, done: _Comparison) -> str:
    """What the model was made from and how good it is, as Markdown, to stand in its folder."""
    songs, config = done.figures["songs"], done.config.train
    header = (
        "model",
        "split",
        "accuracy",
        "95% interval",
        "precision",
        "recall",
        "macro-F1",
        "ROC-AUC",
        "log loss",
    )
    rows = []
    for row in done.metrics:
        interval = f"{row['accuracy_low']:.3f} to {row['accuracy_high']:.3f}"
        figures = [row[name] for name in ("precision", "recall", "f1", "roc_auc", "log_loss")]
        shown = ["" if figure is None else f"{figure:.3f}" for figure in figures]
        rows.append([row["model"], row["split"], f"{row['accuracy']:.3f}", interval, *shown])
    disjoint = "no artist is in two of them" if config.split_by == "artist" else "artists may be in several"
    lines = [
        f"# {model.kind.name}: the mood of a song",
        "",
        f"Tells {' from '.join(model.moods)} by {', '.join(model.head.widths)}. Encoder: {encoder}, "
        f"reading at most {model.encoder.max_tokens} word pieces. Seed {done.config.seed}.",
        "",
        "## Data",
        "",
        f"{sum(sum(counts.values()) for counts in songs.values())} songs labelled by their Last.fm tags, "
        f"{done.figures['with_lyrics']} with lyrics, {done.figures['with_audio']} with audio features, "
        f"{done.figures['artists']} artists. Splits, by {config.split_by} ({disjoint}):",
        "",
        *_markdown(("split", *model.moods), [[s, *(str(n) for n in songs[s].values())] for s in SPLITS]),
        "",
        "## Figures",
        "",
        "Precision and recall are of happy where it is one of two moods, else the mean over moods.",
        "",
        *_markdown(header, rows),
        "",
        "## Limits",
        "",
        "One split, so small differences between models mean nothing: look at the intervals. Labels are what",
        "listeners wrote, not what a song makes one feel. Lyrics beyond the word pieces above are not read.",
        "The validation songs chose the epoch, so their figures flatter; those of test do not.",
        "",
    ]
    return "\n".join(lines)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
