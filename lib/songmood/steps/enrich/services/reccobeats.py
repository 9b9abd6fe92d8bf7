"""ReccoBeats' audio features by Spotify's track ids; no key is needed.

They are modeled on Spotify's, without time_signature. https://reccobeats.com/docs
"""

from __future__ import annotations

import json
from typing import Any

from songmood.audio import AUDIO_FEATURES
from songmood.settings import FetchSettings
from songmood.steps.enrich.asking import Malformed, Request
from songmood.steps.enrich.cache import NOT_FOUND, OK, PERMANENT, Answer
from songmood.steps.enrich.gate import Gate
from songmood.steps.enrich.services.spotify import SPOTIFY_ID


class ReccoBeats:
    """Audio features by Spotify id, forty at a time. Content of an answer: {feature: value}."""

    name, batch = "reccobeats", 40

    def __init__(self, settings: FetchSettings, gate: Gate) -> None:
        self.gate = gate
        self._url = settings.reccobeats.url
        self._session = gate.session()

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The audio features of tracks, by their ids at Spotify; what is no id is not asked for."""
        keys = [request.key for request in requests if SPOTIFY_ID.fullmatch(request.key)]
        rows: dict[str, dict[str, Any]] = {}
        if keys:
            response = self._session.get(f"{self._url}audio-features", params={"ids": ",".join(keys)})
            if not response.ok:
                raise Malformed(f"ReccoBeats answers {response.status_code}", response.status_code)
            # a row has ReccoBeats' own id; Spotify's is the end of its address
            rows = {str(row["href"])[-22:]: row for row in response.json()["content"]}
        return [
            self._answer(key, rows.get(key))
            if key in keys
            else Answer(key, PERMANENT, last_error="no Spotify id")
            for key in (request.key for request in requests)
        ]

    @staticmethod
    def _answer(key: str, row: dict[str, Any] | None) -> Answer:
        if row is None:
            return Answer(key, NOT_FOUND)
        return Answer(key, OK, json.dumps({name: row.get(name) for name in AUDIO_FEATURES}))
