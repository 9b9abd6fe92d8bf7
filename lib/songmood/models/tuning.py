"""Fine-tuning an encoder: its top layers learn, and the layers below compute each window once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from songmood.encoder.encoder import Encoder, device
from songmood.models.base import Loss
from songmood.models.heads import Head
from songmood.models.parts import Array, has_text
from songmood.models.trainer import train_net
from songmood.settings import TrainSettings

_WINDOWS = 8  # of a song at most, while the encoder is tuned: a batch of the longest songs must fit in memory
_KEPT_BYTES = 1 << 30  # of hidden states; beyond it the lower layers compute a window each time
_TOLERANCE = 1e-3  # between the same vectors computed in two ways


class HiddenStates:
    """What the lower layers of an encoder give for each window, as far as there is room to keep it."""

    def __init__(self, room: int = _KEPT_BYTES) -> None:
        self.room = room
        self._states: dict[tuple[int, ...], Array] = {}

    def get(self, window: tuple[int, ...]) -> Array | None:
        """The states of a window, (tokens, width); None if they are not kept."""
        return self._states.get(window)

    def add(self, window: tuple[int, ...], states: Array) -> None:
        """Keep the states of a window, if there is room."""
        if states.nbytes <= self.room:
            self.room -= states.nbytes
            self._states[window] = states


class LowerLayers:
    """The layers of an encoder below those that learn: they never change, so each window is computed once.

    After `attach`, a call of the encoder's model first computes the lower layers for windows whose states are
    not kept, and then goes on from the states, skipping these layers. The vectors are the same up to
    rounding, as nothing in these layers is random. Encoders of the same files share `states`.
    """

    def __init__(self, encoder: Encoder, learning_layers: int, states: HiddenStates) -> None:
        self.encoder, self.states = encoder, states
        self.layers = encoder.layers() if learning_layers > 0 else []
        self.count = max(0, len(self.layers) - learning_layers)
        self._given: Any = None  # the states of the windows of a call, padded
        self._computed: Any = None  # what the topmost of the lower layers gave
        self._computing = False
        self._in_tuple = False  # whether layers return a tuple: that differs between families of encoders
        self._hooks: list[Any] = []

    def attach(self) -> None:
        """Change the encoder's model, unless there are no lower layers, or its vectors would change."""
        if not self.count:
            return
        windows = [window.token_ids for window in self.encoder.windows(["one two", "one two three four"])]
        batch = {name: tensor.to(device()) for name, tensor in self.encoder.pad(windows).items()}
        with torch.inference_mode():
            expected = self.encoder.read_windows(**batch)
            self._change()
            try:
                same = torch.allclose(self.encoder.read_windows(**batch), expected, _TOLERANCE, _TOLERANCE)
            except (RuntimeError, TypeError, ValueError, LookupError, AttributeError):
                same = False  # layers of this family pass on more than hidden states
        if not same:
            self.detach()

    def detach(self) -> None:
        """Make the encoder's model as it was."""
        for hook in self._hooks:
            hook.remove()
        for layer in self.layers:
            del layer.forward
        self._hooks = []

    # -- within ------------------------------------------------------------------------------

    def _change(self) -> None:
        model = self.encoder.model
        self._hooks = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after, always_call=True),
        ]
        for place, layer in enumerate(self.layers):
            layer.forward = self._switch(layer.forward, place)

    def _before(self, model: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if not self._computing:
            self._given = self._states_of(kwargs["input_ids"], kwargs["attention_mask"])

    def _after(self, model: Any, args: Any, output: Any) -> None:
        if not self._computing:
            self._given = None

    def _switch(self, forward: Callable[..., Any], place: int) -> Callable[..., Any]:
        """The forward function of a layer, which is skipped while the other layers compute."""
        topmost = place == self.count - 1

        def skip_or_go(*args: Any, **kwargs: Any) -> Any:
            if not (self._computing if place >= self.count else self._given is not None):
                output = forward(*args, **kwargs)
                if topmost:
                    self._in_tuple = isinstance(output, tuple)
                    self._computed = output[0] if self._in_tuple else output
                return output
            hidden = self._given if topmost else args[0] if args else kwargs["hidden_states"]
            return (hidden,) if self._in_tuple else hidden

        return skip_or_go

    def _states_of(self, input_ids: Any, attention_mask: Any) -> Any:
        """The states of a batch of windows, (windows, tokens, width); 0 where there is padding."""
        there = attention_mask.bool()
        windows = [tuple(ids[kept].tolist()) for ids, kept in zip(input_ids, there, strict=True)]
        found = {window: self.states.get(window) for window in windows}
        missing = [window for window, states in found.items() if states is None]
        if missing:
            found |= self._compute(missing)
        joined = torch.from_numpy(np.concatenate([found[window] for window in windows]))
        padded = torch.zeros((*input_ids.shape, joined.shape[1]), device=input_ids.device)
        padded[there] = joined.to(padded.device)
        return padded

    def _compute(self, windows: list[tuple[int, ...]]) -> dict[tuple[int, ...], Array]:
        """The states of windows, in full precision; they are kept if there is room."""
        batch = {name: tensor.to(device()) for name, tensor in self.encoder.pad(windows).items()}
        self._computing = True
        try:
            with torch.no_grad(), torch.autocast(device(), enabled=False):
                self.encoder.model(**batch)
        finally:
            self._computing = False
        rows = zip(windows, self._computed, batch["attention_mask"].bool(), strict=True)
        states = {window: row[there].cpu().numpy() for window, row, there in rows}
        self._computed = None
        for window, row in states.items():
            self.states.add(window, row)
        return states


class TextNet(nn.Module):  # type: ignore[misc]
    """An encoder and a head over its embedding, trained together. Below `trained_layers` nothing learns."""

    def __init__(self, encoder: Encoder, head: Head, trained_layers: int) -> None:
        super().__init__()
        self.encoder, self.transformer, self.head = encoder, encoder.model, head
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

    def forward(self, input_ids: Any, attention_mask: Any, songs: Any, labels: Any) -> dict[str, Any]:
        """The head's answer; input_ids and attention_mask are of windows, `songs` gives the song of each."""
        windows = self.encoder.read_windows(input_ids, attention_mask)
        return dict(self.head(labels=labels, lyrics=self.encoder.join_windows(windows, songs, len(labels))))


def tune(
    encoder: Encoder,
    head: Head,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    optimizer: str,
    settings: TrainSettings,
    seed: int,
) -> list[Loss]:
    """Train the top layers of an encoder and a head, on the songs that have lyrics; the training curve."""
    curve = train_net(
        TextNet(encoder, head, settings.trained_layers),
        _rows(encoder, train),
        _rows(encoder, validation),
        collate=lambda rows: _collate(encoder, rows),
        optimizer=optimizer,
        rate=settings.encoder_learning_rate,
        epochs=settings.epochs,
        patience=settings.epochs,
        settings=settings,
        seed=seed,
    )
    encoder.model.eval().requires_grad_(False)
    return curve


def _rows(encoder: Encoder, songs: pd.DataFrame) -> list[dict[str, Any]]:
    """For each song with lyrics: its windows, its mood as `labels`, and `input_ids` for its length."""
    with_text = songs[has_text(songs)]
    windows: list[list[list[int]]] = [[] for _ in range(len(with_text))]
    for window in encoder.windows(with_text["lyrics"].tolist()):
        if len(windows[window.text]) < _WINDOWS:
            windows[window.text].append(window.token_ids)
    return [
        {"input_ids": [i for ids in of_song for i in ids], "windows": of_song, "labels": mood}
        for of_song, mood in zip(windows, with_text["mood"].tolist(), strict=True)
    ]


def _collate(encoder: Encoder, rows: list[dict[str, Any]]) -> dict[str, Any]:
    songs = [i for i, row in enumerate(rows) for _ in row["windows"]]
    padded = encoder.pad([ids for row in rows for ids in row["windows"]])
    labels = torch.tensor([row["labels"] for row in rows])
    return {"labels": labels, "songs": torch.tensor(songs), **padded}
