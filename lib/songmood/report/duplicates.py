"""The section on duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.report import formats
from songmood.report.estimate import count_same_ids, estimate_errors
from songmood.report.figures import SIMILARITY_BINS, similarities
from songmood.report.records import StepRecords, figures_of
from songmood.tables import DUPLICATE_PAIRS

# As many as a person can look through.
_PAIRS, _GROUPS, _SPELLINGS = 20, 10, 6
_COMPARISONS = DUPLICATE_PAIRS.column_names[3:]
_SHOWN = ("artist", "title", "album", "year", "duration_s")


def summarize_pairs(tables: Mapping[str, DataFrame], threshold: float, seed: int) -> dict[str, DataFrame]:
    """combinations: pairs by the levels of their comparisons; groups: the largest ones; same_ids.

    Pairs with a similarity from `threshold` on are linked. Each combination has the numbers of pairs and
    of merged pairs, and one pair drawn by hash. same_ids has one row, of estimate.py.
    """
    groups = tables["deduped"].where("version_count > 1").orderBy(F.desc("version_count"), "song_id")
    return {
        "combinations": _combine(_with_group(tables), threshold, seed),
        "same_ids": count_same_ids(tables["filtered"]),
        "groups": groups.limit(_GROUPS).select(
            F.col("song_id").alias("representative_id"), "artist", "title", "version_count"
        ),
    }


def look_up_duplicates(
    tables: Mapping[str, DataFrame], frames: Mapping[str, pd.DataFrame], threshold: float
) -> dict[str, DataFrame]:
    """records: those of the borderline pairs; spellings: the names in the largest groups, with counts."""
    borderline = select_borderline(frames["combinations"], threshold)
    shown = {*borderline["song_id"], *borderline["other_id"]}
    filtered = tables["filtered"]
    in_groups = F.col("representative_id").isin(frames["groups"]["representative_id"].tolist())
    return {
        "records": filtered.where(F.col("song_id").isin(sorted(shown))).select("song_id", *_SHOWN),
        "spellings": tables["duplicates"]
        .where(in_groups)
        .select("representative_id", "song_id")
        .join(filtered.select("song_id", "artist", "title"), "song_id")
        .groupBy("representative_id", "artist", "title")
        .agg(F.count(F.lit(1)).alias("records")),
    }


def select_borderline(combinations: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The combinations with the similarities nearest the threshold, half of them on each side of it.

    The nearest pairs of a large corpus would all belong to one combination.
    """
    distance = (combinations["similarity"] - threshold).abs()
    nearest = combinations.assign(distance=distance).sort_values(["distance", "song_id", "other_id"])
    return nearest.groupby("linked").head(_PAIRS // 2)


def _with_group(tables: Mapping[str, DataFrame]) -> DataFrame:
    """Pairs, and whether they were merged: both records are in one group."""
    groups = tables["duplicates"].select("song_id", "representative_id")
    return (
        tables["duplicate_pairs"]
        .join(groups, "song_id", "left")
        .join(groups.toDF("other_id", "other_representative_id"), "other_id", "left")
        .withColumn(
            "merged",
            F.coalesce("representative_id", "song_id") == F.coalesce("other_representative_id", "other_id"),
        )
    )


def _combine(pairs: DataFrame, threshold: float, seed: int) -> DataFrame:
    drawn = F.struct(
        F.xxhash64("song_id", "other_id", F.lit(seed)).alias("hash"),
        *("song_id", "other_id", "similarity", "merged"),
    )
    return (
        pairs.withColumns(
            {
                "bin": F.least(F.floor(F.col("similarity") * SIMILARITY_BINS), F.lit(SIMILARITY_BINS - 1)),
                "linked": F.col("similarity") >= threshold,
            }
        )
        .groupBy(*_COMPARISONS, "bin", "linked")
        .agg(
            F.count(F.lit(1)).alias("pairs"),
            F.count_if("merged").alias("pairs_merged"),
            F.min(drawn).alias("pair"),
        )
        .select(*_COMPARISONS, "bin", "linked", "pairs", "pairs_merged", "pair.*")
        .drop("hash")
    )


def section(
    frames: Mapping[str, pd.DataFrame], steps: StepRecords, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The section's figures in words, the histogram, groups, borderline pairs and weights."""
    counts, threshold = frames["combinations"], settings["dedupe"]["threshold"]
    linked = counts["linked"].astype(bool)
    pairs_linked, figures = counts.loc[linked, "pairs"].sum(), figures_of(steps, "dedupe")
    same_ids = int(frames["same_ids"]["pairs"].sum())
    return {
        "unit": settings["dedupe"]["unit"],
        "threshold": threshold,
        "cohesion": settings["dedupe"]["cohesion"],
        "pairs": counts["pairs"].sum(),
        "linked": pairs_linked,
        "linked_apart": pairs_linked - counts.loc[linked, "pairs_merged"].sum(),
        "below_merged": counts.loc[~linked, "pairs_merged"].sum(),
        "left_out": figures.get("pairs_left_out"),
        "match_share": figures.get("match_share"),
        "estimate": estimate_errors(counts, frames["match_weights"], same_ids, threshold),
        "histogram": similarities(counts, threshold),
        "groups": _groups(frames["groups"], frames["spellings"]),
        "borderline": _borderline(select_borderline(counts, threshold), frames["records"]),
        "weights": _match_weights(frames["match_weights"]),
    }


def _groups(groups: pd.DataFrame, spellings: pd.DataFrame) -> list[dict[str, Any]]:
    """The largest groups: name, records, other spellings with their records, how many more spellings."""
    ordered = groups.sort_values(["version_count", "representative_id"], ascending=[False, True])
    rows = []
    for group in ordered.to_dict("records"):
        names = _spellings(group, spellings[spellings["representative_id"] == group["representative_id"]])
        rows.append(
            {
                "name": formats.song_name(group["title"], group["artist"]),
                "records": group["version_count"],
                "spellings": names[:_SPELLINGS],
                "more": max(0, len(names) - _SPELLINGS),
            }
        )
    return rows


def _spellings(group: Mapping[Any, Any], spellings: pd.DataFrame) -> list[tuple[str, int]]:
    """The names in a group that differ from that of its representative, the commonest first."""
    ordered = spellings.sort_values(
        ["records", "artist", "title"], ascending=[False, True, True], na_position="first"
    )
    return [
        (formats.song_name(title, artist), records)
        for artist, title, records in zip(
            ordered["artist"], ordered["title"], ordered["records"].tolist(), strict=True
        )
        if (artist, title) != (group["artist"], group["title"])
    ]


def _borderline(pairs: pd.DataFrame, records: pd.DataFrame) -> list[dict[str, Any]]:
    """Borderline pairs, the most similar first, each with its two records as cells of a table."""
    by_id = {record["song_id"]: record for record in records.to_dict("records")}
    ordered = pairs.sort_values(["similarity", "song_id", "other_id"], ascending=[False, True, True])
    return [
        {
            **{name: pair[name] for name in ("similarity", "linked", "merged", "pairs", "pairs_merged")},
            "records": [_record_cells(by_id[pair[key]]) for key in ("song_id", "other_id")],
            "levels": [(name, pair[name]) for name in _COMPARISONS],
        }
        for pair in ordered.to_dict("records")
    ]


def _record_cells(record: Mapping[Any, Any]) -> list[str]:
    cells = [formats.cut(formats.or_else(record[name], "–")) for name in ("artist", "title", "album")]
    return [*cells, formats.year(record["year"]), formats.length(record["duration_s"])]


def _match_weights(weights: pd.DataFrame) -> list[dict[str, Any]]:
    """Levels, the heaviest first, by comparison, the one with the widest range of weights first."""
    ranges = weights.groupby("comparison")["weight"].agg(lambda values: values.max() - values.min())
    rows = [{str(name): value for name, value in row.items()} for row in weights.to_dict("records")]
    return sorted(
        rows,
        key=lambda row: (-ranges[row["comparison"]], row["comparison"], -row["weight"], row["level"]),
    )
