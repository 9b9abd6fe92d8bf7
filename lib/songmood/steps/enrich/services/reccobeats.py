"""ReccoBeats' audio features by Spotify's track ids. It needs no key.

They are modeled on Spotify's, without time_signature. https://reccobeats.com/docs
"""

from __future__ import annotations

import json
from typing import Any

from songmood.audio import AUDIO_FEATURES
from songmood.settings import Settings
from songmood.steps.enrich.gate import Gate, Malformed
from songmood.steps.enrich.service import NOT_FOUND, OK, PERMANENT, Answer, Request
from songmood.steps.enrich.services.spotify import SPOTIFY_ID


class ReccoBeats:
    """Audio features by Spotify id, forty songs in a request. Content of an answer: {feature: value}."""

    name, batch = "reccobeats", 40

    def __init__(self, settings: Settings, gate: Gate) -> None:
        self.gate = gate
        self._url = settings.fetch.reccobeats.url
        self._session = gate.session()

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The audio features of tracks, by their Spotify ids. A malformed id is not sent."""
        ids = [request.key for request in requests if SPOTIFY_ID.fullmatch(request.key)]
        rows: dict[str, dict[str, Any]] = {}
        if ids:
            response = self._session.get(f"{self._url}audio-features", params={"ids": ",".join(ids)})
            if not response.ok:
                raise Malformed(f"ReccoBeats answers {response.status_code}", response.status_code)
            # the id of a row is ReccoBeats' own; its address ends with Spotify's
            rows = {str(row["href"])[-22:]: row for row in response.json()["content"]}
        return [
            self._answer(key, rows.get(key))
            if key in ids
            else Answer(key, PERMANENT, last_error="not a Spotify id")
            for key in (request.key for request in requests)
        ]

    @staticmethod
    def _answer(key: str, row: dict[str, Any] | None) -> Answer:
        if row is None:
            return Answer(key, NOT_FOUND)
        return Answer(key, OK, json.dumps({name: row.get(name) for name in AUDIO_FEATURES}))
