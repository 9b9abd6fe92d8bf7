"""One self-contained HTML page about a run: its songs, the models and their accuracy.

The page loads nothing from other machines. It shows titles, artists, single words and figures. It never
shows lyrics: of their table, only the source is read.

summaries.py      what is read from Spark
records.py        what is read from the manifest
funnel.py         songs by step, and the time of each step
sources.py, duplicates.py, estimate.py, models.py, recommendations.py    sections
figures.py, maps.py, curves.py    what plotly draws
formats.py        how values are written
templates.py      fills in *.html.j2
table1.py         the page of `reproduce`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from songmood.catalog import MODEL_NAMES
from songmood.report import clusters, duplicates, formats, funnel, models, recommendations, sources
from songmood.report.curves import loss_curves
from songmood.report.figures import coverage, reliability, selection
from songmood.report.maps import maps
from songmood.report.records import StepRecords, count_rows, figures_of
from songmood.report.summaries import READS, fetch_summaries
from songmood.report.templates import fill

__all__ = ["READS", "fetch_summaries", "render_report"]

_CANDIDATES = 20  # topic models shown of those that were tried


def render_report(
    frames: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """The page, from the summaries, the manifest of the run so far, and the run's settings.

    Everything that comes from a corpus is escaped, in the page and in the figures. A section without
    data has a sentence that says why.
    """
    steps: StepRecords = manifest["steps"]
    final_model = settings["train"]["final_model"]
    return fill(
        "page.html.j2",
        run=manifest,
        headline=_headline(frames, steps, final_model),
        funnel=funnel.funnel(steps),
        sources=sources.source_rows(frames["sources"]),
        paper=funnel.compare_with_paper(steps, settings),
        duplicates=duplicates.section(frames, steps, settings),
        labels=models.mood_bars(steps, "labelled"),
        choices=models.label_choices(
            frames["label_choices"], settings["label"], figures_of(steps, "label").get("choices", {})
        ),
        moods=models.mood_bars(steps, "moods"),
        models=models.model_rows(frames["model_metrics"]),
        confusion=models.confusion_matrices(frames["predictions"]),
        reliability=reliability(models.reliability_bins(frames["predictions"], final_model)),
        coverage=coverage(models.coverage_points(frames["predictions"], final_model)),
        curves=loss_curves(frames["training_curves"], MODEL_NAMES),
        maps=maps(frames["map"], frames["cluster_profiles"]),
        selection=selection(frames["cluster_selection"]),
        by_density=clusters.by_density(frames["cluster_selection"]),
        clusters=clusters.profiles(frames["cluster_profiles"], frames["typical"]),
        topics=_topics(frames["topic_terms"]),
        candidates=_candidates(frames["topic_selection"]),
        seeds=recommendations.seeds(frames["seeds"]),
        retrieval=recommendations.retrieval(frames["retrieval_metrics"]),
        mix=recommendations.mix_curves(frames["mix_curves"]),
        steps=funnel.step_bars(steps),
        encoding=funnel.encoding(steps),
        warnings=[(step["step"], warning) for step in steps for warning in step["warnings"]],
        settings=yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True),
    )


def _headline(
    frames: Mapping[str, pd.DataFrame], steps: StepRecords, final_model: str
) -> list[tuple[str, str]]:
    """The most important figures of the run: (figure, its name)."""
    figures = [
        (formats.number(count_rows(steps, "deduped")), "songs"),
        (formats.number(count_rows(steps, "labelled")), "labeled songs"),
    ]
    accuracy = frames["model_metrics"].query("split == 'test'").set_index("model")["accuracy"]
    if final_model in accuracy:  # it gives the moods, even if another model is more accurate
        figures.append((f"{accuracy[final_model]:.1%}", f"test accuracy of {formats.spaced(final_model)}"))
    chosen = frames["cluster_selection"].query("chosen == True")
    if len(chosen):
        figures.append((formats.number(chosen["k"].iloc[0]), "clusters"))
    figures.append((formats.number(count_rows(steps, "recommendations")), "recommendations"))
    seconds = sum(step["seconds"] for step in steps if not step["reused"])
    return [*figures, (formats.duration(seconds), "computing time")]


def _topics(terms: pd.DataFrame) -> list[tuple[int, list[str]]]:
    ordered = terms.sort_values(["topic", "rank"])
    by_topic = ordered.groupby("topic")["term"].agg(list)
    return list(zip(by_topic.index.tolist(), by_topic.tolist(), strict=True))


def _candidates(selection: pd.DataFrame) -> dict[str, Any]:
    """The topic models that were tried, the chosen one first and then the most coherent, and their number."""
    ordered = selection.sort_values(
        ["chosen", "coherence", "model", "topics"], ascending=[False, False, True, True], kind="stable"
    )
    return {"rows": ordered.head(_CANDIDATES).to_dict("records"), "total": len(ordered)}
