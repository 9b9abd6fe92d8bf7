"""The neural mood models (paper 4): parts of a song as numbers, and a net over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
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

from songmood.catalog import NEURAL, Neural
from songmood.encoder.encoder import Encoder
from songmood.engine.errors import UserError
from songmood.models.base import Loss
from songmood.models.evaluate import fit_temperature, temper
from songmood.models.files import DESCRIPTION, HEAD, LEARNED, describe
from songmood.models.heads import Fusion, Head
from songmood.models.linear import LINEAR
from songmood.models.parts import Array, audio_numbers, count_topics, has_text, stack
from songmood.models.trainer import train_net
from songmood.models.tuning import HiddenStates, LowerLayers, tune
from songmood.settings import EncoderSettings, TrainSettings

Parts = dict[str, Array]


class Prediction(NamedTuple):
    """What a neural model predicts of songs: probabilities (songs, moods), hidden (songs, its width)."""

    probabilities: Array
    hidden: Array


class NeuralModel:
    """A neural model of the catalog: parts of a song, and a net over them.

    - base_network (paper, Contributions): the audio features and a hidden layer.
    - simple_bert (paper fig. A.1): the plain encoder and a hidden layer.
    - fine_tuned_bert (fig. A.2): the encoder's top layers learn at a small rate, together with a linear head
      that begins as a logistic regression on the plain encoder's embedding (Kumar et al. 2022).
    - modified_tbert (fig. A.3): the tuned encoder's embedding, topics and audio features, and one hidden
      layer; and the same without some of these parts.
    - fusion: each part has a hidden layer of its own, and a gate says how much each counts for a song
      (Laurier et al. 2008 on why audio and lyrics are to be weighed against each other). Beside the plain
      embedding, topics and audio it has the log-odds of logistic regressions (linear.py), and begins with
      their sum.

    The embedding of lyrics is taken from a column `vector`, if there is one, or for models of the plain
    encoder from `embedding`; without these columns lyrics are embedded here.

    The tuned encoder has seen the moods of the training songs, so their embeddings look surer than those of
    new songs will, and a head over them trusts them too much. Against that: the epochs of encoder and head
    are those of the least validation loss, and neither learns from validation songs; the tuning is short
    and slow; the embedding keeps its small scale (`Head.standardize`); and parts are left out at random.
    The fusion's regressions do learn from the validation songs, as the log-odds of each come from other
    songs. Test songs are never seen. Probabilities are tempered to the least log loss on the validation
    songs.
    """

    def __init__(
        self,
        kind: Neural,
        moods: Sequence[str],
        encoder: Encoder,
        settings: TrainSettings,
        seed: int,
        states: HiddenStates | None = None,
    ) -> None:
        """`states` may be shared by models that tune an encoder of the same files."""
        self.kind, self.moods, self.encoder = kind, list(moods), encoder
        self.settings, self.seed = settings, seed
        self.temperature = 1.0
        self.on_validation: Prediction | None = None  # of `fit`'s songs, without what it learned from them
        by_artist = settings.split_by == "artist"
        self.linear = {p: LINEAR[p](len(moods), seed, by_artist) for p in kind.parts if p in LINEAR}
        self.optimizer = kind.optimizer or settings.optimizer
        self.learned: list[str] = []  # the ids of the songs that `fit` has seen, if they have ids
        self.head: Any = None
        self.validation_lyrics: Array | None = None  # embedded by the encoder that `fit` has tuned
        self._states = states or HiddenStates()

    def fit(self, train: pd.DataFrame, validation: pd.DataFrame) -> list[Loss]:
        """Train the head, and the encoder if the model tunes it; keep the best epoch on validation."""
        set_seed(self.seed)
        seen = pd.concat([train, validation])
        self.learned = sorted(set(seen["song_id"])) if "song_id" in seen else []
        if self.kind.tunes_encoder:
            LowerLayers(self.encoder, self.settings.trained_layers, self._states).attach()
        parts = self._fit_parts(train, validation)
        self._make_head(parts["train"], train["mood"])
        if self.kind.tunes_encoder:
            curve = tune(self.encoder, self.head, train, validation, self.optimizer, self.settings, self.seed)
            parts["validation"]["lyrics"] = self.validation_lyrics = self.embed_lyrics(validation)
        else:
            curve = self._fit_head(parts, train, validation)
        self.head.eval()
        logits, hidden = self._predict(parts["validation"])
        self.temperature = fit_temperature(validation["mood"].to_numpy(), logits)
        self.on_validation = self._temper(logits, hidden)
        return curve

    def predict(self, songs: pd.DataFrame) -> Prediction:
        """Probabilities and the hidden layer; for a linear head, its input."""
        parts = self._parts(songs, self.head.widths, self.head.widths.get("topics", 0))
        return self._temper(*self._predict(parts))

    def predict_proba(self, songs: pd.DataFrame) -> npt.NDArray[Any]:
        """The probability of each mood; (songs, moods)."""
        return self.predict(songs).probabilities

    def hidden(self, songs: pd.DataFrame) -> Array:
        """The input of the softmax: the hidden layer and, for the fusion, the summed log-odds of moods."""
        return self.predict(songs).hidden

    def embed_lyrics(self, songs: pd.DataFrame) -> Array:
        """The encoder's embedding of each song's lyrics, of length 1; NaN where there are none."""
        vectors = np.full((len(songs), self.encoder.width), np.nan, dtype=np.float32)
        rows = np.flatnonzero(has_text(songs))
        if len(rows):
            vectors[rows] = self.encoder.embed([songs["lyrics"].iloc[i] for i in rows])
        return vectors

    # -- saving ------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the model to a folder: safetensors and JSON, the encoder's files among them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save(folder)
        state = {name: tensor.contiguous().cpu() for name, tensor in self.head.state_dict().items()}
        save_file(state, str(folder / HEAD), metadata={"format": "pt"})
        for part in self.linear.values():
            part.save(folder)
        # without the other models that were trained in its run: equal models of two runs have one id
        alone = {"models": (self.kind.name,), "final_model": self.kind.name}
        description = {
            "model": self.kind.name,
            "moods": self.moods,
            "widths": self.head.widths,
            "hidden_size": self.head.hidden_size,
            "temperature": self.temperature,
            "encoder": self.encoder.settings.reading(),
            "train": self.settings.model_copy(update=alone).model_dump(mode="json"),
            "seed": self.seed,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
        (folder / LEARNED).write_text(json.dumps(self.learned) + "\n", encoding="utf-8")
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, settings: EncoderSettings) -> NeuralModel:
        """The model of a folder. Nothing is unpickled. Raises UserError if the folder is damaged.

        Of the settings, those are used that do not change how a text is read.
        """
        description = describe(folder)
        encoder = Encoder(folder, settings.of_model(folder, description["encoder"]))
        train_settings = TrainSettings.model_validate(description["train"])
        kind = NEURAL[description["model"]]
        model = cls(kind, description["moods"], encoder, train_settings, description["seed"])
        model.temperature = description["temperature"]
        for part in model.linear.values():
            part.load(folder)
        model.head = model._new_head(description["widths"], description["hidden_size"])
        model.head.load_state_dict(load_file(str(folder / HEAD)))
        model.head.eval()
        return model

    # -- within ------------------------------------------------------------------------------

    def _fit_parts(self, train: pd.DataFrame, validation: pd.DataFrame) -> dict[str, Parts]:
        """The parts of training and validation songs; `linear` learns from both.

        The validation songs of a model that tunes the encoder are embedded only after that.
        """
        topics = count_topics(train) if "topics" in self.kind.parts else 0
        songs = train if self.kind.tunes_encoder else pd.concat([train, validation])
        both = self._parts(songs, self.kind.parts, topics, fit=True)
        return {
            "train": {part: values[: len(train)] for part, values in both.items()},
            "validation": {part: values[len(train) :] for part, values in both.items()},
        }

    def _make_head(self, parts: Parts, moods: pd.Series[int]) -> None:
        """A head for the training songs' parts, as it is before training."""
        # a part that no training song has cannot be learned, and must not be guessed at later
        widths = {part: values.shape[1] for part, values in parts.items() if np.isfinite(values).any()}
        if not widths:
            raise UserError(f"no training song has {' or '.join(self.kind.parts)} for {self.kind.name}")
        self.head = self._new_head(widths, self.settings.hidden_size if self.kind.has_hidden_layer else 0)
        self.head.standardize(parts)
        if self.settings.class_weights:
            self.head.loss.balance(moods)
        elif self.kind.fuses:
            self.head.expect(moods)
        if self.kind.tunes_encoder:
            self.head.regress(parts, moods, self.settings.class_weights, self.seed)

    def _new_head(self, widths: Mapping[str, int], hidden_size: int) -> Head | Fusion:
        sizes = (widths, len(self.moods), hidden_size, self.settings.dropout, self.settings.part_dropout)
        return Fusion(*sizes, log_odds=tuple(self.linear)) if self.kind.fuses else Head(*sizes)

    def _parts(self, songs: pd.DataFrame, parts: Iterable[str], topics: int, fit: bool = False) -> Parts:
        """The numbers of each part of the songs; NaN where missing. `topics` is the number of topics."""
        makers: dict[str, Callable[[], Array]] = {
            "lyrics": lambda: self._lyrics(songs),
            "topics": lambda: stack(songs["topic_weights"], topics),
            "audio": lambda: audio_numbers(songs),
            **{name: partial(part.fit if fit else part.predict, songs) for name, part in self.linear.items()},
        }
        return {part: makers[part]() for part in parts}

    def _lyrics(self, songs: pd.DataFrame) -> Array:
        # the table `embeddings` has the plain encoder's embedding of every song
        for column in ("vector", *(() if self.kind.tuned else ("embedding",))):
            if column in songs:
                return stack(songs[column], self.encoder.width)
        return self.embed_lyrics(songs)

    def _predict(self, parts: Mapping[str, Array]) -> tuple[npt.NDArray[np.float64], Array]:
        self.head.eval().to("cpu")
        with torch.inference_mode():
            answer = self.head(**{part: torch.from_numpy(parts[part]) for part in self.head.widths})
        return answer["logits"].numpy().astype(np.float64), answer["hidden"].numpy()

    def _temper(self, logits: npt.NDArray[np.float64], hidden: Array) -> Prediction:
        return Prediction(temper(logits, self.temperature).astype(np.float32), hidden)

    def _fit_head(
        self, parts: Mapping[str, Parts], train: pd.DataFrame, validation: pd.DataFrame
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


def _collate_parts(batch: list[dict[str, Any]]) -> dict[str, Any]:
    tensors = {
        name: torch.from_numpy(np.stack([row[name] for row in batch]))
        for name in batch[0]
        if name != "labels"
    }
    return {**tensors, "labels": torch.tensor([row["labels"] for row in batch])}
