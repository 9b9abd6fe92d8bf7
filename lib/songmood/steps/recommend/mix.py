"""The weights of the parts: a golden-section search, one weight after another (paper section 6, figure A.5).

The loss is the categorical cross-entropy of a seed's relevant songs, where the scores of all its candidates
are made into probabilities by softmax. In each weight the loss is convex, as it is in a logistic regression,
so that the search finds the one minimum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

_ROUNDS = 20  # at most; the loss hardly changes after five
_ENOUGH = 1e-5  # a round that lowers the loss by less is the last one
_CURVE = np.linspace(0, 2, 21)  # of the chosen weight, or of 1: the points of a part's curve

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Point(NamedTuple):
    """The loss with one weight changed: a row of the table mix_curves."""

    part: str
    weight: float
    loss: float
    chosen: bool


class Mix(NamedTuple):
    """The weight of each part, and the loss around it."""

    weights: dict[str, float]
    curves: list[Point]


def find_weights(
    parts: Mapping[str, Matrix],
    candidates: Flags,
    relevant: Sequence[Flags],
    start: Mapping[str, float],
    start_seeds: float,
) -> Mix | None:
    """The weights with the smallest loss; None if no seed has both relevant and other candidates.

    `parts` are standardized similarities, (seeds, songs). `candidates` says which songs a seed may be
    compared with, and each of `relevant` which of them should be found: the loss is the mean over these. The
    weights `start` count for as much as `start_seeds` seeds: of few seeds, one learns little.
    """
    losses = [_Loss(parts, candidates, flags) for flags in relevant]
    losses = [loss for loss in losses if loss.seeds]
    if not losses:
        return None
    pull = start_seeds / max(loss.seeds for loss in losses)

    def loss_of(weights: Mapping[str, float]) -> float:
        distance = sum((weight - start[part]) ** 2 for part, weight in weights.items())
        return sum(loss(weights) for loss in losses) / len(losses) + pull * distance

    weights = {part: start[part] for part in parts}
    before = loss_of(weights)
    for _ in range(_ROUNDS):
        for part in weights:
            weights[part] = _search(loss_of, weights, part)
        now = loss_of(weights)
        if before - now < _ENOUGH:
            break
        before = now
    curves = [
        Point(part, weight, loss_of({**weights, part: weight}), weight == chosen)
        for part, chosen in weights.items()
        for weight in sorted({chosen, *(_CURVE * (chosen or 0.1)).tolist()})
    ]
    return Mix(weights, curves)


class _Loss:
    """The cross-entropy of the relevant songs of each seed that has some, and other candidates."""

    def __init__(self, parts: Mapping[str, Matrix], candidates: Flags, relevant: Flags) -> None:
        found = relevant & candidates
        useful = found.any(axis=1) & (candidates & ~found).any(axis=1)
        self.seeds = int(useful.sum())
        self.parts = {part: values[useful] for part, values in parts.items()}
        self.excluded = ~candidates[useful]
        self.shares = found[useful] / found[useful].sum(axis=1, keepdims=True)

    def __call__(self, weights: Mapping[str, float]) -> float:
        scores = np.asarray(sum(weight * self.parts[part] for part, weight in weights.items()))
        found = (scores * self.shares).sum(axis=1)
        every = logsumexp(np.where(self.excluded, -np.inf, scores), axis=1)
        return float((every - found).mean())


def _search(loss: Callable[[Mapping[str, float]], float], weights: dict[str, float], part: str) -> float:
    def of(weight: float) -> float:
        # below 0 the loss goes up in a straight line, so that it has no minimum there
        return loss({**weights, part: max(0.0, weight)}) + max(0.0, -weight)

    found = minimize_scalar(of, bracket=(0.0, 0.5), method="golden", options={"xtol": 1e-4})
    weight = max(0.0, float(found.x))
    return weight if of(weight) < of(0.0) else 0.0
