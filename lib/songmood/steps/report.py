"""report: one page about the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from songmood.engine.step import step
from songmood.settings import Settings


class Reported(NamedTuple):
    """The page."""

    files: Mapping[str, str]


@step("report", "one page about the run")
def report_run(tables: Mapping[str, DataFrame], manifest: dict[str, Any], settings: Settings) -> Reported:
    """The page report.html, of this run's tables and manifest."""
    from songmood.report import READS, fetch_summaries, render_report

    frames = fetch_summaries({name: tables[name] for name in READS}, settings)
    return Reported({"report.html": render_report(frames, manifest, settings.model_dump(mode="json"))})
