"""The mood models that read lyrics with an encoder (paper 4), and those that stand beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import set_seed

from songmood.encoder.encoder import Encoder
from songmood.encoder.files import WEIGHTS, check_weights
from songmood.engine.errors import UserError
from songmood.models import Loss
from songmood.models.evaluate import fit_temperature, temper
from songmood.models.heads import Fusion, Head, TextNet
from songmood.models.linear import LINEAR
from songmood.models.parts import Array, count_topics, has_text, read_audio, stack
from songmood.models.trainer import train_net
from songmood.settings import EncoderSettings, TrainSettings

_TUNED_WINDOWS = 8  # of a song, while the encoder is tuned: a batch of the longest songs must fit in memory
HEAD, DESCRIPTION = "head.safetensors", "mood.json"  # beside the encoder's own files


@dataclass(frozen=True)
class Kind:
    """What tells the neural models apart: the parts of a song they see, and what stands over them.

    `tuned` is how the encoder reads for them: as it came (False), or as tuned to moods (True); the
    model that tunes it is fine_tuned_bert.
    """

    name: str
    parts: tuple[str, ...]
    has_hidden_layer: bool = True
    tuned: bool = True
    fuses: bool = False
    optimizer: str | None = None  # else as train.optimizer says
    head_pace: float = 1.0  # times train.head_learning_rate

    @property
    def tunes_encoder(self) -> bool:
        """Whether fitting it tunes the encoder."""
        return self is FINE_TUNED_BERT


BASE_NETWORK = Kind("base_network", ("audio",), tuned=False, optimizer="adam")
SIMPLE_BERT = Kind("simple_bert", ("lyrics",), tuned=False)
FINE_TUNED_BERT = Kind("fine_tuned_bert", ("lyrics",), has_hidden_layer=False)
MODIFIED_TBERT = Kind("modified_tbert", ("lyrics", "topics", "audio"))
# The ablation that the paper leaves out.
TBERT_NO_TOPICS = Kind("modified_tbert_no_topics", ("lyrics", "audio"))
TBERT_NO_AUDIO = Kind("modified_tbert_no_audio", ("lyrics", "topics"))
TBERT_LYRICS = Kind("modified_tbert_lyrics_only", ("lyrics",))
FUSION = Kind(
    "fusion",
    ("lyrics", *LINEAR, "topics", "audio"),
    tuned=False,
    fuses=True,
    head_pace=0.3,  # it begins with what the logistic regressions say, and should not run away from it
)
KINDS = {
    kind.name: kind
    for kind in (
        *(BASE_NETWORK, SIMPLE_BERT, FINE_TUNED_BERT),
        *(TBERT_LYRICS, TBERT_NO_AUDIO, TBERT_NO_TOPICS, MODIFIED_TBERT, FUSION),
    )
}


def learns_from_validation(model: str) -> bool:
    """Whether a model's weights come from the validation songs, too, and not only when to stop."""
    return model in KINDS and bool(set(KINDS[model].parts) & set(LINEAR))


class Prediction(NamedTuple):
    """What a neural model says of songs: probabilities (songs, moods), hidden (songs, its width)."""

    probabilities: Array
    hidden: Array


class NeuralModel:
    """A model of `KINDS`: parts of a song, read by an encoder or counted, and a head over them.

    - base_network (paper, Contributions): the audio features, an MLP.
    - simple_bert (paper fig. A.1): the encoder as it came, an MLP.
    - fine_tuned_bert (fig. A.2): the encoder's top layers learn with a small rate, and with them a linear
      head that begins as a logistic regression on the plain encoder's reading (Kumar et al. 2022).
    - modified_tbert (fig. A.3): the fine-tuned encoder's reading, topics and audio features, one
      hidden layer; and the same without some of its parts.
    - fusion: each part has a hidden layer of its own, and a gate says how much each counts for a song
      (Laurier et al. 2008 on why audio and lyrics are to be weighed against each other). Beside the
      encoder's plain reading, topics and audio it has what logistic regressions say (`linear`), and
      begins with the sum of that.

    Where songs have a column `vector`, it is taken for the encoder's reading of their lyrics, else
    `embedding` for the plain encoder's; without either they are read here.

    The tuned encoder has seen the training songs' moods, so its reading of them looks surer than it
    will be on others, and a head over it trusts it too much. Against that stand: the encoder's epoch
    and the head's are those of the least validation loss, the validation songs having taught neither;
    the tuning is short and slow; the reading keeps its small scale (`Head.standardize`); and parts are
    left out at random. The fusion's regressions learn from the validation songs, too, as what they say of
    each comes from others. None ever meets a test song. Probabilities are tempered so that validation
    songs have the least log loss.
    """

    def __init__(
        self, kind: Kind, moods: Sequence[str], encoder: Encoder, settings: TrainSettings, seed: int
    ) -> None:
        self.kind, self.moods, self.encoder = kind, list(moods), encoder
        self.settings, self.seed = settings, seed
        self.temperature = 1.0
        self.of_validation: Prediction | None = None  # of `fit`'s, by what it has not learned from them
        by_artist = settings.split_by == "artist"
        self.linear = {p: LINEAR[p](len(moods), seed, by_artist) for p in kind.parts if p in LINEAR}
        self.optimizer = kind.optimizer or settings.optimizer
        self.head: Any = None

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Train the head, and the encoder where the kind says so; keep the best epoch on validation."""
        set_seed(self.seed)
        topics = count_topics(train) if "topics" in self.kind.parts else 0
        # `linear` learns from both: what it then says of each song comes from others
        both = self._parts(pd.concat([train, validation]), self.kind.parts, topics, fit=True)
        parts = {
            "train": {part: values[: len(train)] for part, values in both.items()},
            "validation": {part: values[len(train) :] for part, values in both.items()},
        }
        # a part no training song has cannot be learned, and must not be guessed at later
        widths = {
            part: parts["train"][part].shape[1]
            for part in self.kind.parts
            if np.isfinite(parts["train"][part]).any()
        }
        if not widths:
            raise UserError(f"no training song has {' or '.join(self.kind.parts)} for {self.kind.name}")
        hidden_size = self.settings.hidden_size if self.kind.has_hidden_layer else 0
        self.head = self._head(widths, hidden_size)
        self.head.standardize(parts["train"])
        if self.settings.class_weights:
            self.head.loss.balance(train["mood"])
        elif self.kind.fuses:
            self.head.expect(train["mood"])
        if self.kind.tunes_encoder:
            self.head.regress(parts["train"], train["mood"], self.settings.class_weights, self.seed)
            curve = self._tune(train, validation)
            parts["validation"]["lyrics"] = self.read_lyrics(validation)
        else:
            curve = self._fit_head(parts, train, validation)
        self.head.eval()
        logits, hidden = self._predict(parts["validation"])
        self.temperature = fit_temperature(validation["mood"].to_numpy(), logits)
        self.of_validation = self._temper(logits, hidden)
        return curve

    def predict(self, songs: pd.DataFrame) -> Prediction:
        """Probabilities and the hidden layer (for a linear head: what it stands on)."""
        parts = self._parts(songs, self.head.widths, self.head.widths.get("topics", 0))
        return self._temper(*self._predict(parts))

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; (songs, moods)."""
        return self.predict(songs).probabilities

    def hidden(self, songs: pd.DataFrame) -> Array:
        """What the softmax stands on: the hidden layer and, of the fusion, its moods' summed log-odds."""
        return self.predict(songs).hidden

    def read_lyrics(self, songs: pd.DataFrame) -> Array:
        """The encoder's reading of each song's lyrics, of length 1; NaN where there are none."""
        vectors = np.full((len(songs), self.encoder.width), np.nan, dtype=np.float32)
        rows = np.flatnonzero(has_text(songs))
        if len(rows):
            vectors[rows] = self.encoder.read([songs["lyrics"].iloc[i] for i in rows])
        return vectors

    # -- keeping -----------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the model to a folder: safetensors and JSON, the encoder's files among them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save(folder)
        state = {name: tensor.contiguous().cpu() for name, tensor in self.head.state_dict().items()}
        save_file(state, str(folder / HEAD), metadata={"format": "pt"})
        for part in self.linear.values():
            part.save(folder)
        # which models were trained beside it is not of this one: two runs' equal models have one id
        alone = {"models": (self.kind.name,), "final_model": self.kind.name}
        description = {
            "model": self.kind.name,
            "moods": self.moods,
            "widths": self.head.widths,
            "hidden_size": self.head.hidden_size,
            "temperature": self.temperature,
            "encoder": self.encoder.settings.model_dump(mode="json", exclude={"model", "batch_size"}),
            "train": self.settings.model_copy(update=alone).model_dump(mode="json"),
            "seed": self.seed,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, batch_size: int) -> NeuralModel:
        """The model of a folder. Nothing is unpickled. Raises UserError if the folder is damaged."""
        known = describe(folder)
        reads = {**known["encoder"], "model": str(folder), "batch_size": batch_size}
        encoder = Encoder(folder, EncoderSettings.model_validate(reads))
        settings = TrainSettings.model_validate(known["train"])
        model = cls(KINDS[known["model"]], known["moods"], encoder, settings, known["seed"])
        model.temperature = known["temperature"]
        for part in model.linear.values():
            part.load(folder)
        model.head = model._head(known["widths"], known["hidden_size"])
        model.head.load_state_dict(load_file(str(folder / HEAD)))
        model.head.eval()
        return model

    # -- within ------------------------------------------------------------------------------

    def _head(self, widths: Mapping[str, int], hidden_size: int) -> Head | Fusion:
        sizes = (widths, len(self.moods), hidden_size, self.settings.dropout, self.settings.part_dropout)
        return Fusion(*sizes, log_odds=tuple(self.linear)) if self.kind.fuses else Head(*sizes)

    def _parts(
        self, songs: pd.DataFrame, parts: Iterable[str], topics: int, fit: bool = False
    ) -> dict[str, Array]:
        """The numbers of each part of the songs; NaN where missing. `topics` is how many there are."""
        makers: dict[str, Callable[[], Array]] = {
            "lyrics": lambda: self._lyrics(songs),
            "topics": lambda: stack(songs["topic_weights"], topics),
            "audio": lambda: read_audio(songs),
            **{name: partial(part.fit if fit else part.read, songs) for name, part in self.linear.items()},
        }
        return {part: makers[part]() for part in parts}

    def _lyrics(self, songs: pd.DataFrame) -> Array:
        # the plain encoder has read all songs already, for the table `embeddings`
        for column in ("vector", *(() if self.kind.tuned else ("embedding",))):
            if column in songs:
                return stack(songs[column], self.encoder.width)
        return self.read_lyrics(songs)

    def _predict(self, parts: Mapping[str, Array]) -> tuple[npt.NDArray[np.float64], Array]:
        self.head.eval().to("cpu")
        with torch.inference_mode():
            said = self.head(**{part: torch.from_numpy(parts[part]) for part in self.head.widths})
        return said["logits"].numpy().astype(np.float64), said["hidden"].numpy()

    def _temper(self, logits: npt.NDArray[np.float64], hidden: Array) -> Prediction:
        return Prediction(temper(logits, self.temperature).astype(np.float32), hidden)

    def _fit_head(
        self, parts: Mapping[str, Mapping[str, Array]], train: pd.DataFrame, validation: pd.DataFrame
    ) -> list[Loss]:
        def rows(split: str, moods: pd.Series[int]) -> list[dict[str, Any]]:
            columns = {part: parts[split][part] for part in self.head.widths}
            return [
                {**{part: values[i] for part, values in columns.items()}, "labels": mood}
                for i, mood in enumerate(moods.tolist())
            ]

        return train_net(
            self.head,
            rows("train", train["mood"]),
            rows("validation", validation["mood"]),
            collate=_collate_parts,
            optimizer=self.optimizer,
            rate=self.settings.head_learning_rate * self.kind.head_pace,
            epochs=self.settings.head_epochs,
            patience=self.settings.patience,
            settings=self.settings,
            seed=self.seed,
        )

    def _tune(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        def rows(songs: pd.DataFrame) -> list[dict[str, Any]]:
            known = songs[has_text(songs)]
            windows: list[list[list[int]]] = [[] for _ in range(len(known))]
            for window in self.encoder.windows(known["lyrics"].tolist()):
                if len(windows[window.text]) < _TUNED_WINDOWS:
                    windows[window.text].append(window.token_ids)
            return [  # input_ids only say how long a song is
                {"input_ids": [i for ids in of for i in ids], "windows": of, "labels": mood}
                for of, mood in zip(windows, known["mood"].tolist(), strict=True)
            ]

        def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
            songs = [i for i, row in enumerate(batch) for _ in row["windows"]]
            padded = self.encoder.pad([ids for row in batch for ids in row["windows"]])
            labels = torch.tensor([row["labels"] for row in batch])
            # labels first: the Trainer takes the first tensor's length for the number of songs
            return {"labels": labels, "songs": torch.tensor(songs), **padded}

        net = TextNet(self.encoder, self.head, self.settings.trained_layers)
        curve = train_net(
            net,
            rows(train),
            rows(validation),
            collate=collate,
            optimizer=self.optimizer,
            rate=self.settings.encoder_learning_rate,
            epochs=self.settings.epochs,
            patience=self.settings.epochs,
            settings=self.settings,
            seed=self.seed,
        )
        self.encoder.model.eval().requires_grad_(False)
        return curve


def describe(folder: Path) -> dict[str, Any]:
    """What a model's folder says of itself: model, moods, widths and more.

    Raises UserError, in one line, if a file is missing or damaged.
    """
    advice = "delete the folder and run ./spark-submit.sh all --from train"
    for name in (WEIGHTS, HEAD):
        if not (folder / name).is_file():
            raise UserError(f"the mood model {folder} has no {name}: {advice}")
        check_weights(folder / name, advice)
    try:
        known: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"the mood model {folder} has no readable {DESCRIPTION} ({error}): {advice}"
        ) from None
    for name, part in LINEAR.items():
        if name in known["widths"]:
            part.check(folder, advice)
    return known


def _collate_parts(batch: list[dict[str, Any]]) -> dict[str, Any]:
    tensors = {
        name: torch.from_numpy(np.stack([row[name] for row in batch]))
        for name in batch[0]
        if name != "labels"
    }
    return {**tensors, "labels": torch.tensor([row["labels"] for row in batch])}
