"""The services there are, by name."""

from __future__ import annotations

from songmood.config import Config
from songmood.enrich.fetch import Service
from songmood.enrich.gate import Budget, Gate


def open_service(name: str, config: Config, budget: Budget) -> Service:
    """A service, ready to be asked. Raises SongmoodError where its key is missing.

    Its client is imported here, and only here: who asks no service needs none of them.
    """
    conf = config.fetch
    gate = Gate(getattr(conf, name).per_second, budget, conf.timeout_s)
    if name == "lastfm":
        from songmood.enrich.lastfm import LastFm

        return LastFm(conf, gate)
    if name == "spotify":
        from songmood.enrich.spotify import Spotify

        return Spotify(conf, gate)
    if name == "reccobeats":
        from songmood.enrich.reccobeats import ReccoBeats

        return ReccoBeats(conf, gate)
    from songmood.enrich.genius import Genius

    return Genius(conf, gate, config.enrich)
