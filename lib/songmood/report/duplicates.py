"""The page's section on duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from songmood.report import words
from songmood.report.figures import SIMILARITY_BINS, similarities
from songmood.tables import DUPLICATE_PAIRS

# As many as a person looks through.
_PAIRS, _GROUPS, _SPELLINGS = 20, 10, 6
_COMPARISONS = DUPLICATE_PAIRS.column_names[3:]
_SHOWN = ("artist", "title", "album", "year", "duration_s")


def summarize_pairs(tables: Mapping[str, DataFrame], threshold: float, seed: int) -> dict[str, DataFrame]:
    """similarities and borderline; a pair is linked from `threshold` on, merged if in one group.

    Borderline are the combinations of levels whose similarity is nearest the threshold, half of them
    on each side, and of each combination one pair, by hash: the nearest pairs of a large corpus would
    all be of one combination, and a person would judge the same case twenty times.
    """
    representatives = tables["duplicates"].select("song_id", "representative_id")
    pairs = (
        tables["duplicate_pairs"]
        .join(representatives, "song_id", "left")
        .join(representatives.toDF("other_id", "other_representative_id"), "other_id", "left")
        .withColumns(
            {
                "bin": F.least(F.floor(F.col("similarity") * SIMILARITY_BINS), F.lit(SIMILARITY_BINS - 1)),
                "linked": F.col("similarity") >= threshold,
                "merged": F.coalesce("representative_id", "song_id")
                == F.coalesce("other_representative_id", "other_id"),
            }
        )
    )
    counted = F.count(F.lit(1)).alias("pairs")
    by_chance = F.struct(
        F.xxhash64("song_id", "other_id", F.lit(seed)).alias("chance"),
        "song_id",
        "other_id",
        "similarity",
        "linked",
        "merged",
    )
    combinations = pairs.groupBy(*_COMPARISONS).agg(
        counted, F.count_if("merged").alias("pairs_merged"), F.min(by_chance).alias("pair")
    )
    nearest = Window.partitionBy("linked").orderBy(
        F.abs(F.col("similarity") - threshold), "song_id", "other_id"
    )
    borderline = (
        combinations.select("pairs", "pairs_merged", "pair.*", *_COMPARISONS)
        .withColumn("place", F.row_number().over(nearest))
        .where(F.col("place") <= _PAIRS // 2)
    )
    for side, key in (("a", "song_id"), ("b", "other_id")):
        records = tables["filtered"].select(
            F.col("song_id").alias(key), *(F.col(name).alias(f"{name}_{side}") for name in _SHOWN)
        )
        borderline = borderline.join(records, key, "left")
    return {
        "similarities": pairs.groupBy("bin", "linked", "merged").agg(counted),
        "borderline": borderline,
    }


def summarize_groups(tables: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """groups: the largest; spellings: the commonest names in them that are not the representative's."""
    groups = (
        tables["deduped"]
        .where("version_count > 1")
        .orderBy(F.desc("version_count"), "song_id")
        .limit(_GROUPS)
        .select(F.col("song_id").alias("representative_id"), "artist", "title", "version_count")
    )
    named = groups.drop("version_count").toDF("representative_id", "known_artist", "known_title")
    commonest = Window.partitionBy("representative_id").orderBy(F.desc("records"), "artist", "title")
    spellings = (
        tables["duplicates"]
        .join(F.broadcast(named), "representative_id")
        .join(tables["filtered"].select("song_id", "artist", "title"), "song_id")
        .where("NOT (artist <=> known_artist AND title <=> known_title)")
        .groupBy("representative_id", "artist", "title")
        .agg(F.count(F.lit(1)).alias("records"))
        .withColumn("place", F.row_number().over(commonest))
        .withColumn("spellings", F.count(F.lit(1)).over(Window.partitionBy("representative_id")))
        .where(F.col("place") <= _SPELLINGS)
    )
    return {"groups": groups, "spellings": spellings}


def section(
    frames: Mapping[str, pd.DataFrame], steps: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The section on duplicates: figures in words, the histogram, groups, borderline pairs, weights."""
    counts, threshold = frames["similarities"], settings["dedupe"]["threshold"]
    linked, merged = counts["linked"].astype(bool), counts["merged"].astype(bool)
    figures: dict[str, Any] = next((step["figures"] for step in steps if step["step"] == "dedupe"), {})
    return {
        "unit": settings["dedupe"]["unit"],
        "threshold": threshold,
        "pairs": counts["pairs"].sum(),
        "linked": counts.loc[linked, "pairs"].sum(),
        "linked_apart": counts.loc[linked & ~merged, "pairs"].sum(),
        "below_merged": counts.loc[~linked & merged, "pairs"].sum(),
        "left_out": figures.get("pairs_left_out"),
        "match_share": figures.get("match_share"),
        "histogram": similarities(counts, threshold),
        "groups": _groups(frames["groups"], frames["spellings"]),
        "borderline": _borderline(frames["borderline"]),
        "weights": _match_weights(frames["match_weights"]),
    }


def _groups(groups: pd.DataFrame, spellings: pd.DataFrame) -> list[dict[str, Any]]:
    """The largest duplicate groups: name, records, other spellings with their records, how many more."""
    ordered = groups.sort_values(["version_count", "representative_id"], ascending=[False, True])
    found = []
    for group in ordered.to_dict("records"):
        of_group = spellings[spellings["representative_id"] == group["representative_id"]]
        others = of_group.sort_values("place").to_dict("records")
        found.append(
            {
                "name": words.song_name(group["title"], group["artist"]),
                "records": group["version_count"],
                "spellings": [(words.song_name(o["title"], o["artist"]), o["records"]) for o in others],
                "more": others[0]["spellings"] - len(others) if others else 0,
            }
        )
    return found


def _borderline(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Pairs from the most similar to the least: each with its two records, levels and what was done."""
    ordered = pairs.sort_values(["similarity", "song_id", "other_id"], ascending=[False, True, True])
    return [
        {
            **{name: pair[name] for name in ("similarity", "linked", "merged", "pairs", "pairs_merged")},
            "records": [
                [
                    *(
                        words.cut(words.known(pair[f"{name}_{side}"], "–"))
                        for name in ("artist", "title", "album")
                    ),
                    words.year(pair[f"year_{side}"]),
                    words.length(pair[f"duration_s_{side}"]),
                ]
                for side in "ab"
            ],
            "levels": [(name, pair[name]) for name in _COMPARISONS],
        }
        for pair in ordered.to_dict("records")
    ]


def _match_weights(weights: pd.DataFrame) -> list[dict[str, Any]]:
    """Levels of each comparison, heaviest first; the comparison that can tell most, first."""
    rows = [{str(name): value for name, value in row.items()} for row in weights.to_dict("records")]
    of = {
        row["comparison"]: [r["weight"] for r in rows if r["comparison"] == row["comparison"]] for row in rows
    }
    return sorted(
        rows,
        key=lambda row: (
            min(of[row["comparison"]]) - max(of[row["comparison"]]),
            row["comparison"],
            -row["weight"],
            row["level"],
        ),
    )
