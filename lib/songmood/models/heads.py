"""The nets that stand over the parts of a song, and over the encoder while that is tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from songmood.encoder.encoder import Encoder
from songmood.models.linear import regress
from songmood.models.parts import Array, mean_and_deviation
from songmood.models.trainer import WeighedLoss

# Beside other parts these are only centered: see `standardize`.
_OWN_SCALE = ("lyrics", "topics")
# The inverse of the penalty where a head begins as a logistic regression. On 992 songs with real lyrics,
# artists apart, 0.001 to 0.003 have the best AUC, and log loss is least at 0.003.
_STRENGTH = 0.003
# Parts that are log-odds are brought to deviation 1. Three of the same lyrics mostly agree, so their sum at
# this weight has a deviation near 1 again: neither timid nor surer than any of them.
_FIRST_WEIGHT = 0.4


class _Parts(nn.Module):  # type: ignore[misc]
    """What heads share: the parts of songs, standardized by the training songs, missing ones as 0.

    Each part comes as a tensor (songs, its width). What is not a finite number counts as missing and is
    set to the mean, 0. In training parts are left out at random (`part_dropout`; a song that would lose
    all keeps all), so that a song without audio or without lyrics is nothing new, and so that no part
    is relied on alone.
    """

    # The Trainer takes `**parts` for a loss that already counts accumulated batches; ours is a batch's mean.
    accepts_loss_kwargs = False

    def __init__(self, widths: Mapping[str, int], moods: int, part_dropout: float) -> None:
        super().__init__()
        self.widths, self.part_dropout = dict(widths), part_dropout
        self.loss = WeighedLoss(moods)
        for part, width in widths.items():
            self.register_buffer(f"{part}_mean", torch.zeros(width))
            self.register_buffer(f"{part}_scale", torch.ones(width))

    def standardize(self, parts: Mapping[str, Array]) -> None:
        """Take mean and deviation from the training songs' parts. Values 0 or 1 stay as they are.

        Beside other parts, the encoder's vector (of length 1) and the topics (of sum 1) keep their own
        small scale and are only centered. Blown up to deviation 1, hundreds of noisy numbers drown the
        few of audio: on 900 made songs of known truth that cost 6 points of accuracy.
        """
        for part in self.widths:
            values = parts[part]
            mean, deviation = mean_and_deviation(values)
            binary = np.all(~np.isfinite(values) | (values == 0) | (values == 1), axis=0)
            mean, deviation = np.where(binary, 0, mean), np.where(binary, 1, deviation)
            if len(self.widths) > 1 and part in _OWN_SCALE:
                deviation = np.ones_like(deviation)
            self.get_buffer(f"{part}_mean").copy_(torch.from_numpy(mean))
            self.get_buffer(f"{part}_scale").copy_(torch.from_numpy(deviation))

    def read(self, parts: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """The parts, and which of them are there (songs, parts)."""
        columns, present = [], []
        for part in self.widths:
            values = (parts[part] - self.get_buffer(f"{part}_mean")) / self.get_buffer(f"{part}_scale")
            finite = torch.isfinite(values)
            columns.append(torch.where(finite, values, torch.zeros_like(values)))
            present.append(finite.any(1))
        there = torch.stack(present, 1)
        if len(columns) > 1 and self.training and self.part_dropout:
            kept = there & (torch.rand(there.shape, device=there.device) >= self.part_dropout)
            there = torch.where(kept.any(1, keepdim=True), kept, there)
        return [column * there[:, [i]] for i, column in enumerate(columns)], there

    def answer(self, logits: Any, hidden: Any, labels: Any) -> dict[str, Any]:
        """Logits and the hidden layer of songs, and the loss where labels are given."""
        result = {"logits": logits, "hidden": hidden}
        if labels is not None:
            result["loss"] = self.loss(logits, labels)
        return result


class Head(_Parts):
    """The parts side by side, an optional hidden layer, then softmax over the moods (paper fig. A.3).

    Beside several parts stands a 1 for each that is missing whole.
    """

    def __init__(
        self, widths: Mapping[str, int], moods: int, hidden_size: int, dropout: float, part_dropout: float
    ) -> None:
        super().__init__(widths, moods, part_dropout)
        flags = len(widths) if len(widths) > 1 else 0
        size = sum(widths.values()) + flags
        self.hidden_size = hidden_size
        self.hidden = nn.Sequential(nn.Linear(size, hidden_size), nn.ReLU()) if hidden_size else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size or size, moods)

    def regress(self, parts: Mapping[str, Array], moods: Sequence[int], balanced: bool, seed: int) -> None:
        """Begin, without a hidden layer, as a logistic regression on the training songs' parts.

        A head of random numbers would first pull an encoder that is tuned under it away from what it knows
        (Kumar et al. 2022, 'Fine-tuning can distort pretrained features'). Where no song of a mood has the
        parts, the head stays as it is.
        """
        with torch.inference_mode():
            columns, there = self.eval().read({p: torch.from_numpy(parts[p]) for p in self.widths})
        known = there.any(1).numpy()
        numbers, codes = torch.cat(columns, 1).numpy()[known], np.asarray(moods)[known]
        if len(np.unique(codes)) == self.output.out_features:
            coefficients, intercept = regress(numbers, codes, _STRENGTH, seed, balanced)
            self.output.weight.data.copy_(torch.from_numpy(coefficients))
            self.output.bias.data.copy_(torch.from_numpy(intercept))

    def forward(self, labels: Any = None, **parts: Any) -> dict[str, Any]:
        """Logits and hidden layer of songs; see `answer`."""
        columns, there = self.read(parts)
        if len(columns) > 1:
            columns.append((~there).to(columns[0].dtype))
        hidden = self.hidden(torch.cat(columns, 1))
        return self.answer(self.output(self.dropout(hidden)), hidden, labels)


class Fusion(_Parts):
    """A hidden layer for each part, added up through gates, then softmax over the moods.

    A part's gate, between 0 and 1, looks at all parts: how much it counts for this song. A missing
    part adds nothing, so that a song of few parts is called less surely. Parts that are log-odds of the
    moods already, `log_odds`, also go to the softmax by themselves, each with a weight. At first they
    alone are heard, and how common each mood is (`expect`): what the gates make of all parts is learned
    as a correction of their sum, which stands at the end of `hidden`.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        moods: int,
        hidden_size: int,
        dropout: float,
        part_dropout: float,
        log_odds: Sequence[str] = (),
    ) -> None:
        super().__init__(widths, moods, part_dropout)
        self.hidden_size = hidden_size
        self.experts = nn.ModuleList(nn.Linear(width, hidden_size) for width in widths.values())
        self.gates = nn.Linear(hidden_size * len(widths) + len(widths), len(widths))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, moods)
        self.log_odds = [i for i, part in enumerate(widths) if part in log_odds]
        self.weights = nn.Parameter(torch.full((len(self.log_odds),), _FIRST_WEIGHT))
        if self.log_odds:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def expect(self, moods: Sequence[int]) -> None:
        """Begin with how common each mood is among training songs: short training would not get there."""
        counts = np.bincount(moods, minlength=self.output.out_features) + 1
        logarithms = np.log(counts / counts.sum())
        self.output.bias.data.copy_(torch.from_numpy(logarithms - logarithms.mean()))

    def forward(self, labels: Any = None, **parts: Any) -> dict[str, Any]:
        """Logits and hidden layer of songs; see `answer`."""
        columns, there = self.read(parts)
        present = there.to(columns[0].dtype)
        said = [torch.tanh(expert(column)) for expert, column in zip(self.experts, columns, strict=True)]
        gates = torch.sigmoid(self.gates(torch.cat([*said, present], 1))) * present
        hidden = sum(gates[:, [i]] * part for i, part in enumerate(said))
        logits = self.output(self.dropout(hidden))
        if self.log_odds:
            summed = sum(weight * columns[i] for weight, i in zip(self.weights, self.log_odds, strict=True))
            logits, hidden = logits + summed, torch.cat([hidden, summed], 1)
        return self.answer(logits, hidden, labels)


class TextNet(nn.Module):  # type: ignore[misc]
    """An encoder and a head over its reading, trained together. Below `trained_layers` nothing learns."""

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
        """As the head's; input_ids and attention_mask are of windows, `songs` says whose they are."""
        windows = self.encoder.read_windows(input_ids, attention_mask)
        return dict(self.head(labels=labels, lyrics=self.encoder.join_windows(windows, songs, len(labels))))
