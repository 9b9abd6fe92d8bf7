"""Train the mood models on the labelled songs, compare them, and keep the final one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.audio import AUDIO_FEATURES
from songmood.encoder.encoder import Encoder
from songmood.encoder.files import encoder_id
from songmood.engine.errors import UserError
from songmood.engine.table import Table
from songmood.models import Model, song_parts
from songmood.models.baselines import Majority, naive_bayes, tfidf_logistic
from songmood.models.evaluate import evaluate, mcnemar
from songmood.models.neural import FINE_TUNED_BERT, KINDS, Kind, NeuralModel
from songmood.models.splits import PARTS, SPLITS, deal, split_songs
from songmood.names.normalize import normalized_artist
from songmood.settings import MODELS, EncoderSettings, TrainSettings
from songmood.tables import METRICS, MODEL_METRICS, MODEL_PREDICTIONS, TRAINING_CURVES


class ModelSettings(NamedTuple):
    """The settings that models are trained with."""

    train: TrainSettings
    encoder: EncoderSettings
    seed: int


class TrainedModels(NamedTuple):
    """The tables, the folder of the final model (None if there is none), and what a person should know."""

    model_metrics: DataFrame
    training_curves: DataFrame
    model_predictions: DataFrame
    folder: Path | None
    warnings: list[str]
    figures: dict[str, Any]


def training_songs(
    labelled: DataFrame,
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    settings: TrainSettings,
    seed: int,
) -> DataFrame:
    """The labelled songs that have lyrics or audio features, at most `train.max_songs` of them.

    Columns: song_id, mood, artist (normalized; a name of signs alone as it is written; the song's own id
    where it has none, so that it is nobody's), and `songmood.models.SONG_COLUMNS`. Which songs are taken
    depends on ids and seed alone.
    """
    written = F.trim("artist")
    artist = F.coalesce(*(F.when(name != "", name) for name in (normalized_artist(F.col("artist")), written)))
    songs = labelled.select("song_id", "mood").join(deduped.select("song_id", "artist"), "song_id")
    return (
        song_parts(songs, lyrics, embeddings, topics, audio_features)
        .orderBy(F.xxhash64("song_id", F.lit(seed)), "song_id")
        .limit(settings.max_songs)
        .withColumn("artist", F.coalesce(artist, "song_id"))
    )


def training_frame(songs: DataFrame) -> pd.DataFrame:
    """The songs of `training_songs` on the driver, in the order of their ids.

    A band is its leader's, where the leader stands among the artists alone, too: 'tom petty and the
    heartbreakers' are 'tom petty', so that splits keep them together.
    """
    torch.set_num_threads(os.cpu_count() or 1)  # Spark gives its driver one thread, and waits meanwhile
    frame = songs.toPandas().sort_values("song_id", ignore_index=True)
    leader = frame["artist"].str.split(" and ", n=1).str[0]
    return frame.assign(artist=leader.where(leader.isin(set(frame["artist"])), frame["artist"]))


def fit_models(
    songs: DataFrame, encoder_folder: Path, settings: ModelSettings, folder: Path
) -> TrainedModels:
    """Train each model of `train.models` on the driver, on one split; write the final one to `folder`.

    `songs` are those of `training_songs`. Two runs on one machine give the same figures, but for
    train_seconds; on another machine sums come in another order and figures differ a little.
    Raises UserError if all songs have one mood, or a mood has too few to be split.
    """
    frame = training_frame(songs)
    done = Comparison(settings)
    if frame.empty:
        done.warnings.append("no labelled songs with lyrics or audio features: no model is trained")
    else:
        done.moods = mood_names(frame["mood"])
        frame["mood"] = frame["mood"].map(done.moods.index)
        frame["split"] = split_songs(
            frame["mood"], frame["artist"], done.moods, settings.train, settings.seed
        )
        done.figures = _balance(frame, done.moods)
        list(done.compare(frame, encoder_folder))
    final = done.models.get(settings.train.final_model)
    if isinstance(final, NeuralModel):
        if settings.train.refit:
            final = _learn_again(frame, encoder_folder, done)
        final.save(folder)
        card = model_card(final, encoder_id(encoder_folder), done)
        (folder / "README.md").write_text(card, encoding="utf-8")
    spark = songs.sparkSession

    def table(rows: list[dict[str, Any]], of: Table) -> DataFrame:
        return spark.createDataFrame(
            [tuple(row[name] for name in of.column_names) for row in rows], of.schema
        )

    return TrainedModels(
        table(done.metrics, MODEL_METRICS),
        table(done.curves, TRAINING_CURVES),
        table(done.predictions, MODEL_PREDICTIONS),
        folder if isinstance(final, NeuralModel) else None,
        done.warnings,
        done.figures,
    )


def _learn_again(songs: pd.DataFrame, encoder_folder: Path, done: Comparison) -> NeuralModel:
    """The final model, once more, from the training and the test songs.

    It has been measured, and more songs make a better model. The validation songs still say when to
    stop. What is measured by mood later must go by `done`, for this one has seen the test songs' moods.
    """
    again = Comparison(done.settings)
    again.moods = done.moods
    more = songs.assign(split=songs["split"].replace("test", "train"))
    model, _, _ = again.learn(done.settings.train.final_model, more, encoder_folder)
    assert isinstance(model, NeuralModel)
    return model


class Comparison:
    """The models of one run: fitted one by one on the same split, and measured on it.

    `metrics`, `curves` and `predictions` are rows of the tables model_metrics, training_curves and
    model_predictions.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.moods: list[str] = []
        self.models: dict[str, Model] = {}
        self.metrics: list[dict[str, Any]] = []
        self.curves: list[dict[str, Any]] = []
        self.predictions: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.figures: dict[str, Any] = {}
        self._tuned: tuple[NeuralModel, pd.DataFrame, float] | None = None

    def compare(self, songs: pd.DataFrame, encoder_folder: Path) -> Iterator[str]:
        """Fit and measure the models of `train.models`, in the order of `config.MODELS`; each as it is done.

        `songs` have mood (an index), split, and the columns of `training_songs`. Models that cannot be
        trained, for too few songs have what they see, are left out with a warning.
        """
        for name in self.trainable(songs):
            model, read, seconds = self.learn(name, songs, encoder_folder)
            self._measure(name, model, read, seconds)
            yield name

    def learn(
        self, name: str, songs: pd.DataFrame, encoder_folder: Path
    ) -> tuple[Model, pd.DataFrame, float]:
        """A fitted model, the songs as it reads them (with `vector`, if tuned), and the seconds of fitting.

        The encoder is tuned once, for all models that read with it.
        """
        kind = KINDS.get(name)
        if kind is None:
            model = self._baseline(name)
            return model, songs, self._fit(name, model, songs)
        if kind.tuned and _can_be_learned(songs, ["lyrics"]):
            if self._tuned is None:
                self._tuned = self._tune(songs, encoder_folder)
            tuned, read, seconds = self._tuned
            if kind is FINE_TUNED_BERT:
                return tuned, read, seconds
            neural = self._neural(kind, tuned.encoder)
            return neural, read, seconds + self._fit(name, neural, read)
        neural = self._neural(kind, Encoder(encoder_folder, self.settings.encoder))
        return neural, songs, self._fit(name, neural, songs)

    def trainable(self, songs: pd.DataFrame) -> list[str]:
        """The models of `train.models` that songs suffice for; a warning says which are left out."""
        wanted: list[str] = [name for name in MODELS if name in self.settings.train.models]
        sees = {name: KINDS[name].parts if name in KINDS else ("lyrics",) for name in wanted}
        sees["majority"] = ()
        for part, columns in (("lyrics", ["lyrics"]), ("audio", list(AUDIO_FEATURES))):
            # topics are of lyrics
            alone = [name for name in wanted if set(sees[name]) - {"topics"} == {part}]
            if alone and not _can_be_learned(songs, columns):
                wanted = [name for name in wanted if name not in alone]
                what = part.replace("audio", "audio features")
                self.warnings.append(
                    f"too few {what} among the labelled songs: models of {what} alone are not trained "
                    f"({', '.join(alone)})"
                )
        return wanted

    def _neural(self, kind: Kind, encoder: Encoder) -> NeuralModel:
        return NeuralModel(kind, self.moods, encoder, self.settings.train, self.settings.seed)

    def _baseline(self, name: str) -> Model:
        if name == "majority":
            return Majority(self.moods)
        return naive_bayes() if name == "naive_bayes" else tfidf_logistic(self.settings.seed)

    def _tune(self, songs: pd.DataFrame, encoder_folder: Path) -> tuple[NeuralModel, pd.DataFrame, float]:
        """Fine-tuned BERT, the songs with its reading as `vector`, and the seconds it took.

        With `train.cross_fit` of k parts, a training song is read by an encoder that was tuned on the
        other parts: as it will read songs it has never seen.
        """
        started = time.perf_counter()
        # in windows: dozens of lines a song, padded to the longest, would take memory that learning needs
        reads = self.settings.encoder.model_copy(update={"read_by": "window"})
        tuned = self._neural(FINE_TUNED_BERT, Encoder(encoder_folder, reads))
        self._fit(FINE_TUNED_BERT.name, tuned, songs)
        vectors = tuned.read_lyrics(songs)
        learned = songs["split"] == "train"
        parts = self.settings.train.cross_fit
        if parts > 1:
            train = songs[learned]
            artists = train["artist"] if self.settings.train.split_by == "artist" else None
            for learn, tell in deal(train["mood"], artists, parts, self.settings.seed):
                other = self._neural(FINE_TUNED_BERT, Encoder(encoder_folder, reads))
                other.fit(train.iloc[learn], songs[songs["split"] == "validation"])
                vectors[np.flatnonzero(learned)[tell]] = other.read_lyrics(train.iloc[tell])
        return tuned, songs.assign(vector=list(vectors)), time.perf_counter() - started

    def _fit(self, name: str, model: Model, songs: pd.DataFrame) -> float:
        started = time.perf_counter()
        train, validation = (songs[songs["split"] == split] for split in ("train", "validation"))
        optimizer = model.optimizer if isinstance(model, NeuralModel) else ""
        of = {"model": name, "optimizer": optimizer, "seed": self.settings.seed}
        self.curves += [{**of, **point._asdict()} for point in model.fit(train, validation)]
        return time.perf_counter() - started

    def _measure(self, name: str, model: Model, songs: pd.DataFrame, seconds: float) -> None:
        """Measure a fitted model on the songs it has not learned from, and against the model before it.

        Of validation songs stands what the model said in `fit`: the fusion's regressions learn from them.
        """
        settings = self.settings
        before = list(self.models)[-1] if self.models else None
        self.models[name] = model
        for split in ("validation", "test"):
            rows = songs[songs["split"] == split]
            truth, hidden = rows["mood"].to_numpy(), None
            if isinstance(model, NeuralModel):
                kept = model.of_validation if split == "validation" else None
                predicted = kept or model.predict(rows)
                said = predicted.probabilities.astype(np.float64)
                hidden = predicted.hidden if name == settings.train.final_model else None
            else:
                said = np.asarray(model.predict_proba(rows), dtype=np.float64)
            if not np.isfinite(said).all():
                raise UserError(
                    f"{name} gives no numbers for {split} songs: it learned too fast; lower "
                    "train.head_learning_rate or train.encoder_learning_rate"
                )
            figures = evaluate(self.moods, truth, said, settings.seed, settings.train.bootstrap_samples)
            guesses = said.argmax(axis=1)
            others = [p["guess"] for p in self.predictions if (p["model"], p["split"]) == (before, split)]
            p_value = mcnemar(truth, guesses, np.array(others)) if before else None
            more = {"train_seconds": round(seconds, 2), "compared_with": before, "mcnemar_p": p_value}
            self.metrics.append({"model": name, "split": split, "seed": settings.seed, **figures, **more})
            self.predictions += [
                {
                    **{"model": name, "song_id": song_id, "split": split, "guess": int(guesses[i])},
                    "mood": self.moods[truth[i]],
                    "predicted": self.moods[guesses[i]],
                    "probabilities": dict(zip(self.moods, map(float, said[i]), strict=True)),
                    "hidden": None if hidden is None else hidden[i].tolist(),
                }
                for i, song_id in enumerate(rows["song_id"])
            ]


def _can_be_learned(songs: pd.DataFrame, columns: list[str]) -> bool:
    """Whether a training song and a validation song have one of these columns at least."""
    there = songs[columns].notna().any(axis=1).groupby(songs["split"]).any()
    return bool(there.reindex(["train", "validation"], fill_value=False).all())


def mood_names(moods: pd.Series[str]) -> list[str]:
    """The moods in order. Raises UserError unless there are two or more, each with songs to split."""
    counts = moods.value_counts().sort_index()
    advice = "loosen label.min_tags, label.top_k or label.epsilon, look at label.moods, or bring more tags"
    if len(counts) == 1:
        raise UserError(f"all {len(moods)} labelled songs are {counts.index[0]}, one mood only: {advice}")
    if counts.min() < PARTS:
        raise UserError(
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


def model_card(model: NeuralModel, encoder: str, done: Comparison) -> str:
    """What the model was made from and how good it is, as Markdown, to stand in its folder."""
    songs, settings = done.figures["songs"], done.settings.train
    header = (
        *("model", "split", "accuracy", "95% interval", "precision", "recall", "macro-F1", "ROC-AUC"),
        *("log loss", "calibration error"),
    )
    rows = []
    for row in done.metrics:
        interval = f"{row['accuracy_low']:.3f} to {row['accuracy_high']:.3f}"
        figures = [row[name] for name in METRICS[1:]]
        shown = ["" if figure is None else f"{figure:.3f}" for figure in figures]
        rows.append([row["model"], row["split"], f"{row['accuracy']:.3f}", interval, *shown])
    disjoint = "no artist is in two of them" if settings.split_by == "artist" else "artists may be in several"
    lines = [
        f"# {model.kind.name}: the mood of a song",
        "",
        f"Tells {' from '.join(model.moods)} by {', '.join(_SEEN[part] for part in model.head.widths)}. "
        f"Encoder: {encoder}, "
        f"reading by {model.encoder.settings.read_by}, at most {model.encoder.settings.max_windows} times "
        f"{model.encoder.max_tokens} word pieces. Temperature {model.temperature:.2f}. "
        f"Seed {done.settings.seed}.",
        "",
        "## Data",
        "",
        f"{sum(sum(counts.values()) for counts in songs.values())} songs labelled by their Last.fm tags, "
        f"{done.figures['with_lyrics']} with lyrics, {done.figures['with_audio']} with audio features, "
        f"{done.figures['artists']} artists. Splits, by {settings.split_by} ({disjoint}):",
        "",
        *_markdown(("split", *model.moods), [[s, *(str(n) for n in songs[s].values())] for s in SPLITS]),
        "",
        *(_REFITTED if settings.refit else ()),
        "## Figures",
        "",
        "Precision and recall are of happy where it is one of two moods, else the mean over moods.",
        "",
        *_markdown(header, rows),
        "",
        "## Limits",
        "",
        "One split, so small differences between models mean nothing: look at the intervals. Labels are what",
        "listeners wrote, not what a song makes one feel. The encoder reads no more of lyrics than is said",
        "above. The validation songs chose the epoch and the temperature, and taught a fusion's regressions",
        "beside the training songs, so their figures flatter; those of test do not.",
        "",
    ]
    return "\n".join(lines)


_REFITTED = (
    "The figures are of models that learned from the training songs. This one was made in the same way",
    "afterwards, from training and test songs: it has seen the moods of both.",
    "",
)


_SEEN = {  # the parts of a model, as a person reads of them
    "lyrics": "the encoder's reading of the lyrics",
    "reading": "a logistic regression on that reading",
    "words": "one on the words",
    "lexicon": "one on a list of glad and sad words",
    "topics": "topics",
    "audio": "audio features",
}


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
