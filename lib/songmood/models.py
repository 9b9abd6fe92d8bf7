"""The mood models that read lyrics with an encoder (paper 4): simple BERT, fine-tuned BERT, modified tBERT.

A model takes songs as a pandas frame with the columns of `SONG_COLUMNS`; any of them may be null.
`mood`, where it is needed, holds indices into the model's moods, which are sorted by name.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import transformers
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments, set_seed

from songmood import config as settings
from songmood.encoder import WEIGHTS, Encoder, check_weights, device, is_text, quiet
from songmood.errors import SongmoodError
from songmood.tables import AUDIO_FEATURES, DISCRETE_AUDIO_FEATURES

SONG_COLUMNS = ("lyrics", "topic_weights", *AUDIO_FEATURES)
HAPPY = "happy"  # the mood whose probability, precision and recall are given by themselves
HEAD, DESCRIPTION = "head.safetensors", "mood.json"  # beside the encoder's own files

Array = npt.NDArray[np.float32]
# Spotify's values: pitch classes 0 to 11 (-1 is 'none found'), minor 0 or major 1, beats in a bar
_LEVELS = {"key": 12, "mode": 2, "time_signature": 8}
_OWN_SCALE = ("lyrics", "topics")
_CONTINUOUS = tuple(name for name in AUDIO_FEATURES if name not in DISCRETE_AUDIO_FEATURES)
_AUDIO_WIDTH = len(_CONTINUOUS) + sum(_LEVELS.values())


def song_parts(
    songs: DataFrame, lyrics: DataFrame, topics: DataFrame, audio_features: DataFrame
) -> DataFrame:
    """Songs with what models see of them: the columns of `songs` and `SONG_COLUMNS`, null where missing.

    Songs with neither lyrics nor audio features are left out.
    """
    texts = lyrics.where(is_text(F.col("lyrics"))).select("song_id", "lyrics")
    features = audio_features.select("song_id", *AUDIO_FEATURES)
    has_audio = F.coalesce(*(F.col(name).cast("double") for name in AUDIO_FEATURES)).isNotNull()
    return (
        songs.join(texts, "song_id", "left")
        .join(topics.select("song_id", "topic_weights"), "song_id", "left")
        .join(features, "song_id", "left")
        .where(F.col("lyrics").isNotNull() | has_audio)
    )


class Loss(NamedTuple):
    """A point of a training curve: the mean loss up to a step, on train or validation."""

    step: int
    loss: float
    split: str


class Model(Protocol):
    """What every model does."""

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Learn from `train`; `validation` only says when to stop. Returns the training curve."""

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; (songs, moods)."""


@dataclass(frozen=True)
class Kind:
    """What tells the neural models apart: the parts of a song they see, and what stands over them."""

    name: str
    parts: tuple[str, ...]
    has_hidden_layer: bool
    tunes_encoder: bool = False


SIMPLE_BERT = Kind("simple_bert", ("lyrics",), has_hidden_layer=True)
FINE_TUNED_BERT = Kind("fine_tuned_bert", ("lyrics",), has_hidden_layer=False, tunes_encoder=True)
MODIFIED_TBERT = Kind("modified_tbert", ("lyrics", "topics", "audio"), has_hidden_layer=True)
KINDS = {kind.name: kind for kind in (SIMPLE_BERT, FINE_TUNED_BERT, MODIFIED_TBERT)}


class Prediction(NamedTuple):
    """What a neural model says of songs: probabilities (songs, moods), hidden (songs, hidden size)."""

    probabilities: Array
    hidden: Array


class Head(nn.Module):  # type: ignore[misc]
    """What stands over the parts of a song: an optional hidden layer, then softmax over the moods.

    Each part comes as a tensor (songs, its width), and is standardised here by the training songs.
    What is not a finite number counts as missing and is set to the mean, 0; beside several parts stands
    a 1 for each that is missing whole. In training parts are left out at random (`part_dropout`; a song
    that would lose all keeps all), so that a song without audio or without lyrics is nothing new, and
    so that no part is relied on alone.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        moods: int,
        hidden_size: int,
        dropout: float,
        part_dropout: float,
    ) -> None:
        super().__init__()
        self.widths, self.part_dropout = dict(widths), part_dropout
        flags = len(widths) if len(widths) > 1 else 0
        size = sum(widths.values()) + flags
        self.hidden_size = hidden_size
        self.hidden = nn.Sequential(nn.Linear(size, hidden_size), nn.ReLU()) if hidden_size else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size or size, moods)
        for part, width in widths.items():
            self.register_buffer(f"{part}_mean", torch.zeros(width))
            self.register_buffer(f"{part}_scale", torch.ones(width))

    def standardise(self, parts: Mapping[str, Array]) -> None:
        """Take mean and deviation from the training songs' parts. Values 0 or 1 stay as they are.

        Beside other parts, the encoder's vector (of length 1) and the topics (of sum 1) keep their own
        small scale and are only centred. Blown up to deviation 1, hundreds of noisy numbers drown the
        few of audio: on 900 made songs of known truth that cost 6 points of accuracy.
        """
        for part in self.widths:
            values = np.where(np.isfinite(parts[part]), parts[part], np.nan).astype(np.float64)
            known = np.isfinite(values).sum(axis=0)
            mean = np.where(known, np.nansum(values, axis=0) / np.maximum(known, 1), 0)
            deviation = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(known, 1))
            binary = np.all(np.isnan(values) | (values == 0) | (values == 1), axis=0)
            mean, deviation = np.where(binary, 0, mean), np.where(binary | (deviation < 1e-8), 1, deviation)
            if len(self.widths) > 1 and part in _OWN_SCALE:
                deviation = np.ones_like(deviation)
            self.get_buffer(f"{part}_mean").copy_(torch.from_numpy(mean))
            self.get_buffer(f"{part}_scale").copy_(torch.from_numpy(deviation))

    def forward(self, labels: Any = None, **parts: Any) -> dict[str, Any]:
        """Logits and the hidden layer of songs, and the loss where labels are given."""
        columns, present = [], []
        for part in self.widths:
            values = (parts[part] - self.get_buffer(f"{part}_mean")) / self.get_buffer(f"{part}_scale")
            finite = torch.isfinite(values)
            columns.append(torch.where(finite, values, torch.zeros_like(values)))
            present.append(finite.any(1))
        if len(columns) > 1:
            there = torch.stack(present, 1)
            if self.training and self.part_dropout:
                kept = there & (torch.rand(there.shape, device=there.device) >= self.part_dropout)
                there = torch.where(kept.any(1, keepdim=True), kept, there)
            columns = [column * there[:, [i]] for i, column in enumerate(columns)]
            columns.append((~there).to(columns[0].dtype))
        hidden = self.hidden(torch.cat(columns, 1))
        logits = self.output(self.dropout(hidden))
        result = {"logits": logits, "hidden": hidden}
        if labels is not None:
            result["loss"] = nn.functional.cross_entropy(logits, labels)
        return result


class TextNet(nn.Module):  # type: ignore[misc]
    """An encoder and a head over its reading, trained together. Below `trained_layers` nothing learns."""

    def __init__(self, encoder: Encoder, head: Head, trained_layers: int) -> None:
        super().__init__()
        self.pool, self.transformer, self.head = encoder.pool, encoder.model, head
        # a plain list, for a module list would register the same weights twice
        self.learning: list[Any] = [self.transformer]
        if trained_layers >= 0:
            self.learning = encoder.layers()[-trained_layers:] if trained_layers else []
        self.transformer.requires_grad_(False)
        for module in self.learning:
            module.requires_grad_(True)

    def train(self, mode: bool = True) -> TextNet:
        """Training mode, but for the layers that do not learn: dropout there would be mere noise."""
        super().train(mode)
        self.transformer.eval()
        for module in self.learning:
            module.train(mode)
        return self

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any = None) -> dict[str, Any]:
        """As the head's."""
        return dict(self.head(labels=labels, lyrics=self.pool(input_ids, attention_mask)))


class NeuralModel:
    """simple_bert, fine_tuned_bert or modified_tbert: an encoder, and a head over it.

    - simple_bert (paper fig. A.1): the encoder as it came, an MLP.
    - fine_tuned_bert (fig. A.2): the encoder's top layers learn with a small rate, a linear head.
    - modified_tbert (fig. A.3): the fine-tuned encoder's reading, topics and audio features, one
      hidden layer.

    Where songs have a column `vector`, it is taken for the encoder's reading of their lyrics.

    The tuned encoder has seen the training songs' moods, so its reading of them looks surer than it
    will be on others, and a head over it trusts it too much. Against that stand: the encoder's epoch
    and the head's are those of the least validation loss, the validation songs having taught neither;
    the tuning is short and slow; the reading keeps its small scale (`Head.standardise`); and parts are
    left out at random. Neither ever meets a test song.
    """

    def __init__(
        self,
        kind: Kind,
        moods: Sequence[str],
        encoder: Encoder,
        config: settings.Train,
        seed: int,
    ) -> None:
        self.kind, self.moods, self.encoder = kind, list(moods), encoder
        self.config, self.seed = config, seed
        self.head: Any = None

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Train the head, and the encoder where the kind says so; keep the best epoch on validation."""
        set_seed(self.seed)
        parts = {"train": self._parts(train), "validation": self._parts(validation)}
        # a part no training song has cannot be learned, and must not be guessed at later
        widths = {
            part: parts["train"][part].shape[1]
            for part in self.kind.parts
            if np.isfinite(parts["train"][part]).any()
        }
        if not widths:
            raise SongmoodError(f"no training song has {' or '.join(self.kind.parts)} for {self.kind.name}")
        hidden_size = self.config.hidden_size if self.kind.has_hidden_layer else 0
        self.head = Head(widths, len(self.moods), hidden_size, self.config.dropout, self.config.part_dropout)
        self.head.standardise(parts["train"])
        if self.kind.tunes_encoder:
            curve = self._tune(train, validation)
        else:
            curve = self._fit_head(parts, train, validation)
        self.head.eval()
        return curve

    def predict(self, songs: pd.DataFrame) -> Prediction:
        """Probabilities and the hidden layer (for a linear head: what it stands on)."""
        tensors = {part: torch.from_numpy(values) for part, values in self._parts(songs).items()}
        self.head.eval().to("cpu")
        with torch.inference_mode():
            result = self.head(**{part: tensors[part] for part in self.head.widths})
            probabilities = torch.softmax(result["logits"], dim=1)
        return Prediction(probabilities.numpy(), result["hidden"].numpy())

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; (songs, moods)."""
        return self.predict(songs).probabilities

    def hidden(self, songs: pd.DataFrame) -> Array:
        """The hidden layer; (songs, hidden size)."""
        return self.predict(songs).hidden

    def read_lyrics(self, songs: pd.DataFrame) -> Array:
        """The encoder's reading of each song's lyrics, of length 1; NaN where there are none."""
        vectors = np.full((len(songs), self.encoder.width), np.nan, dtype=np.float32)
        rows = [i for i, text in enumerate(songs["lyrics"]) if isinstance(text, str) and text.strip()]
        if rows:
            vectors[rows] = self.encoder.read([songs["lyrics"].iloc[i] for i in rows])
        return vectors

    # -- keeping -----------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the model to a folder: safetensors and JSON, the encoder's files among them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save(folder)
        state = {name: tensor.contiguous().cpu() for name, tensor in self.head.state_dict().items()}
        save_file(state, str(folder / HEAD), metadata={"format": "pt"})
        description = {
            "model": self.kind.name,
            "moods": self.moods,
            "widths": self.head.widths,
            "hidden_size": self.head.hidden_size,
            "max_tokens": self.encoder.max_tokens,
            "train": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, batch_size: int) -> NeuralModel:
        """The model of a folder. Nothing is unpickled. Raises SongmoodError if the folder is damaged."""
        known = describe(folder)
        encoder = Encoder(folder, known["max_tokens"], batch_size)
        config = settings.Train.model_validate(known["train"])
        model = cls(KINDS[known["model"]], known["moods"], encoder, config, known["seed"])
        model.head = Head(
            known["widths"], len(known["moods"]), known["hidden_size"], config.dropout, config.part_dropout
        )
        model.head.load_state_dict(load_file(str(folder / HEAD)))
        model.head.eval()
        return model

    # -- within ------------------------------------------------------------------------------

    def _parts(self, songs: pd.DataFrame) -> dict[str, Array]:
        """The numbers of each part of the songs; NaN where missing."""
        makers = {
            "lyrics": lambda: (
                _stack(songs["vector"], self.encoder.width) if "vector" in songs else self.read_lyrics(songs)
            ),
            "topics": lambda: _stack(songs["topic_weights"], self._topics(songs)),
            "audio": lambda: _audio(songs),
        }
        return {part: makers[part]() for part in (self.head.widths if self.head else self.kind.parts)}

    def _topics(self, songs: pd.DataFrame) -> int:
        if self.head is not None:
            return int(self.head.widths["topics"])
        return max((len(row) for row in songs["topic_weights"] if _is_list(row)), default=0)

    def _fit_head(
        self, parts: Mapping[str, Mapping[str, Array]], train: pd.DataFrame, validation: pd.DataFrame
    ) -> list[Loss]:
        def rows(split: str, moods: pd.Series[int]) -> list[dict[str, Any]]:
            columns = {part: parts[split][part] for part in self.head.widths}
            return [
                {**{part: values[i] for part, values in columns.items()}, "labels": mood}
                for i, mood in enumerate(moods.tolist())
            ]

        optimizer = torch.optim.AdamW(
            self.head.parameters(), lr=self.config.head_learning_rate, weight_decay=self.config.weight_decay
        )
        return _train(
            self.head,
            rows("train", train["mood"]),
            rows("validation", validation["mood"]),
            collate=_collate_parts,
            optimizer=optimizer,
            epochs=self.config.head_epochs,
            patience=self.config.patience,
            batch_size=self.config.batch_size,
            seed=self.seed,
        )

    def _tune(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        def rows(songs: pd.DataFrame) -> list[dict[str, Any]]:
            known = songs[[isinstance(text, str) and bool(text.strip()) for text in songs["lyrics"]]]
            token_ids = self.encoder.tokenize(known["lyrics"].tolist()) if len(known) else []
            return [
                {"input_ids": ids, "labels": mood}
                for ids, mood in zip(token_ids, known["mood"].tolist(), strict=True)
            ]

        def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
            padded = self.encoder.pad([row["input_ids"] for row in batch])
            return {**padded, "labels": torch.tensor([row["labels"] for row in batch])}

        net = TextNet(self.encoder, self.head, self.config.trained_layers)
        slow = [p for p in self.encoder.model.parameters() if p.requires_grad]
        groups = [{"params": list(self.head.parameters()), "lr": self.config.head_learning_rate}]
        if slow:
            groups.append({"params": slow, "lr": self.config.encoder_learning_rate})
        curve = _train(
            net,
            rows(train),
            rows(validation),
            collate=collate,
            optimizer=torch.optim.AdamW(groups, weight_decay=self.config.weight_decay),
            epochs=self.config.epochs,
            patience=self.config.epochs,
            batch_size=self.config.batch_size,
            seed=self.seed,
        )
        self.encoder.model.eval().requires_grad_(False)
        return curve


def describe(folder: Path) -> dict[str, Any]:
    """What a model's folder says of itself: model, moods, widths and more.

    Raises SongmoodError, in one line, if a file is missing or damaged.
    """
    advice = "delete the folder and run ./spark-submit.sh all --from train"
    for name in (WEIGHTS, HEAD):
        if not (folder / name).is_file():
            raise SongmoodError(f"the mood model {folder} has no {name}: {advice}")
        check_weights(folder / name, advice)
    try:
        known: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SongmoodError(
            f"the mood model {folder} has no readable {DESCRIPTION} ({error}): {advice}"
        ) from None
    return known


def _train(
    net: Any,
    train: list[dict[str, Any]],
    validation: list[dict[str, Any]],
    *,
    collate: Any,
    optimizer: Any,
    epochs: int,
    patience: int,
    batch_size: int,
    seed: int,
) -> list[Loss]:
    """Train a net with transformers' Trainer and leave it as it was after its best epoch on validation."""
    quiet()
    # the option has one name up to transformers 4 and another since
    names = {field.name for field in dataclasses.fields(TrainingArguments)}
    grouped = "input_ids" in train[0] if train else False
    by_length: dict[str, Any] = {}
    if grouped and "train_sampling_strategy" in names:
        by_length = {"train_sampling_strategy": "group_by_length"}
    elif grouped:
        by_length = {"group_by_length": True}
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=net,
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=epochs,
                per_device_train_batch_size=batch_size,
                per_device_eval_batch_size=64,
                seed=seed,
                data_seed=seed,
                full_determinism=True,
                use_cpu=device() == "cpu",
                dataloader_pin_memory=False,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=1,
                save_only_model=True,
                load_best_model_at_end=True,
                metric_for_best_model="eval_loss",
                greater_is_better=False,
                prediction_loss_only=True,
                logging_strategy="steps",
                logging_steps=10,
                remove_unused_columns=False,
                label_names=["labels"],
                report_to=[],
                disable_tqdm=True,
                log_level="error",
                **by_length,
            ),
            train_dataset=train,
            eval_dataset=validation,
            data_collator=collate,
            optimizers=(optimizer, None),
            callbacks=[EarlyStoppingCallback(early_stopping_patience=patience)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        curve = []
        for entry in trainer.state.log_history:
            for name, split in (("loss", "train"), ("eval_loss", "validation")):
                if name in entry:
                    curve.append(Loss(int(entry["step"]), float(entry[name]), split))
        return curve


def _collate_parts(batch: list[dict[str, Any]]) -> dict[str, Any]:
    tensors = {
        name: torch.from_numpy(np.stack([row[name] for row in batch]))
        for name in batch[0]
        if name != "labels"
    }
    return {**tensors, "labels": torch.tensor([row["labels"] for row in batch])}


def _is_list(row: Any) -> bool:
    return isinstance(row, list | tuple | np.ndarray)


def _stack(rows: pd.Series[Any], width: int) -> Array:
    """Lists of numbers as an array (songs, width); NaN where a song has none."""
    values = np.full((len(rows), width), np.nan, dtype=np.float32)
    for i, row in enumerate(rows):
        if _is_list(row) and len(row) == width:
            values[i] = np.asarray(row, dtype=np.float32)
    return values


def _audio(songs: pd.DataFrame) -> Array:
    """The audio features: nine numbers, then key, mode and time_signature one-hot; NaN if all are missing."""
    columns = [songs[list(_CONTINUOUS)].astype("float64").to_numpy()]
    for name, levels in _LEVELS.items():
        values = songs[name].astype("float64").to_numpy()
        columns.append((values[:, None] == np.arange(levels)[None, :]).astype("float64"))
    missing = songs[list(AUDIO_FEATURES)].isna().all(axis=1).to_numpy()
    stacked = np.hstack(columns).astype(np.float32)
    stacked[missing] = np.nan
    return stacked
