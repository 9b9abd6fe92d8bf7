"""train: train and compare the mood models, and keep the final one."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import DataFrame

from songmood.encoder_files import resolve_encoder
from songmood.run import Run, Step


def songs(run: Run) -> DataFrame:
    """The labelled songs, and what models see of them."""
    from songmood.train import training_songs

    return training_songs(
        run.read("labelled"),
        run.read("deduped"),
        run.read("lyrics"),
        run.read("embeddings"),
        run.read("topics"),
        run.read("audio_features"),
        run.config.train,
        run.config.seed,
    )


def job(run: Run) -> None:
    from songmood.train import fit_models

    config = run.config
    encoder = resolve_encoder(config.encoder.model)
    with TemporaryDirectory() as folder:
        trained = fit_models(songs(run), encoder, config, Path(folder))
        if trained.folder is not None:
            run.write_model(trained.folder, "mood")
    run.write(
        model_metrics=trained.model_metrics,
        training_curves=trained.training_curves,
        model_predictions=trained.model_predictions,
    )
    run.note(**trained.figures)
    for warning in trained.warnings:
        run.warn(warning)


STEP: Step = Step(
    name="train",
    about="train and compare the mood models",
    job=job,
    reads=("labelled", "deduped", "lyrics", "embeddings", "topics", "audio_features"),
    writes=("model_metrics", "training_curves", "model_predictions"),
    sections=("encoder", "train"),
)

if __name__ == "__main__":
    from all import main

    main("train")
