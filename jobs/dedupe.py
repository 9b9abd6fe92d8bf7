"""dedupe: one row a song."""

from songmood.dedupe import duplicate_pairs, iterate_duplicates, merge_groups
from songmood.run import Run, Step
from songmood.tables import MATCH_WEIGHTS


def job(run: Run) -> None:
    songs = run.read("filtered")
    found = iterate_duplicates(songs, run.config.dedupe)
    result = merge_groups(songs, found, run.config.dedupe)
    run.write(shared=result.ranked, deduped=result.deduped, duplicates=result.duplicates)
    weights = run.spark.createDataFrame(found.weights.rows(), MATCH_WEIGHTS.schema)
    run.write(duplicate_pairs=duplicate_pairs(found), match_weights=weights)
    run.note(pairs_left_out=found.left_out, match_share=found.weights.match_share)
    for frame in (found.pairs, found.named):
        frame.unpersist()


STEP: Step = Step(
    name="dedupe",
    about="one row a song",
    job=job,
    reads=("filtered",),
    writes=("deduped", "duplicates", "duplicate_pairs", "match_weights"),
    sections=("dedupe",),
)

if __name__ == "__main__":
    from all import main

    main("dedupe")
