"""Training a net, by transformers' Trainer."""

from __future__ import annotations

import dataclasses
import tempfile
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments

from songmood.encoder.encoder import device, quiet
from songmood.models import Loss
from songmood.settings import TrainSettings


def _make_optimizer(net: nn.Module, name: str, rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """An optimizer of the paper's section 5, SGD with momentum, or Adam, of what learns in a net."""
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if name == "adagrad":
        return torch.optim.Adagrad(learning, lr=rate, weight_decay=weight_decay)
    if name == "sgd":
        return torch.optim.SGD(learning, lr=rate, weight_decay=weight_decay)
    if name == "sgd_momentum":
        return torch.optim.SGD(learning, lr=rate, momentum=0.9, weight_decay=weight_decay)
    if name == "adam":
        return torch.optim.Adam(learning, lr=rate)
    return torch.optim.AdamW(learning, lr=rate, weight_decay=weight_decay)


class WeighedLoss(nn.Module):  # type: ignore[misc]
    """Cross-entropy; `class_weights` gives every mood the same say, however rare it is."""

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
    train: list[dict[str, Any]],
    validation: list[dict[str, Any]],
    *,
    collate: Any,
    optimizer: str,
    rate: float,
    epochs: int,
    patience: int,
    settings: TrainSettings,
    seed: int,
) -> list[Loss]:
    """Train a net and leave it as it was after its best epoch on validation; the training curve.

    Rows with `input_ids` are put together by their length. On a GPU that can, numbers are of half precision.
    """
    quiet()
    # the option has one name up to transformers 4 and another since
    names = {field.name for field in dataclasses.fields(TrainingArguments)}
    by_length: dict[str, Any] = {}
    if train and "input_ids" in train[0]:
        by_length = (
            {"train_sampling_strategy": "group_by_length"}
            if "train_sampling_strategy" in names
            else {"group_by_length": True}
        )
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=settings.batch_size,
            per_device_eval_batch_size=64,
            gradient_accumulation_steps=settings.gradient_accumulation,
            seed=seed,
            data_seed=seed,
            full_determinism=True,
            use_cpu=device() == "cpu",
            bf16=device() == "cuda" and torch.cuda.is_bf16_supported(),
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
        )
        args._n_gpu = 1  # more would each get windows and songs cut at other places (DataParallel)
        trainer = Trainer(
            model=net,
            args=args,
            train_dataset=train,
            eval_dataset=validation,
            data_collator=collate,
            optimizers=(_make_optimizer(net, optimizer, rate, settings.weight_decay), None),
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
