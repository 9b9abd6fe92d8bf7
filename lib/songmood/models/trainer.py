"""Training a net: batches in random order, a learning rate that falls to 0, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import enable_full_determinism

from songmood.encoder.encoder import device
from songmood.models.base import Loss
from songmood.settings import TrainSettings

Rows = list[dict[str, Any]]

_EVALUATED_ROWS = 64  # in a batch of validation rows
_LOGGED_STEPS = 10  # the training curve has a point for every ten updates
_LARGEST_NORM = 1.0  # gradients of a larger norm are scaled down to it

# The optimizers of the paper's section 5, SGD with momentum, and Adam for the base network.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": lambda learning, rate, decay: torch.optim.AdamW(learning, lr=rate, weight_decay=decay),
    "adagrad": lambda learning, rate, decay: torch.optim.Adagrad(learning, lr=rate, weight_decay=decay),
    "sgd": lambda learning, rate, decay: torch.optim.SGD(learning, lr=rate, weight_decay=decay),
    "sgd_momentum": lambda learning, rate, decay: torch.optim.SGD(
        learning, lr=rate, momentum=0.9, weight_decay=decay
    ),
    "adam": lambda learning, rate, decay: torch.optim.Adam(learning, lr=rate),
}


def make_optimizer(net: nn.Module, name: str, rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """An optimizer of the parameters of a net that learn. Raises KeyError if there is none of that name."""
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return OPTIMIZERS[name](learning, rate, weight_decay)


class WeightedLoss(nn.Module):  # type: ignore[misc]
    """Cross-entropy; after `balance`, every mood has the same total weight, however rare it is."""

    def __init__(self, moods: int) -> None:
        super().__init__()
        self.weights: torch.Tensor
        self.register_buffer("weights", torch.ones(moods), persistent=False)

    def balance(self, moods: Any) -> None:
        """Weigh each mood by the inverse of its share among the training songs."""
        counts = np.bincount(moods, minlength=len(self.weights))
        weights = len(moods) / (len(counts) * np.maximum(counts, 1))
        self.weights = torch.as_tensor(weights, dtype=torch.float32)

    def forward(self, logits: Any, labels: Any) -> Any:
        """The mean loss of a batch."""
        return nn.functional.cross_entropy(logits, labels, weight=self.weights.to(logits.device))


def train_net(
    net: Any,
    train: Rows,
    validation: Rows,
    *,
    collate: Callable[[Rows], dict[str, Any]],
    optimizer: str,
    rate: float,
    epochs: int,
    patience: int,
    settings: TrainSettings,
    seed: int,
) -> list[Loss]:
    """Train a net and leave it as it was after the epoch with the least validation loss; the training curve.

    Training stops after `patience` epochs without a better loss. Rows with `input_ids` are batched by length.
    A GPU that has bfloat16 uses it.
    """
    _make_deterministic(seed)
    net.to(device())
    batches = _Batches(train, settings.batch_size, settings.gradient_accumulation, collate, seed)
    steps = epochs * batches.updates
    stepper = make_optimizer(net, optimizer, rate, settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(stepper, lambda step: max(0, steps - step) / max(1, steps))
    curve = _Curve()
    best, kept, waited = math.inf, _learned(net), 0
    for epoch in range(epochs):
        for group in batches.of_epoch(epoch):
            curve.add(_update(net, group, stepper))
            schedule.step()
        loss = _evaluate(net, validation, collate, seed)
        curve.points.append(Loss(curve.step, loss, "validation"))
        waited += 1
        if loss < best:
            best, kept, waited = loss, _learned(net), 0
        if waited >= patience:
            break
    if math.isfinite(best):  # else the net shows its caller what went wrong
        net.load_state_dict(kept, strict=False)
    return curve.points


class _Curve:
    """The training curve: the mean loss of every ten updates, and each validation loss."""

    def __init__(self) -> None:
        self.points: list[Loss] = []
        self.step, self._losses = 0, list[torch.Tensor]()

    def add(self, loss: torch.Tensor) -> None:
        """Take in the loss of an update."""
        self.step += 1
        self._losses.append(loss)
        if self.step % _LOGGED_STEPS == 0:
            self.points.append(Loss(self.step, float(torch.stack(self._losses).mean()), "train"))
            self._losses = []


class _Batches:
    """The batches of each epoch, those of one update together."""

    def __init__(
        self, rows: Rows, size: int, accumulation: int, collate: Callable[[Rows], dict[str, Any]], seed: int
    ) -> None:
        self.accumulation = accumulation
        self.sampler = _sampler(rows, size * accumulation) or _Shuffled(len(rows), seed)
        self.loader = DataLoader(rows, size, sampler=self.sampler, collate_fn=collate)
        self.updates = math.ceil(len(self.loader) / accumulation)

    def of_epoch(self, epoch: int) -> Iterator[list[dict[str, Any]]]:
        """For each update of the net, the batches whose gradients are added up."""
        if isinstance(self.sampler, _Shuffled):
            self.sampler.epoch = epoch
        group: list[dict[str, Any]] = []
        for batch in self.loader:
            group.append(batch)
            if len(group) == self.accumulation:
                yield group
                group = []
        if group:
            yield group


class _Shuffled(Sampler[int]):  # type: ignore[misc]
    """Rows in an order that depends on seed and epoch only."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return iter(torch.randperm(self.count, generator=generator).tolist())


def _sampler(rows: Rows, size: int, seed: int | None = None) -> Sampler[int] | None:
    """A sampler that puts rows of a similar length into one batch; None for rows without `input_ids`."""
    if not rows or "input_ids" not in rows[0]:
        return None
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    lengths = [len(row["input_ids"]) for row in rows]
    return LengthGroupedSampler(size, lengths=lengths, generator=generator)


def _update(net: Any, batches: Sequence[dict[str, Any]], optimizer: torch.optim.Optimizer) -> torch.Tensor:
    """One step of the optimizer, by the mean gradient of the batches; their mean loss."""
    net.train()
    total = torch.tensor(0.0, device=device())
    for batch in batches:
        loss = _loss(net, batch) / len(batches)
        loss.backward()
        total += loss.detach()
    nn.utils.clip_grad_norm_(net.parameters(), _LARGEST_NORM)
    optimizer.step()
    optimizer.zero_grad()
    return total


def _evaluate(net: Any, rows: Rows, collate: Callable[[Rows], dict[str, Any]], seed: int) -> float:
    """The mean loss of rows."""
    net.eval()
    loader = DataLoader(
        rows, _EVALUATED_ROWS, sampler=_sampler(rows, _EVALUATED_ROWS, seed), collate_fn=collate
    )
    losses, counts = [], []
    with torch.inference_mode():
        for batch in loader:
            losses.append(float(_loss(net, batch)))
            counts.append(len(batch["labels"]))
    return float(np.average(losses, weights=counts))


def _loss(net: Any, batch: dict[str, Any]) -> Any:
    placed = {name: tensor.to(device()) for name, tensor in batch.items()}
    halved = device() == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast(device(), torch.bfloat16, enabled=halved):
        return net(**placed)["loss"].float()


def _learned(net: nn.Module) -> dict[str, Any]:
    """A copy of what learns in a net."""
    return {name: value.detach().clone() for name, value in net.named_parameters() if value.requires_grad}


def _make_deterministic(seed: int) -> None:
    enable_full_determinism(seed)
    # Filling memory that is written next anyway changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False
