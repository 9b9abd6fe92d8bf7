"""enrich: tags, audio features and lyrics, from the corpus' files and from what services answered."""

import json

from pyspark.sql import DataFrame

from songmood.config import Config
from songmood.corpus import corpus_fingerprint, list_files, read_columns
from songmood.enrich import COLUMNS, REQUIRED, collect_tags, enrich_songs, song_versions
from songmood.enrich.cache import cache_fingerprint, cache_folder, read_answers
from songmood.run import Run, Step
from songmood.tag_files import read_tags

PARTS = ("tags", *COLUMNS)


def outside(config: Config) -> str:
    """The corpus' files and, where services are on, what they answered so far."""
    files = corpus_fingerprint(*PARTS)(config)
    return json.dumps([files, cache_fingerprint(cache_folder(config))]) if config.enrich.services else files


def read_files(run: Run) -> tuple[DataFrame, DataFrame | None, DataFrame | None]:
    """The rows of the corpus' tags, audio features and lyrics; None of the latter two without files."""
    files = {part: list_files(str(run.config.paths.corpus), part) for part in PARTS}
    rows = {
        part: read_columns(run.spark, files[part], COLUMNS[part], REQUIRED[part]) if files[part] else None
        for part in COLUMNS
    }
    max_line_bytes = run.config.ingest.max_line_mb * 2**20
    max_pickle_bytes = run.config.enrich.max_pickle_mb * 2**20
    tags = read_tags(run.spark, files["tags"], max_line_bytes, max_pickle_bytes)
    for file, lines in tags.unread.groupBy("file").count().orderBy("file").collect():
        run.warn(f"{lines:,} lines of {file} are no JSON records, or too long, and were left out")
    return tags.rows, rows["audio_features"], rows["lyrics"]


def job(run: Run) -> None:
    tags, audio_features, lyrics = read_files(run)
    conf = run.config.enrich
    answers = {source: read_answers(run.spark, cache_folder(run.config), source) for source in conf.services}
    versions = song_versions(run.read("deduped"), run.read("filtered"), run.read("duplicates"))
    run.write(tags=collect_tags(versions, tags, answers, conf))
    result = enrich_songs(versions, run.read("tags"), audio_features, lyrics, answers, conf)
    run.write(
        shared=result.found,
        audio_features=result.audio_features,
        lyrics=result.lyrics,
        enrichment_failures=result.enrichment_failures,
    )
    for part in PARTS:
        files = list_files(str(run.config.paths.corpus), part)
        songs_with = run.read(part).select("song_id").distinct().count()
        run.note(**{f"songs_with_{part}": songs_with})
        if not files and conf.sources(part) == ("files",):
            run.warn(f"no {part}: the corpus has no files in its folder {part}/")
        elif not songs_with and files:
            run.warn(
                f"no {part}: none of the rows in the corpus' folder {part}/ belongs to a song that was kept"
            )


STEP: Step = Step(
    name="enrich",
    about="add tags, audio features and lyrics",
    job=job,
    reads=("deduped", "filtered", "duplicates"),
    writes=("tags", "audio_features", "lyrics", "enrichment_failures"),
    sections=("enrich", "ingest"),
    outside=outside,
)

if __name__ == "__main__":
    from all import main

    main("enrich")
