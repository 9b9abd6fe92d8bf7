"""report: one page about the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import Notes, step
from songmood.settings import Settings


class Reported(NamedTuple):
    """The page."""

    files: Mapping[str, str]
    notes: Notes = Notes()


@step("report", "one page about the run")
def report_run(tables: Mapping[str, DataFrame], manifest: dict[str, Any], settings: Settings) -> Reported:
    """The page report.html, of this run's tables and manifest."""
    from songmood.report import READS, fetch_summaries, render_report
    from songmood.report.records import count_rows

    frames = fetch_summaries({name: tables[name] for name in READS}, settings)
    page = render_report(frames, manifest, settings.model_dump(mode="json"))
    points = count_rows(manifest["steps"], "clusters") or 0
    left_out = {"report.map_songs": max(0, points - settings.report.map_songs)}
    return Reported({"report.html": page}, Notes(figures={"left_out": left_out}))
