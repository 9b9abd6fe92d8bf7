"""The sections on steps: how many songs each one left and dropped, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from songmood.report import formats
from songmood.report.records import StepRecords, count_distinct, count_reasons, count_rows, sort_counts

# The paper's sections 3.1 and 3.2: the number of songs left at each stage. The first one is rounded.
_PAPER_FUNNEL = (1_700_000, 37_707, 24_280, 11_207, 11_183)
_IDS = {"spotify_id": "a Spotify id", "lastfm_id": "a Last.fm id"}


class _Stage(NamedTuple):
    """A stage that songs go through; `reasons` counts those that left there, and `verb` says how they did."""

    name: str
    rows: int | None
    reasons: Sequence[tuple[str, int]] = ()
    verb: str = ""

    @property
    def left(self) -> str:
        """How many songs left, in words; empty if none did."""
        songs = sum(count for _, count in self.reasons)
        return f"{formats.number(songs)} {self.verb}" if songs else ""


def funnel(steps: StepRecords) -> list[dict[str, Any]]:
    """The stages that songs go through: name, rows, share of the largest, and who left, by reason."""
    if count_rows(steps, "songs") is None:
        return []
    stages = [(stage, stage.rows) for stage in _stages(steps) if stage.rows is not None]
    most = max(1, *(rows for _, rows in stages))
    return [
        {
            "name": stage.name,
            "rows": rows,
            "share": rows / most,
            "part": stage.name.startswith("with "),
            "left": stage.left,
            "reasons": stage.reasons,
        }
        for stage, rows in stages
    ]


def _stages(steps: StepRecords) -> list[_Stage]:
    rejects = count_reasons(steps, "rejects", "ingest")
    records = (count_rows(steps, "songs") or 0) + sum(count for _, count in rejects)
    filtered, unlabeled = (count_reasons(steps, "dropped", step) for step in ("filter", "label"))
    return [
        _Stage("records read", records, rejects, "unreadable"),
        _Stage("filtered", count_rows(steps, "filtered"), filtered, "dropped"),
        _Stage("deduplicated", count_rows(steps, "deduped"), _name_levels(steps), "merged"),
        _Stage("with tags", count_distinct(steps, "tags")),
        _Stage("with audio features", count_rows(steps, "audio_features")),
        _Stage("with lyrics", count_rows(steps, "lyrics")),
        _Stage("labeled", count_rows(steps, "labelled"), unlabeled, "without a label"),
    ]


def _name_levels(steps: StepRecords) -> list[tuple[str, int]]:
    """The first part of match reasons, which compares names; whole reasons are dozens of combinations."""
    counts: Counter[str] = Counter()
    for reason, count in count_reasons(steps, "duplicates"):
        counts[reason.partition(";")[0]] += count
    return sort_counts(counts)


def compare_with_paper(steps: StepRecords, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's stages in this run and in the paper: name, rows, and share of the stage before."""
    songs = count_rows(steps, "deduped")
    rows = (
        ("song records", count_rows(steps, "songs")),
        ("with the required ids and languages", count_rows(steps, "filtered")),
        ("distinct songs", songs),
        ("with an emotion tag", _with_emotion_tag(steps, songs, settings)),
        ("labeled", count_rows(steps, "labelled")),
    )
    stages = [
        {
            "name": name,
            "rows": count,
            "share": formats.share(count, rows[i - 1][1]) if i else None,
            "paper": _PAPER_FUNNEL[i],
            "paper_share": formats.share(_PAPER_FUNNEL[i], _PAPER_FUNNEL[i - 1]) if i else None,
        }
        for i, (name, count) in enumerate(rows)
    ]
    return {"required": _requirements(settings["filter"]), "stages": stages}


def _with_emotion_tag(steps: StepRecords, songs: int | None, settings: Mapping[str, Any]) -> int | None:
    """The number of songs with an emotion tag; None if label did not require one."""
    if songs is None or count_rows(steps, "labelled") is None or not settings["label"]["emotion_words"]:
        return None
    reasons = dict(count_reasons(steps, "dropped", "label"))
    return songs - reasons.get("no_tags", 0) - reasons.get("no_emotion_tag", 0)


def _requirements(settings: Mapping[str, Any]) -> str:
    """The ids and languages that filter requires of each song; empty if none."""
    languages = " or ".join(language.capitalize() for language in settings["languages"])
    parts = [_IDS[name] for name in settings["required_ids"]] + [f"{languages} lyrics"] * bool(languages)
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def encoding(steps: StepRecords) -> list[dict[str, Any]]:
    """What each step encoded, how fast, and the share of the cores' time that each part of the work took."""
    rows = []
    for step in steps:
        figures = step["figures"]
        if not step["reused"] and figures.get("encoded_texts"):
            whole = sum(figures["core_seconds"].values()) or 1
            rows.append(
                {
                    "name": step["step"],
                    **{name: figures[name] for name in ("encoded_texts", "word_pieces", "texts_per_second")},
                    "shares": [(name, seconds / whole) for name, seconds in figures["core_seconds"].items()],
                    "speeds": sort_counts(figures["speeds"]),
                    "tried": sort_counts(figures["tried"]),
                }
            )
    return rows


def step_bars(steps: StepRecords) -> list[dict[str, Any]]:
    """A bar for each step: name, seconds, share of the longest, peak memory, rows written."""
    longest = max([step["seconds"] for step in steps if not step["reused"]], default=0) or 1
    return [
        {
            "name": step["step"],
            "seconds": "reused" if step["reused"] else formats.duration(step["seconds"]),
            "share": 0 if step["reused"] else step["seconds"] / longest,
            "memory": step["peak_memory_mb"],
            "rows": [(name, written["rows"]) for name, written in step["tables"].items()],
        }
        for step in steps
    ]
