"""The weight of each level of a comparison, learned from the corpus itself, without labels.

The model is Fellegi and Sunter's (1969), "A Theory for Record Linkage": a pair is a match or not, and
given that, its comparisons are independent. m and u are the shares of a level among matches and among
non-matches; its weight is log2(m / u). They are found by expectation maximization (Winkler 1988) over the
counts of the patterns of levels. There are some hundreds of patterns, whatever the size of the corpus.

All candidate pairs have similar titles. So the two classes are 'the same song' and 'another song of that
name', not 'the same artist' and 'another artist'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from songmood.settings import DedupeSettings
from songmood.steps.dedupe.compare import APART, CASES, LEVELS, SAME_NAME

Array = npt.NDArray[np.float64]
Shares = dict[str, Array]

# The start of EM, which also counts as `dedupe.prior_pairs` observed pairs: rough shares of each level
# among matches and among non-matches, in the order of LEVELS ('unknown' has none).
_START: dict[str, tuple[list[float], list[float]]] = {
    "name": (
        [0.003, 0.01, 0.02, 0.05, 0.02, 0.01, 0.005, 0.03, 0.04, 0.03, 0.03, 0.05, 0.05, 0.08, 0.572],
        [0.40, 0.08, 0.12, 0.18, 0.01, 0.01, 0.005, 0.03, 0.01, 0.03, 0.02, 0.03, 0.02, 0.03, 0.025],
    ),
    "album": (
        [0, 0.45, 0.05, 0.25, 0.25, 0.02, 0.45, 0.25, 0.28],
        [0, 0.94, 0.02, 0.03, 0.01, 0.29, 0.50, 0.20, 0.01],
    ),
    "year": ([0, 0.35, 0.15, 0.50, 0.04, 0.96], [0, 0.83, 0.12, 0.05, 0.08, 0.92]),
    "length": ([0, 0.10, 0.20, 0.10, 0.60], [0, 0.75, 0.20, 0.02, 0.03]),
    "language": ([0, 0.05, 0.95], [0, 0.25, 0.75]),
    "ids": ([0, 0.200, 0.300, 0.500], [0, 0.989, 0.010, 0.001]),
}
START: tuple[Shares, Shares] = tuple(  # type: ignore[assignment]  # of matches, of non-matches
    {name: np.array(sides[side]) for name, sides in _START.items()} for side in (0, 1)
)
_ROUNDS, _SETTLED = 200, 1e-7
_CERTAIN = 40.0  # the log odds, in bits, of a match by definition


@dataclass(frozen=True)
class Weights:
    """m and u of each comparison's levels, and the share of candidate pairs that match."""

    match_share: float
    m: Shares
    u: Shares
    by_name: bool  # the same title and artist is a match, whatever the other comparisons say

    def bits(self, comparison: str) -> Array:
        """log2(m / u) of each level; 0 for 'unknown'."""
        bits: Array = np.log2(np.maximum(self.m[comparison], 1e-9) / np.maximum(self.u[comparison], 1e-9))
        if LEVELS[comparison][0] == "unknown":
            bits[0] = 0
        return bits

    def similarity(self) -> Column:
        """The probability of a match, 0 to 1, from columns that hold the level of each comparison."""
        odds = F.lit(self.prior_bits())
        for comparison in LEVELS:
            bits = F.array(*(F.lit(float(weight)) for weight in self.bits(comparison)))
            odds = odds + F.element_at(bits, F.greatest(F.col(comparison), F.lit(0)).cast("int") + 1)
        if self.by_name:
            odds = F.when(F.col("name") == SAME_NAME, _CERTAIN).otherwise(odds)
        return F.when(F.col("name") == APART, 0.0).otherwise(1 / (1 + F.pow(F.lit(2.0), -odds)))

    def similarities(self, levels: pd.DataFrame) -> Array:
        """The same for a pandas frame."""
        odds = self.prior_bits() + sum(
            self.bits(comparison)[np.maximum(levels[comparison].to_numpy(), 0)] for comparison in LEVELS
        )
        names = levels["name"].to_numpy()
        if self.by_name:
            odds = np.where(names == SAME_NAME, _CERTAIN, odds)
        probabilities = 1 / (1 + np.exp2(-np.asarray(odds, dtype=float)))
        similarities: Array = np.where(names == APART, 0.0, probabilities)
        return similarities

    def rows(self) -> list[tuple[str, str, float, float, float]]:
        """The rows of the table match_weights: comparison, level, m, u and weight."""
        return [
            (comparison, level, float(self.m[comparison][i]), float(self.u[comparison][i]), float(bits))
            for comparison, levels in LEVELS.items()
            for i, (level, bits) in enumerate(zip(levels, self.bits(comparison), strict=True))
        ]

    def prior_bits(self) -> float:
        """log2 of the odds that a candidate pair matches, before anything is compared."""
        return float(np.log2(self.match_share / (1 - self.match_share)))


def fit_weights(levels: DataFrame, settings: DedupeSettings) -> Weights:
    """The weights that explain the candidate pairs best; `levels` has one column for each comparison."""
    patterns = levels.groupBy(*LEVELS).agg(F.count("*").alias("pairs")).toPandas()
    return learn_weights(patterns.sort_values([*LEVELS], ignore_index=True), settings)


def learn_weights(patterns: pd.DataFrame, settings: DedupeSettings) -> Weights:
    """EM over patterns of levels and their number of `pairs`; without patterns, the start."""
    patterns = patterns.astype(int)
    counts = patterns["pairs"].to_numpy(dtype=float)
    weights = Weights(0.5, *START, by_name=settings.unit == "song")
    for _ in range(_ROUNDS):
        # pairs that match by their names count as matches: from them EM learns the lengths of a match
        match = weights.similarities(patterns)
        share = (counts @ match + settings.prior_pairs / 2) / (counts.sum() + settings.prior_pairs)
        sides = [
            {
                name: _shares(name, patterns[name], counts * part, START[i][name], settings.prior_pairs)
                for name in LEVELS
            }
            for i, part in enumerate((match, 1 - match))
        ]
        settled = abs(share - weights.match_share) < _SETTLED
        weights = Weights(float(share), sides[0], sides[1], weights.by_name)
        if settled:
            break
    return weights


def _shares(comparison: str, levels: Any, counts: Array, start: Array, prior_pairs: float) -> Array:
    """The share of each level; they add up to 1, or to 1 in each of the comparison's CASES."""
    sums = np.bincount(levels.to_numpy(dtype=int), weights=counts, minlength=len(start)).astype(np.float64)
    sums = np.where(start > 0, sums, 0.0)  # 'unknown' says nothing of either class
    shares: Array = np.zeros(len(start))
    for case in CASES.get(comparison, (range(len(start)),)):
        at = [*case]
        shares[at] = (sums[at] + prior_pairs * start[at]) / (sums[at].sum() + prior_pairs)
    return shares
