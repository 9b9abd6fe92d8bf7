"""prune: delete old runs, and the tables and models that no kept run names."""

import sys

from songmood.run import Run, Step, main


def job(run: Run) -> None:
    deleted = run.store.prune(run.config.store.keep_runs)
    print(f"{'':<18}{len(deleted)} deleted" + "".join(f"\n{'':<18}{path}" for path in deleted))


STEP: Step = Step(name="prune", about="delete what no kept run names", job=job)

if __name__ == "__main__":
    sys.exit(main((STEP,), only="prune"))
