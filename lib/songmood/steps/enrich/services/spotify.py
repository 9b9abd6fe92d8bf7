"""Spotify's audio features by track id, by spotipy, for apps that may still ask for them.

Spotify closed them to apps made after 27 November 2024. Such an app gets a 403; ReccoBeats is an alternative.
"""

from __future__ import annotations

import json
import logging
import re
import warnings

import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOauthError

from songmood.audio import AUDIO_FEATURES
from songmood.settings import Settings
from songmood.steps.enrich.gate import Gate, Malformed, Refused, Transient
from songmood.steps.enrich.service import NOT_FOUND, OK, PERMANENT, Answer, Request

SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")

logging.getLogger("spotipy").setLevel(logging.CRITICAL)  # its log shows the secret


class Spotify:
    """Audio features by Spotify id, a hundred songs in a request. Content of an answer: {feature: value}."""

    name, batch = "spotify", 100

    def __init__(self, settings: Settings, gate: Gate, client_id: str, secret: str) -> None:
        self.gate = gate
        session = gate.session()
        credentials = SpotifyClientCredentials(
            client_id,
            secret,
            requests_session=session,
            requests_timeout=settings.fetch.timeout_s,
            cache_handler=MemoryCacheHandler(),  # otherwise the token is written to the working folder
        )
        credentials.OAUTH_TOKEN_URL = settings.fetch.spotify.token_url
        # our session: spotipy's own would retry by itself and hide Retry-After
        self._client = spotipy.Spotify(auth_manager=credentials, requests_session=session)
        self._client.prefix = settings.fetch.spotify.url

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The audio features of tracks, by their ids. A malformed id is not sent: it would fail the batch."""
        valid = [request for request in requests if SPOTIFY_ID.fullmatch(request.key)]
        answers = [
            Answer(request.key, PERMANENT, last_error="not a Spotify id")
            for request in requests
            if not SPOTIFY_ID.fullmatch(request.key)
        ]
        if not valid:
            return answers
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                rows = self._client.audio_features([request.key for request in valid])
        except SpotifyOauthError as error:
            raise Refused(f"Spotify refuses the app: {error.error}") from None
        except spotipy.SpotifyException as error:
            raise Malformed(f"Spotify answers {error.http_status}", error.http_status) from None
        if not isinstance(rows, list) or len(rows) != len(valid):
            raise Transient("Spotify's answer cannot be read")
        return answers + [_answer(request.key, row) for request, row in zip(valid, rows, strict=True)]


def _answer(key: str, row: dict[str, object] | None) -> Answer:
    if not row:
        return Answer(key, NOT_FOUND)
    return Answer(key, OK, json.dumps({name: row.get(name) for name in AUDIO_FEATURES}))
