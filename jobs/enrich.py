"""enrich: tags, audio features and lyrics, from the corpus' files."""

from songmood.corpus import corpus_fingerprint, list_files, read_columns
from songmood.enrich import COLUMNS, REQUIRED, collect_tags, enrich_songs, song_versions
from songmood.run import Run, Step


def job(run: Run) -> None:
    files = {part: list_files(str(run.config.paths.corpus), part) for part in COLUMNS}
    rows = {part: read_columns(run.spark, files[part], COLUMNS[part], REQUIRED[part]) for part in COLUMNS}
    versions = song_versions(run.read("deduped"), run.read("filtered"), run.read("duplicates"))
    run.write(tags=collect_tags(versions, rows["tags"]))
    result = enrich_songs(
        versions, run.read("tags"), rows["audio_features"], rows["lyrics"], run.config.enrich
    )
    run.write(
        shared=result.found,
        audio_features=result.audio_features,
        lyrics=result.lyrics,
        enrichment_failures=result.enrichment_failures,
    )
    for part in COLUMNS:
        songs_with = run.read(part).select("song_id").distinct().count()
        run.note(**{f"songs_with_{part}": songs_with})
        if not files[part]:
            run.warn(f"no {part}: the corpus has no files in its folder {part}/")
        elif not songs_with:
            run.warn(
                f"no {part}: none of the rows in the corpus' folder {part}/ belongs to a song that was kept"
            )


STEP: Step = Step(
    name="enrich",
    about="add tags, audio features and lyrics",
    job=job,
    reads=("deduped", "filtered", "duplicates"),
    writes=("tags", "audio_features", "lyrics", "enrichment_failures"),
    sections=("enrich",),
    outside=corpus_fingerprint(*COLUMNS),
)

if __name__ == "__main__":
    from all import main

    main("enrich")
