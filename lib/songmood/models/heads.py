"""The nets over the parts of a song."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from songmood.models.linear import regress
from songmood.models.parts import Array, mean_and_deviation
from songmood.models.trainer import WeightedLoss

# If there are other parts, these are only centered: see `standardize`.
_OWN_SCALE = ("lyrics", "topics")
# The inverse of the penalty where a head begins as a logistic regression. On 992 songs with real lyrics,
# split by artist, 0.001 to 0.003 have the best AUC, and 0.003 the least log loss.
_STRENGTH = 0.003
# Parts that are log-odds are standardized to deviation 1. The three from the same lyrics mostly agree, so
# with this weight their sum again has a deviation near 1: it is about as sure as each of them.
_FIRST_WEIGHT = 0.4


class _Parts(nn.Module):  # type: ignore[misc]
    """The code that heads share: parts of songs, standardized by the training songs, with 0 for missing
    parts.

    Each part is a tensor (songs, its width). A value that is not a finite number counts as missing and
    becomes the mean, 0. During training, parts are left out at random (`part_dropout`; a song that would
    lose all parts keeps them), so that the head learns to predict songs without lyrics or audio, and does
    not rely on one part alone.
    """

    def __init__(self, widths: Mapping[str, int], moods: int, part_dropout: float) -> None:
        super().__init__()
        self.widths, self.part_dropout = dict(widths), part_dropout
        self.loss = WeightedLoss(moods)
        for part, width in widths.items():
            self.register_buffer(f"{part}_mean", torch.zeros(width))
            self.register_buffer(f"{part}_scale", torch.ones(width))

    def standardize(self, parts: Mapping[str, Array]) -> None:
        """Take mean and deviation from the training songs' parts. Columns of 0 and 1 stay as they are.

        If there are other parts, the encoder's embedding (of length 1) and the topics (of sum 1) are only
        centered and keep their small scale. Scaled up to deviation 1, their hundreds of noisy numbers would
        drown the few of audio: on 900 made-up songs whose true moods are known, that cost 6 points of
        accuracy.
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
        """The parts, and which of them each song has (songs, parts)."""
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
        """Logits and the hidden layer of songs, and the loss if labels are given."""
        result = {"logits": logits, "hidden": hidden}
        if labels is not None:
            result["loss"] = self.loss(logits, labels)
        return result


class Head(_Parts):
    """The parts side by side, an optional hidden layer, then softmax over the moods (paper fig. A.3).

    If there are several parts, each also has a flag that is 1 for songs without that part.
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
        """Begin as a logistic regression on the training songs' parts; only without a hidden layer.

        A random head would first distort the encoder that is tuned under it (Kumar et al. 2022, 'Fine-tuning
        can distort pretrained features'). If no song of some mood has any part, the head stays random.
        """
        with torch.inference_mode():
            columns, there = self.eval().read({p: torch.from_numpy(parts[p]) for p in self.widths})
        usable = there.any(1).numpy()
        numbers, codes = torch.cat(columns, 1).numpy()[usable], np.asarray(moods)[usable]
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
    """A hidden layer for each part, weighted by gates and added up, then softmax over the moods.

    The gate of a part, between 0 and 1, is computed from all parts: the weight of the part for this song. A
    missing part adds nothing, so that predictions from few parts are less sure. Parts that are already
    log-odds of the moods, `log_odds`, are also added to the logits directly, each with a weight. At first the
    logits are these sums and the frequency of each mood (`expect`), and the gated layers learn a correction.
    The sums are appended to the hidden layer.
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
        """Begin with the frequency of each mood among training songs: short training would not reach it."""
        counts = np.bincount(moods, minlength=self.output.out_features) + 1
        logarithms = np.log(counts / counts.sum())
        self.output.bias.data.copy_(torch.from_numpy(logarithms - logarithms.mean()))

    def forward(self, labels: Any = None, **parts: Any) -> dict[str, Any]:
        """Logits and hidden layer of songs; see `answer`."""
        columns, there = self.read(parts)
        present = there.to(columns[0].dtype)
        layers = [torch.tanh(expert(column)) for expert, column in zip(self.experts, columns, strict=True)]
        gates = torch.sigmoid(self.gates(torch.cat([*layers, present], 1))) * present
        hidden = sum(gates[:, [i]] * layer for i, layer in enumerate(layers))
        logits = self.output(self.dropout(hidden))
        if self.log_odds:
            summed = sum(weight * columns[i] for weight, i in zip(self.weights, self.log_odds, strict=True))
            logits, hidden = logits + summed, torch.cat([hidden, summed], 1)
        return self.answer(logits, hidden, labels)
