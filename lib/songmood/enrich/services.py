"""The services there are, by name."""

from __future__ import annotations

from songmood.config import Config
from songmood.enrich.fetch import Service
from songmood.enrich.gate import Budget, Gate
from songmood.enrich.genius import Genius
from songmood.enrich.lastfm import LastFm
from songmood.enrich.reccobeats import ReccoBeats
from songmood.enrich.spotify import Spotify


def open_service(name: str, config: Config, budget: Budget) -> Service:
    """A service, ready to be asked. Raises SongmoodError where its key is missing."""
    conf = config.fetch
    gate = Gate(getattr(conf, name).per_second, budget, conf.timeout_s)
    if name == "lastfm":
        return LastFm(conf, gate)
    if name == "spotify":
        return Spotify(conf, gate)
    if name == "reccobeats":
        return ReccoBeats(conf, gate)
    return Genius(conf, gate, config.enrich)
