"""ingest: read the song records of the corpus, in whatever layout they are."""

from pyspark.sql import functions as F

from songmood.corpus import corpus_fingerprint, list_files
from songmood.errors import SongmoodError
from songmood.ingest import DUPLICATE, UNCLOSED_QUOTE, ingest_songs, read_records
from songmood.lines import TOO_LONG
from songmood.run import Run, Step

# What to do about the reasons that say more than that a file is broken.
MENDS = {
    TOO_LONG: "write a record a line (or raise ingest.max_line_mb)",
    UNCLOSED_QUOTE: "write a record a line, without line breaks in quoted values",
}


def job(run: Run) -> None:
    files = list_files(str(run.config.paths.corpus), "songs")
    records = read_records(run.spark, files, run.config.ingest.max_line_mb * 2**20)
    for file in records.ignored:
        run.warn(f"{file} is of no known kind and was left out")
    result = ingest_songs(records)
    run.write(shared=result.checked, songs=result.songs, rejects=result.rejects)

    songs = run.read("songs").count()
    reasons = run.read("rejects").groupBy("reason").agg(F.sum("count"), F.min("source")).collect()
    rejects = {reason: (count, source) for reason, count, source in reasons}
    if DUPLICATE in rejects:
        count, source = rejects.pop(DUPLICATE)
        run.warn(f"{count:,} records repeat the id of another song and were left out (e.g. in {source})")
    unread = sum(count for count, _ in rejects.values())
    if unread > run.config.ingest.max_reject_share * (songs + unread):
        reason, (_, source) = max(rejects.items(), key=lambda item: item[1])
        raise SongmoodError(
            f"{unread:,} of {songs + unread:,} records cannot be read (most: {reason}, e.g. in {source}): "
            f"{MENDS.get(reason, 'mend songs/')}, or raise ingest.max_reject_share"
        )


STEP: Step = Step(
    name="ingest",
    about="read the song records",
    job=job,
    writes=("songs", "rejects"),
    sections=("ingest",),
    outside=corpus_fingerprint("songs"),
)

if __name__ == "__main__":
    from all import main

    main("ingest")
