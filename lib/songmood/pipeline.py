"""THE list of steps, in the order in which data goes through them. Read this page first.

Each step is a function (songmood/steps): its parameters are the tables, models and inputs that it reads,
and the fields of its result are what it writes. This page is checked when it is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from songmood import __version__
from songmood.corpus.files import check_corpus, corpus_files, corpus_fingerprint, place_paths
from songmood.encoder.files import encoder_fingerprint, encoder_folder
from songmood.engine import cli
from songmood.engine.pipeline import Input, Pipeline
from songmood.engine.step import Step
from songmood.engine.upkeep import prune, publish
from songmood.settings import BY_VALUE, Settings, load_settings
from songmood.steps.clean import clean_corpus_lyrics
from songmood.steps.cluster import cluster_songs
from songmood.steps.dedupe import dedupe_songs
from songmood.steps.demo import make_demo
from songmood.steps.embed import embed_songs
from songmood.steps.enrich import enrich_songs, fetch_parts
from songmood.steps.enrich.cache import answer_folders, answers_fingerprint
from songmood.steps.filter import filter_songs
from songmood.steps.index import index_songs
from songmood.steps.ingest import ingest_songs
from songmood.steps.label import label_songs
from songmood.steps.recommend import recommend_songs
from songmood.steps.report import report_run
from songmood.steps.reproduce import reproduce_paper
from songmood.steps.score import score_songs
from songmood.steps.text import tokenize_lyrics
from songmood.steps.topics import model_topics
from songmood.steps.train import train_models
from songmood.tables import MODELS, TABLES

STEPS = (
    make_demo.when("where no corpus is named", lambda settings: settings.paths.corpus is None),
    ingest_songs,
    clean_corpus_lyrics,
    filter_songs,
    dedupe_songs,
    fetch_parts.when("where a service is switched on", lambda settings: bool(settings.enrich.services)),
    enrich_songs,
    label_songs,
    tokenize_lyrics,
    embed_songs,
    model_topics,
    reproduce_paper.on_request(),
    train_models,
    score_songs,
    cluster_songs,
    index_songs,
    recommend_songs,
    report_run,
    publish,
    prune.on_request(),
)

INPUTS = (
    *(
        Input(
            f"{name}_files",
            f"the files of the corpus' folder {part}/",
            corpus_files(part),
            corpus_fingerprint(part),
        )
        for name, part in (
            ("song", "songs"),
            ("lyric", "lyrics"),
            ("tag", "tags"),
            ("audio", "audio_features"),
        )
    ),
    Input("answers", "what services have answered so far", answer_folders, answers_fingerprint),
    Input("encoder", "the folder of the plain encoder", encoder_folder, encoder_fingerprint),
)


def prepare(settings: Settings, chosen: Sequence[Step[..., Any]]) -> Settings:
    """The settings with all paths filled in.

    Raises UserError, before any work, if the corpus or the encoder that a step reads does not exist.
    """
    placed = place_paths(settings)
    if PIPELINE.reads_input(chosen, "encoder"):
        encoder_folder(placed)
    if settings.paths.corpus is not None and PIPELINE.reads_input(chosen, "song_files"):
        check_corpus(str(placed.paths.corpus))
    return placed


PIPELINE = Pipeline(
    name="songmood",
    version=__version__,
    command="./spark-submit.sh",
    steps=STEPS,
    tables=TABLES,
    models=MODELS,
    inputs={one.name: one for one in INPUTS},
    settings=Settings,
    load=load_settings,
    prepare=prepare,
    warehouse=lambda settings: str(settings.paths.warehouse),
    title=lambda settings: f"corpus {settings.paths.corpus}",
    packages=(
        "pyspark",
        "spark-nlp",
        "torch",
        "transformers",
        "gensim",
        "scikit-learn",
        "umap-learn",
        "pandas",
        "pyarrow",
        "numpy",
        "rapidfuzz",
        "py3langid",
        "vaderSentiment",
    ),
    featured="recommendations",
    by_value=BY_VALUE,
)


def main(step: str | None = None) -> None:
    """The command line: all steps, or one."""
    cli.main(PIPELINE, step)
