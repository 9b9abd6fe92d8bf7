"""publish: point current.json at this run's tables, all at once."""

from songmood.run import Run, Step
from songmood.tables import TABLES


def job(run: Run) -> None:
    run.store.publish(run.run_id, run.manifest["tables"])


STEP: Step = Step(
    name="publish",
    about="point current.json at this run's tables",
    job=job,
    reads=tuple(TABLES),
)

if __name__ == "__main__":
    from all import main

    main("publish")
