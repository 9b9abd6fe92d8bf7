"""How many merged pairs are two songs, and how many pairs of one song are missed: estimated without labels.

The estimate has two grounds. First, the similarity of a pair is the probability that it is one song. So each
merged pair counts as an error with 1 minus its similarity, and each other pair with its similarity (Fellegi
and Sunter 1969). That is as good as the model of the weights. Second, ids that both records have: they do not
depend on the model. Ids find some pairs of one song. The share of these that is also found without ids tells
how many of the pairs without ids are found (capture and recapture).
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.tables import OTHER_IDS

# How often a pair counts for each set of ids that it shares, by the size of the set: once in all.
_COUNTS_FOR = {2: 1, 3: -2, 4: 3}


class Estimate(NamedTuple):
    """The expected numbers of errors among pairs that were compared, with their grounds.

    merged, false   the pairs that were merged, and how many of these are expected to be two songs
    missed          the expected number of pairs of one song that are not merged
    share_missed    its share of all expected pairs of one song
    same_ids        the pairs of records that agree in two ids
    found_by_names  how many of these are linked without their ids
    with_ids        the merged pairs that are linked without ids and have an id of one kind in both records
    differing_ids   how many of these agree in no id
    """

    merged: int
    false: float
    missed: float
    share_missed: float
    same_ids: int
    found_by_names: int
    with_ids: int
    differing_ids: int


def count_same_ids(songs: DataFrame) -> DataFrame:
    """One row with `pairs`, the number of pairs of records that agree in two ids or more."""
    sets = [chosen for size in _COUNTS_FOR for chosen in combinations(OTHER_IDS, size)]
    keys = [
        F.when(
            F.concat(*chosen).isNotNull(),  # null where one of them is
            F.struct(
                F.lit(" ".join(chosen)).alias("ids"),
                F.concat_ws("\n", *chosen).alias("values"),
                F.lit(_COUNTS_FOR[len(chosen)]).alias("counts_for"),
            ),
        )
        for chosen in sets
    ]
    shared = songs.select(F.inline(F.array_compact(F.array(*keys)))).groupBy("ids", "values", "counts_for")
    pairs = shared.count().select((F.col("counts_for") * F.expr("count * (count - 1) div 2")).alias("pairs"))
    return pairs.agg(F.coalesce(F.sum("pairs"), F.lit(0)).alias("pairs"))


def estimate_errors(
    counts: pd.DataFrame, weights: pd.DataFrame, same_ids: int, threshold: float
) -> Estimate | None:
    """The estimate, from the pairs by the levels of their comparisons; None if no pairs were compared.

    `counts` has the similarity of each combination of levels, and its numbers of pairs and of merged pairs.
    """
    if counts.empty:
        return None
    merged = counts["pairs_merged"].astype(float)
    apart = counts["pairs"] - merged
    found, missed = (merged * counts["similarity"]).sum(), (apart * counts["similarity"]).sum()
    linked = _without_ids(counts, weights) >= threshold
    known = linked & (counts["ids"] != "unknown")
    return Estimate(
        merged=int(merged.sum()),
        false=merged.sum() - found,
        missed=missed,
        share_missed=missed / ((found + missed) or 1),
        same_ids=same_ids,
        found_by_names=int(counts.loc[linked & (counts["ids"] == "two agree"), "pairs"].sum()),
        with_ids=int(merged[known].sum()),
        differing_ids=int(merged[known & (counts["ids"] == "differ")].sum()),
    )


def _without_ids(counts: pd.DataFrame, weights: pd.DataFrame) -> pd.Series:
    """The similarities that the pairs have without the weight of their ids."""
    bits = weights[weights["comparison"] == "ids"].set_index("level")["weight"]
    with np.errstate(divide="ignore"):  # a match by definition has endless odds
        odds = np.log2(counts["similarity"] / (1 - counts["similarity"]))
    without: pd.Series = 1 / (1 + np.exp2(counts["ids"].map(bits).fillna(0) - odds))
    return without
