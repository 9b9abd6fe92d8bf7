"""The page's sections on the steps: where songs went, what each source gave, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from songmood.report import words

# The paper's sections 3.1 and 3.2: how many songs were left; the first figure is rounded there.
_PAPER_FUNNEL = (1_700_000, 37_707, 24_280, 11_207, 11_183)
_PARTS = ("tags", "audio_features", "lyrics")
_IDS = {"spotify_id": "a Spotify id", "lastfm_id": "a Last.fm id"}


def summarize_sources(tables: Mapping[str, DataFrame]) -> DataFrame:
    """part (tags, audio_features, lyrics), source, status ('found', or why not), songs."""
    found = [
        tables[part].select("song_id", F.lit(part).alias("part"), "source", F.lit("found").alias("status"))
        for part in _PARTS
    ]
    part, source = (F.split("source", ":", 2)[place] for place in (0, 1))
    missing = tables["enrichment_failures"].select(
        "song_id", part.alias("part"), source.alias("source"), "status"
    )
    every = reduce(DataFrame.union, [*found, missing])
    return every.groupBy("part", "source", "status").agg(F.count_distinct("song_id").alias("songs"))


def source_rows(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each part and source: how many songs it was looked at for, had, and why not the others."""
    rows = []
    for (part, source), of in counts.groupby(["part", "source"]):
        songs = dict(zip(of["status"], of["songs"].tolist(), strict=True))
        reasons = sorted(
            ((status, n) for status, n in songs.items() if status != "found"),
            key=lambda item: (-item[1], item[0]),
        )
        found, looked = songs.get("found", 0), sum(songs.values())
        rows.append({"part": part, "source": source, "found": found, "looked": looked, "reasons": reasons})
    return sorted(rows, key=lambda row: (_PARTS.index(row["part"]), -row["looked"], row["source"]))


def rows_of(steps: Sequence[Mapping[str, Any]], table: str) -> int | None:
    """Rows of a table as the last step that wrote it left them; None if none did."""
    written = [step["tables"][table]["rows"] for step in steps if table in step["tables"]]
    return written[-1] if written else None


def reasons_of(steps: Sequence[Mapping[str, Any]], step: str, table: str) -> list[tuple[str, int]]:
    """The reasons that a step counted in a table it wrote, most frequent first."""
    for record in steps:
        if record["step"] == step and table in record["tables"]:
            return sorted(record["tables"][table]["reasons"].items(), key=lambda item: (-item[1], item[0]))
    return []


def funnel(frames: Mapping[str, pd.DataFrame], steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stages a song goes through: name, rows, share of the first, and who left, by reason."""
    rejects = reasons_of(steps, "ingest", "rejects")
    read = rows_of(steps, "songs")
    if read is None:
        return []
    tagged = frames["songs_with_tags"]["songs"].sum() if rows_of(steps, "tags") is not None else None
    stages = [
        ("records read", read + sum(count for _, count in rejects), rejects, "unreadable"),
        ("filtered", rows_of(steps, "filtered"), reasons_of(steps, "filter", "dropped"), "dropped"),
        ("de-duplicated", rows_of(steps, "deduped"), _how_names_compare(steps), "merged"),
        ("with tags", tagged, [], ""),
        ("with audio features", rows_of(steps, "audio_features"), [], ""),
        ("with lyrics", rows_of(steps, "lyrics"), [], ""),
        ("labelled", rows_of(steps, "labelled"), reasons_of(steps, "label", "dropped"), "without a label"),
    ]
    most = max(1, *(rows for _, rows, _, _ in stages if rows is not None))
    return [
        {
            "name": name,
            "rows": int(rows),
            "share": rows / most,
            "part": name.startswith("with "),
            "left": f"{words.number(sum(count for _, count in reasons))} {verb}" if reasons else "",
            "reasons": reasons,
        }
        for name, rows, reasons, verb in stages
        if rows is not None
    ]


def _how_names_compare(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Match reasons by their first part: all of it would be dozens of combinations."""
    counts: Counter[str] = Counter()
    for reason, count in reasons_of(steps, "dedupe", "duplicates"):
        counts[reason.partition(";")[0]] += count
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def beside_paper(steps: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's stages: name, rows and share of the stage before, of this run and of the paper."""
    reasons = dict(reasons_of(steps, "label", "dropped"))
    songs, labelled = rows_of(steps, "deduped"), rows_of(steps, "labelled")
    emotional = None  # without emotion words, label does not ask for one
    if songs is not None and labelled is not None and settings["label"]["emotion_words"]:
        emotional = songs - reasons.get("no_tags", 0) - reasons.get("no_emotion_tag", 0)
    stages = (
        ("song records", rows_of(steps, "songs")),
        ("with the ids and languages asked for", rows_of(steps, "filtered")),
        ("distinct songs", songs),
        ("with an emotion tag", emotional),
        ("labelled", labelled),
    )
    asked = settings["filter"]
    ids = [_IDS[name] for name in asked["required_ids"]]
    languages = " or ".join(language.capitalize() for language in asked["languages"])
    return {
        "asked": ", ".join([*ids, languages or "any language"]),
        "stages": [
            {
                "name": name,
                "rows": rows,
                "share": words.share(rows, stages[i - 1][1]) if i else None,
                "paper": _PAPER_FUNNEL[i],
                "paper_share": words.share(_PAPER_FUNNEL[i], _PAPER_FUNNEL[i - 1]) if i else None,
            }
            for i, (name, rows) in enumerate(stages)
        ],
    }


def step_bars(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A bar for each step: name, seconds, share of the longest, peak memory, rows written."""
    longest = max([step["seconds"] for step in steps if not step["reused"]], default=0) or 1
    return [
        {
            "name": step["step"],
            "seconds": "reused" if step["reused"] else words.duration(step["seconds"]),
            "share": 0 if step["reused"] else step["seconds"] / longest,
            "memory": step["peak_memory_mb"],
            "rows": [(name, written["rows"]) for name, written in step["tables"].items()],
        }
        for step in steps
    ]
