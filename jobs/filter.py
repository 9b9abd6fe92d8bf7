"""filter: keep the songs with the ids and languages asked for, and say why the others went."""

from songmood.config import Config
from songmood.corpus import corpus_fingerprint, list_files, read_columns
from songmood.enrich import COLUMNS, REQUIRED
from songmood.errors import SongmoodError
from songmood.filter import filter_songs
from songmood.run import Run, Step


def job(run: Run) -> None:
    songs, lyrics = run.read("songs"), None
    if run.config.filter.detects:
        files = list_files(str(run.config.paths.corpus), "lyrics")
        lyrics = read_columns(run.spark, files, COLUMNS["lyrics"], REQUIRED["lyrics"])
    result = filter_songs(songs, lyrics, run.config.filter)
    run.write(shared=result.detected, filtered=result.filtered, dropped=result.dropped)
    filtered = run.read("filtered")
    if filtered.isEmpty():
        counts = run.read("dropped").groupBy("drop_reason").count().collect()
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts))
        raise SongmoodError(
            f"filter kept no song ({reasons}): ask for less, with --set 'filter.required_ids=[]' or "
            "--set 'filter.languages=[]'"
            if reasons
            else "ingest found no song: paths.corpus must name a folder with song records in songs/"
        )
    unnamed = songs.where("language IS NULL").join(
        filtered.where("language IS NOT NULL"), "song_id", "left_semi"
    )
    run.note(songs_with_language_detected=unnamed.count())


def read_beside_tables(config: Config) -> str:
    """The lyrics files, where languages are detected from them."""
    return corpus_fingerprint("lyrics")(config) if config.filter.detects else ""


STEP: Step = Step(
    name="filter",
    about="keep songs with the ids and languages asked for",
    job=job,
    reads=("songs",),
    writes=("filtered", "dropped"),
    sections=("filter",),
    outside=read_beside_tables,
)

if __name__ == "__main__":
    from all import main

    main("filter")
