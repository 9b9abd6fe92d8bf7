"""The whole way: THE list of steps, in order."""

import sys
from collections.abc import Sequence

import cluster
import dedupe
import demo
import embed
import enrich
import fetch
import filter
import index
import ingest
import label
import publish
import recommend
import report
import reproduce
import score
import text
import topics
import train
from songmood import run

STEPS: Sequence[run.Step] = (
    ingest.STEP,
    filter.STEP,
    dedupe.STEP,
    enrich.STEP,
    label.STEP,
    text.STEP,
    embed.STEP,
    topics.STEP,
    train.STEP,
    score.STEP,
    cluster.STEP,
    index.STEP,
    recommend.STEP,
    report.STEP,
    publish.STEP,
)


def main(only: str | None = None) -> None:
    sys.exit(run.main(STEPS, demo=demo.STEP, fetch=fetch.STEP, others=(reproduce.STEP,), only=only))


if __name__ == "__main__":
    main()
