"""The services there are, by name."""

from __future__ import annotations

from songmood.settings import Settings
from songmood.steps.enrich.asking import Service
from songmood.steps.enrich.gate import Budget, Gate


def open_service(name: str, settings: Settings, budget: Budget) -> Service:
    """A service, ready to be asked. Raises UserError where its key is missing.

    Its client is imported here, and only here: who asks no service needs none of them.
    """
    fetch = settings.fetch
    gate = Gate(getattr(fetch, name).per_second, budget, fetch.timeout_s)
    if name == "lastfm":
        from songmood.steps.enrich.services.lastfm import LastFm

        return LastFm(fetch, gate)
    if name == "spotify":
        from songmood.steps.enrich.services.spotify import Spotify

        return Spotify(fetch, gate)
    if name == "reccobeats":
        from songmood.steps.enrich.services.reccobeats import ReccoBeats

        return ReccoBeats(fetch, gate)
    from songmood.steps.enrich.services.genius import Genius

    return Genius(fetch, gate, settings.enrich)
