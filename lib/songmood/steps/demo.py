"""demo: write the demo corpus, unless it exists already."""

from __future__ import annotations

from pyspark.sql import SparkSession

from songmood.demo import read_ceilings, write_demo_corpus
from songmood.engine.step import Notes, step
from songmood.settings import Settings


@step("demo", "write the demo corpus, unless it exists already")
def make_demo(spark: SparkSession, settings: Settings) -> Notes:
    """Write the demo corpus to `paths.corpus`, and note the best accuracies possible on it."""
    corpus = str(settings.paths.corpus)
    write_demo_corpus(spark, settings.demo, settings.seed, corpus)
    return Notes(figures={"bayes_ceilings": read_ceilings(corpus)})
