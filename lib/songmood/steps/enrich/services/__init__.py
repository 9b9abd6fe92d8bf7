"""THE list of services. Each has a file of its own in this folder.

A new service is a file here, a line in SERVICES, its name in settings.py (EnrichSettings and FetchSettings)
and its pace and address in conf/base.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from songmood.settings import Settings
from songmood.steps.enrich.gate import Budget, Gate
from songmood.steps.enrich.keys import read_keys
from songmood.steps.enrich.service import Service

BY_NAME, BY_SPOTIFY_ID = "artist and title", "spotify_id"


class Entry(NamedTuple):
    """What is known of a service before it is opened.

    `part` is the part of a song that it has. The content of an answer is JSON, and all services of a part
    have the same: [[tag, weight], ...] of tags, {feature: value} of audio_features, and {title, artist,
    score, lyrics} of lyrics. `version` is the version of that content: answers of another version do not
    count, and the service is asked again. `keys` are the names of the keys that it needs.
    """

    part: str
    asked_by: str
    file: str
    class_name: str
    version: int
    keys: tuple[str, ...] = ()


SERVICES = {
    "lastfm": Entry("tags", BY_NAME, "lastfm", "LastFm", 1, ("LASTFM_API_KEY",)),
    "spotify": Entry(
        "audio_features",
        BY_SPOTIFY_ID,
        "spotify",
        "Spotify",
        1,
        ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"),
    ),
    "reccobeats": Entry("audio_features", BY_SPOTIFY_ID, "reccobeats", "ReccoBeats", 1),
    "genius": Entry("lyrics", BY_NAME, "genius", "Genius", 1, ("GENIUS_ACCESS_TOKEN",)),
}
KEY_NAMES = tuple(key for entry in SERVICES.values() for key in entry.keys)


def find_service(name: str) -> Entry:
    """The entry of a service. Raises LookupError for a name that is not in SERVICES."""
    if name not in SERVICES:
        raise LookupError(f"{name} is not a service: SERVICES has {', '.join(SERVICES)}")
    return SERVICES[name]


def open_service(name: str, settings: Settings, budget: Budget) -> Service:
    """A service that is ready to be asked. Raises UserError if one of its keys is missing.

    Only this imports the service's client, so a run that asks no service needs no client.
    """
    entry = find_service(name)
    gate = Gate(getattr(settings.fetch, name).per_second, budget, settings.fetch.timeout_s)
    make: Callable[..., Service] = getattr(import_module(f"{__name__}.{entry.file}"), entry.class_name)
    return make(settings, gate, *read_keys(*entry.keys))
