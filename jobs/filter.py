"""filter: keep the songs with the ids and languages asked for, and say why the others went."""

from songmood.errors import SongmoodError
from songmood.filter import filter_songs
from songmood.run import Run, Step


def job(run: Run) -> None:
    result = filter_songs(run.read("songs"), run.config.filter)
    run.write(filtered=result.filtered, dropped=result.dropped)
    if run.read("filtered").isEmpty():
        counts = run.read("dropped").groupBy("drop_reason").count().collect()
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts))
        raise SongmoodError(
            f"filter kept no song ({reasons}): ask for less, with --set 'filter.required_ids=[]' or "
            "--set 'filter.languages=[]'"
            if reasons
            else "ingest found no song: paths.corpus must name a folder with song records in songs/"
        )


STEP: Step = Step(
    name="filter",
    about="keep songs with the ids and languages asked for",
    job=job,
    reads=("songs",),
    writes=("filtered", "dropped"),
    sections=("filter",),
)

if __name__ == "__main__":
    from all import main

    main("filter")
