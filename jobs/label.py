"""label: the mood of each song whose tags show one clearly."""

from songmood.label import label_songs, why_no_labels
from songmood.run import Run, Step


def job(run: Run) -> None:
    result = label_songs(run.read("deduped"), run.read("tags"), run.read("dropped"), run.config.label)
    run.write(
        shared=result.judged,
        labelled=result.labelled,
        dropped=result.dropped,
        label_choices=result.label_choices,
    )
    moods = {row["mood"]: row["count"] for row in run.read("labelled").groupBy("mood").count().collect()}
    run.note(labels={mood: moods.get(mood, 0) for mood in run.config.label.moods})
    if not moods:
        reasons = run.read("dropped").where("step = 'label'").groupBy("drop_reason").count().collect()
        run.warn(why_no_labels({row["drop_reason"]: row["count"] for row in reasons}))
    elif len(moods) == 1:
        run.warn(f"all {sum(moods.values()):,} labels are {next(iter(moods))}: to learn moods takes two")


STEP: Step = Step(
    name="label",
    about="moods from tags, for training",
    job=job,
    reads=("deduped", "tags", "dropped"),
    writes=("labelled", "dropped", "label_choices"),
    sections=("label",),
)

if __name__ == "__main__":
    from all import main

    main("label")
