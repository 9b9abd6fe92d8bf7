"""report: one page about the run."""

from songmood.report import READS, render_report, summarise
from songmood.run import Run, Step


def job(run: Run) -> None:
    tables = {name: run.read(name) for name in READS}
    summaries = summarise(tables, run.config)
    frames = {name: summary.toPandas() for name, summary in summaries.items()}
    page = render_report(frames, run.manifest, run.config.model_dump(mode="json"))
    run.store.write_text(f"runs/{run.run_id}/report.html", page)


STEP: Step = Step(
    name="report",
    about="one page about the run",
    job=job,
    reads=READS,
    sections=("report", "dedupe"),
)

if __name__ == "__main__":
    from all import main

    main("report")
