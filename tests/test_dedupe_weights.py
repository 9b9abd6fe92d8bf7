from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conftest import ROOT
from songmood.settings import DedupeSettings, load_settings
from songmood.steps.dedupe.compare import APART, CASES, LEVELS, SAME_NAME
from songmood.steps.dedupe.weights import START, Shares, Weights, fit_weights, learn_weights


@pytest.fixture(scope="module")
def settings() -> DedupeSettings:
    return load_settings(ROOT / "conf" / "base.yaml").dedupe


def known_shares(side: Shares) -> Shares:
    """Shares that differ from those of the start: they are flatter."""
    flatter = {name: np.where(shares > 0, shares**0.7, 0) for name, shares in side.items()}
    return {name: normalized(name, shares) for name, shares in flatter.items()}


def normalized(name: str, shares: np.ndarray) -> np.ndarray:
    """Shares that add up to 1, or to 1 in each of the cases of a comparison."""
    made = np.zeros(len(shares))
    for case in CASES.get(name, (range(len(shares)),)):
        made[[*case]] = shares[[*case]] / shares[[*case]].sum()
    return made


def draw_pairs(count: int, match_share: float, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Pairs drawn from the model itself, with known shares, and which of them match."""
    chance = np.random.default_rng(seed)
    matches = chance.random(count) < match_share
    levels = {}
    for name in LEVELS:
        cases = len(CASES.get(name, ("all",)))  # as likely as one another
        drawn = [chance.choice(len(side[name]), count, p=known_shares(side)[name] / cases) for side in START]
        levels[name] = np.where(matches, *drawn)
        if LEVELS[name][0] == "unknown":
            levels[name][chance.random(count) < 0.3] = 0
    return pd.DataFrame(levels), matches


def test_em_finds_the_shares_that_pairs_were_drawn_from(settings: DedupeSettings) -> None:
    pairs, matches = draw_pairs(200_000, 0.3, seed=1)
    patterns = pairs.groupby(list(LEVELS)).size().reset_index(name="pairs")
    weights = learn_weights(patterns, settings.model_copy(update={"unit": "recording"}))
    assert weights.match_share == pytest.approx(0.3, abs=0.02)
    for name in LEVELS:
        given = pairs[name] > 0 if LEVELS[name][0] == "unknown" else pairs[name] >= 0
        for side, drawn in ((weights.m, matches), (weights.u, ~matches)):
            counts = np.bincount(pairs[name][given & drawn], minlength=len(LEVELS[name]))
            np.testing.assert_allclose(side[name], normalized(name, counts), atol=0.02)
    # as good as with the true shares
    best = Weights(0.3, *map(known_shares, START), by_name=False).similarities(pairs)
    found = weights.similarities(pairs)
    assert np.abs(found - best).mean() < 0.01
    assert ((found >= 0.5) == matches).mean() > ((best >= 0.5) == matches).mean() - 0.002 > 0.9


def test_weights_are_learned_from_matches_by_name(settings: DedupeSettings) -> None:
    """Records of one title and artist with different lengths are one song, but not one recording."""
    level = {name: levels.index for name, levels in LEVELS.items()}
    pattern = dict.fromkeys(LEVELS, 0) | {"name": SAME_NAME}
    differs, same = level["length"]("differs"), level["length"]("same")
    far = {"name": level["name"]("title, other artist"), "length": differs, "pairs": 3000}
    patterns = pd.DataFrame(
        [
            {**pattern, "length": same, "pairs": 600},
            {**pattern, "length": differs, "pairs": 400},
            {**pattern, **far},
        ]
    )
    weights = {
        unit: learn_weights(patterns, settings.model_copy(update={"unit": unit}))
        for unit in ("song", "recording")
    }
    assert weights["song"].m["length"][differs] == pytest.approx(0.4, abs=0.05)
    assert weights["recording"].m["length"][differs] < 0.2


def test_nothing_to_learn_from_leaves_the_start(settings: DedupeSettings) -> None:
    weights = learn_weights(pd.DataFrame(columns=[*LEVELS, "pairs"]), settings)
    assert weights.match_share == pytest.approx(0.5)
    for name in LEVELS:
        np.testing.assert_allclose(weights.m[name], START[0][name], atol=1e-9)


def test_unknown_weighs_nothing() -> None:
    weights = Weights(0.5, *START, by_name=False)
    for name in ("album", "year", "length", "language", "ids"):
        bits = weights.bits(name)
        assert bits[0] == 0
        for case in CASES.get(name, (range(1, len(bits)),)):
            assert (np.diff(bits[[*case]]) > 0).all()  # the better the level, the more it is worth


def test_spark_and_pandas_agree(spark: SparkSession, settings: DedupeSettings) -> None:
    pairs, _ = draw_pairs(300, 0.5, seed=2)
    pairs.loc[:10, "name"] = SAME_NAME
    pairs.loc[11:20, "name"] = APART
    levels = spark.createDataFrame(pairs)
    for by_name in (True, False):
        weights = Weights(0.2, *START, by_name=by_name)
        shown = levels.withColumn("similarity", weights.similarity()).toPandas()
        np.testing.assert_allclose(shown["similarity"], weights.similarities(shown), atol=1e-12)
        assert (shown["similarity"][11:21] == 0).all()
        assert (shown["similarity"][:11] > 0.999).all() == by_name
    weighed = levels.where("name >= 0")
    again = fit_weights(weighed.orderBy("album", "name").repartition(3), settings)
    assert again.rows() == fit_weights(weighed, settings).rows()
