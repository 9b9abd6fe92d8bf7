"""A run that asks Last.fm for many songs and may be killed: python fetch_worker.py FOLDER SONGS SETTING..."""

from __future__ import annotations

import sys
from pathlib import Path

from fake_services import MALFORMED, NOT_HERE
from songmood.settings import load_settings
from songmood.steps.enrich.asking import fetch_answers
from songmood.steps.enrich.cache import RequestCache
from songmood.steps.enrich.gate import Budget
from songmood.steps.enrich.service import Request
from songmood.steps.enrich.services import open_service


def requests_for(songs: int) -> list[Request]:
    """One song in twenty is unknown, one in a hundred malformed."""
    words = [NOT_HERE if n % 20 == 3 else MALFORMED if n % 100 == 7 else "Song" for n in range(songs)]
    return [Request(f"a\t{n:06}", "Artist", f"{word} {n}", 0) for n, word in enumerate(words)]


def main(folder: str, songs: str, *changes: str) -> None:
    settings = load_settings(Path(__file__).parent.parent / "conf" / "base.yaml", [], changes)
    with RequestCache(folder) as cache:
        answered = {request for (request,) in cache._connection.execute("SELECT request FROM answers")}
        requests = [request for request in requests_for(int(songs)) if request.key not in answered]
        service = open_service("lastfm", settings, Budget())
        outcome = fetch_answers(service, requests, len(requests), cache, settings.fetch)
    print("asked", len(requests), dict(outcome.statuses), outcome.stopped)


if __name__ == "__main__":
    main(*sys.argv[1:])
