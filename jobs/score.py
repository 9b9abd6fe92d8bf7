"""score: the mood of every song, by the final model."""

from pathlib import Path
from tempfile import TemporaryDirectory

from songmood.encoder_files import encoder_id
from songmood.run import Run, Step
from songmood.tables import MOODS


def job(run: Run) -> None:
    from songmood.models.neural import describe
    from songmood.score import score_songs

    found = run.find_model("mood")
    if found is None:
        run.warn("no model was trained, so no song gets a mood")
        run.write(moods=run.spark.createDataFrame([], MOODS.schema))
        return
    with TemporaryDirectory() as temporary:
        folder = run.store.fetch_folder(found, Path(temporary, Path(found).name))
        moods = score_songs(
            run.read("deduped"),
            run.read("lyrics"),
            run.read("embeddings"),
            run.read("topics"),
            run.read("audio_features"),
            run.ship(folder),
            describe(folder)["moods"],
            encoder_id(folder),  # of the whole folder: the head, too
            run.config.encoder.batch_size,
        )
        run.write(moods=moods)


STEP: Step = Step(
    name="score",
    about="the mood of every song",
    job=job,
    # model_metrics is written with the model: as it changes, so does this step
    reads=("deduped", "lyrics", "embeddings", "topics", "audio_features", "model_metrics"),
    writes=("moods",),
    sections=("encoder", "score"),
)

if __name__ == "__main__":
    from all import main

    main("score")
