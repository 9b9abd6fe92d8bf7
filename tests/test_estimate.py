"""The estimate of wrong merges and missed pairs, which needs no labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame

from songmood.report.estimate import count_same_ids, estimate_errors
from songmood.tables import FILTERED

WEIGHTS = pd.DataFrame(
    [("ids", "unknown", 0.0), ("ids", "differ", -2.0), ("ids", "two agree", 9.0), ("name", "differ", -5.0)],
    columns=["comparison", "level", "weight"],
)


def pairs(*rows: tuple[str, float, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["ids", "similarity", "pairs", "pairs_merged"])


def test_each_pair_counts_by_its_probability() -> None:
    found = estimate_errors(
        pairs(("unknown", 0.98, 100, 100), ("unknown", 0.5, 10, 4), ("differ", 0.1, 50, 0)), WEIGHTS, 0, 0.9
    )
    assert found is not None
    assert found.merged == 104
    assert found.false == pytest.approx(100 * 0.02 + 4 * 0.5)
    assert found.missed == pytest.approx(6 * 0.5 + 50 * 0.1)
    assert found.share_missed == pytest.approx(8 / (98 + 2 + 8))


def test_ids_check_what_is_found_without_them() -> None:
    found = estimate_errors(
        pairs(
            ("two agree", 1.0, 30, 30),  # the same title and artist: a match by definition
            ("two agree", 0.99, 7, 7),  # 0.16 without its ids: only they link it
            ("two agree", 0.9999, 3, 2),  # 0.95 without its ids
            ("differ", 0.95, 5, 5),
            ("differ", 0.75, 4, 1),  # 0.92 without its ids, which are against it
            ("unknown", 0.95, 9, 9),
        ),
        WEIGHTS, 50, 0.9,
    )  # fmt: skip
    assert found is not None
    assert (found.same_ids, found.found_by_names) == (50, 33)
    assert (found.with_ids, found.differing_ids) == (30 + 2 + 5 + 1, 5 + 1)


def test_no_pairs_have_no_estimate() -> None:
    assert estimate_errors(pairs(), WEIGHTS, 0, 0.9) is None
    none_merged = estimate_errors(pairs(("unknown", 0.0, 3, 0)), WEIGHTS.iloc[:0], 0, 0.9)
    assert none_merged is not None
    assert not np.isnan(none_merged).any()


def test_pairs_that_agree_in_two_ids_count_once(table: Callable[..., DataFrame]) -> None:
    ids = ("isrc", "musicbrainz_id", "spotify_id", "lastfm_id")
    rows = ["ABCD", "ABCD", "AB..", "AB.D", "A...", "..CD", ".B.X", "...."]
    songs = table(
        FILTERED,
        *(
            {"song_id": str(i)} | {name: f"{name} {c}" for name, c in zip(ids, row, strict=True) if c != "."}
            for i, row in enumerate(rows)
        ),
    )
    agree = sum(
        sum(x == y != "." for x, y in zip(a, b, strict=True)) >= 2
        for i, a in enumerate(rows)
        for b in rows[:i]
    )
    assert count_same_ids(songs).collect()[0]["pairs"] == agree == 8
    assert count_same_ids(songs.limit(0)).collect()[0]["pairs"] == 0
