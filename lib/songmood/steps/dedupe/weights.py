"""What each level of a comparison is worth, learned from the corpus itself, without labels.

The model is Fellegi and Sunter's (1969), "A Theory for Record Linkage": a pair is a match or not, and
given that, its comparisons are independent. m and u are a level's shares among matches and the others;
its weight is log2(m / u). They are found by expectation maximization (Winkler 1988) over the counts of
the patterns of levels, of which there are some hundreds however large the corpus.

Every candidate pair has titles alike, so that the two classes are 'the same song' and 'another song of
that name', and not 'same artist' and 'other artist'.
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
from songmood.steps.dedupe.compare import APART, LEVELS, SAME_NAME

Array = npt.NDArray[np.float64]
Shares = dict[str, Array]

# Where EM starts and what it is drawn to, as strongly as `dedupe.prior_pairs` pairs would: rough shares
# of each level among matches and among others, in the order of LEVELS ('unknown' has none).
_START: dict[str, tuple[list[float], list[float]]] = {
    "name": (
        [0.003, 0.01, 0.02, 0.05, 0.03, 0.04, 0.03, 0.03, 0.05, 0.05, 0.08, 0.607],
        [0.40, 0.08, 0.12, 0.20, 0.03, 0.01, 0.03, 0.02, 0.03, 0.02, 0.03, 0.03],
    ),
    "album": ([0, 0.45, 0.55], [0, 0.97, 0.03]),
    "year": ([0, 0.35, 0.15, 0.50], [0, 0.83, 0.12, 0.05]),
    "length": ([0, 0.10, 0.20, 0.70], [0, 0.75, 0.20, 0.05]),
    "language": ([0, 0.05, 0.95], [0, 0.25, 0.75]),
    "ids": ([0, 0.200, 0.300, 0.500], [0, 0.989, 0.010, 0.001]),
}
START: tuple[Shares, Shares] = tuple(  # type: ignore[assignment]  # of matches, of others
    {name: np.array(sides[side]) for name, sides in _START.items()} for side in (0, 1)
)
_ROUNDS, _SETTLED = 200, 1e-7
_CERTAIN = 40.0  # the log odds, in bits, of what is a match by definition


@dataclass(frozen=True)
class Weights:
    """m and u of each comparison's levels, and the share of candidate pairs that match."""

    match_share: float
    m: Shares
    u: Shares
    by_name: bool  # the same title and artist is a match whatever the rest says

    def bits(self, comparison: str) -> Array:
        """log2(m / u) of each level; 0 where nothing is known."""
        bits: Array = np.log2(np.maximum(self.m[comparison], 1e-9) / np.maximum(self.u[comparison], 1e-9))
        if LEVELS[comparison][0] == "unknown":
            bits[0] = 0
        return bits

    def similarity(self) -> Column:
        """The probability of a match, 0 to 1, from columns that hold the level of each comparison."""
        odds = F.lit(self.prior_bits())
        for comparison in LEVELS:
            worth = F.array(*(F.lit(float(bits)) for bits in self.bits(comparison)))
            odds = odds + F.element_at(worth, F.greatest(F.col(comparison), F.lit(0)).cast("int") + 1)
        if self.by_name:
            odds = F.when(F.col("name") == SAME_NAME, _CERTAIN).otherwise(odds)
        return F.when(F.col("name") == APART, 0.0).otherwise(1 / (1 + F.pow(F.lit(2.0), -odds)))

    def similarities(self, levels: pd.DataFrame) -> Array:
        """The same of a pandas frame."""
        odds = self.prior_bits() + sum(
            self.bits(comparison)[np.maximum(levels[comparison].to_numpy(), 0)] for comparison in LEVELS
        )
        names = levels["name"].to_numpy()
        if self.by_name:
            odds = np.where(names == SAME_NAME, _CERTAIN, odds)
        found: Array = np.where(names == APART, 0.0, 1 / (1 + np.exp2(-np.asarray(odds, dtype=float))))
        return found

    def rows(self) -> list[tuple[str, str, float, float, float]]:
        """comparison, level, m, u and weight, for people."""
        return [
            (comparison, level, float(self.m[comparison][i]), float(self.u[comparison][i]), float(bits))
            for comparison, levels in LEVELS.items()
            for i, (level, bits) in enumerate(zip(levels, self.bits(comparison), strict=True))
        ]

    def prior_bits(self) -> float:
        """log2 of the odds that a candidate pair matches, before anything is compared."""
        return float(np.log2(self.match_share / (1 - self.match_share)))


def fit_weights(levels: DataFrame, settings: DedupeSettings) -> Weights:
    """The weights that explain a corpus's candidate pairs best; `levels` has a column a comparison."""
    patterns = levels.groupBy(*LEVELS).agg(F.count("*").alias("pairs")).toPandas()
    return learn_weights(patterns.sort_values([*LEVELS], ignore_index=True), settings)


def learn_weights(patterns: pd.DataFrame, settings: DedupeSettings) -> Weights:
    """EM over patterns of levels and their number of `pairs`; the start, where there are none."""
    patterns = patterns.astype(int)
    counts = patterns["pairs"].to_numpy(dtype=float)
    weights = Weights(0.5, *START, by_name=settings.unit == "song")
    for _ in range(_ROUNDS):
        # what is a match by its name is one here, too: its lengths teach what those of a match are
        match = weights.similarities(patterns)
        share = (counts @ match + settings.prior_pairs / 2) / (counts.sum() + settings.prior_pairs)
        sides = [
            {
                name: _shares(patterns[name], counts * part, START[i][name], settings.prior_pairs)
                for name in LEVELS
            }
            for i, part in enumerate((match, 1 - match))
        ]
        settled = abs(share - weights.match_share) < _SETTLED
        weights = Weights(float(share), sides[0], sides[1], weights.by_name)
        if settled:
            break
    return weights


def _shares(levels: Any, counts: Array, start: Array, prior_pairs: float) -> Array:
    found = np.bincount(levels.to_numpy(dtype=int), weights=counts, minlength=len(start)).astype(np.float64)
    found = np.where(start > 0, found, 0.0)  # 'unknown' tells nothing of either class
    shares: Array = (found + prior_pairs * start) / (found.sum() + prior_pairs)
    return shares
