"""demo: write the demo corpus, unless it is there already."""

from songmood.demo import read_ceilings, write_demo_corpus
from songmood.run import Run, Step


def job(run: Run) -> None:
    corpus = str(run.config.paths.corpus)
    write_demo_corpus(run.spark, run.config.demo, run.config.seed, corpus)
    run.note(bayes_ceilings=read_ceilings(corpus))


STEP: Step = Step(name="demo", about="write the demo corpus, unless it is there", job=job)

if __name__ == "__main__":
    from all import main

    main("demo")
