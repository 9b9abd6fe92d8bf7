"""fetch: ask the services that are switched on for what files lack; their answers are kept for enrich."""

from datetime import datetime, timedelta, timezone

import enrich
from songmood.enrich import collect_tags, enrich_songs, lacking, song_versions, unanswered
from songmood.enrich.cache import RequestCache, cache_folder, read_answers
from songmood.enrich.fetch import Request, fetch_answers
from songmood.enrich.gate import Budget
from songmood.enrich.keys import hidden
from songmood.enrich.services import open_service
from songmood.run import Run, Step


def job(run: Run) -> None:
    conf, folder = run.config.enrich, cache_folder(run.config)
    seconds = None if run.config.fetch.max_minutes is None else 60 * run.config.fetch.max_minutes
    budget = Budget(run.config.fetch.max_requests, seconds)
    services = {name: open_service(name, run.config, budget) for name in conf.services}
    deduped = run.read("deduped")
    with RequestCache(folder) as cache:
        now = datetime.now(timezone.utc)
        newest = cache.newest_time()
        if newest is not None and newest > now + timedelta(hours=1):
            run.warn(f"the clock seems to be set back: the cache has answers of {newest:%Y-%m-%d %H:%M}")
        only_files = conf.model_copy(update=dict.fromkeys(enrich.PARTS, ("files",)))
        tags, audio_features, lyrics = enrich.read_files(run)
        versions = song_versions(deduped, run.read("filtered"), run.read("duplicates"))
        tagged = collect_tags(versions, tags, {}, only_files).persist()
        found = enrich_songs(versions, tagged, audio_features, lyrics, {}, only_files).found.persist()
        for part in enrich.PARTS:
            for rank, name in enumerate(conf.sources(part)):
                if name == "files":
                    continue
                answers = {s: read_answers(run.spark, folder, s) for s in conf.sources(part) if s != "files"}
                songs = lacking(deduped, part, conf.sources(part)[:rank], found, answers)
                asked = unanswered(songs, name, answers[name], run.config.fetch, now).persist()
                requests = (Request(*row) for row in asked.orderBy("request").toLocalIterator())
                outcome = fetch_answers(services[name], requests, asked.count(), cache, run.config.fetch)
                cache.flush()
                run.note(**{name: dict(outcome.statuses)})
                run.note(**{f"{name}_requests": budget.asked})
                if outcome.stopped:
                    run.warn(
                        hidden(f"{name} was not asked for all: {outcome.stopped}; the same command goes on")
                    )
                asked.unpersist()
        found.unpersist()
        tagged.unpersist()


STEP: Step = Step(
    name="fetch",
    about="ask services for what the files lack",
    job=job,
    reads=("deduped", "filtered", "duplicates"),
    sections=("fetch",),
    outside=enrich.outside,
    before="enrich",
)

if __name__ == "__main__":
    from all import main

    main("fetch")
