"""dedupe: one row a song."""

from songmood.dedupe import find_links, iterate_groups, merge_groups
from songmood.run import Run, Step


def job(run: Run) -> None:
    songs = run.read("filtered")
    groups = iterate_groups(find_links(songs, run.config.dedupe))
    result = merge_groups(songs, groups)
    run.write(shared=result.ranked, deduped=result.deduped, duplicates=result.duplicates)


STEP: Step = Step(
    name="dedupe",
    about="one row a song",
    job=job,
    reads=("filtered",),
    writes=("deduped", "duplicates"),
    sections=("dedupe",),
)

if __name__ == "__main__":
    from all import main

    main("dedupe")
