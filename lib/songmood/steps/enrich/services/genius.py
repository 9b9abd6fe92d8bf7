"""Genius' lyrics, by lyricsgenius: search, score every hit, and read the page of the hit that matches.

The client's own search_song takes the artist's first hit, which may be another song. It returns None for a
page that refuses, as if there were no lyrics, so the gate looks at the status first.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import lyricsgenius

from songmood.names.matching import best_match
from songmood.settings import Settings
from songmood.steps.enrich.gate import USER_AGENT, Gate, Malformed
from songmood.steps.enrich.service import NO_MATCH, NOT_FOUND, OK, Answer, Request

logging.getLogger("lyricsgenius").setLevel(logging.CRITICAL)


class Genius:
    """Lyrics by artist and title. Content of an answer: {title, artist, score, lyrics, difference}.

    Lyrics are kept as the page has them and cleaned when they are used, so that a better cleaning need not
    ask again. An answer no_match has the names of the best hit, how they differ, and no lyrics.
    """

    name, batch = "genius", 1

    def __init__(self, settings: Settings, gate: Gate, token: str) -> None:
        self.gate = gate
        self._matching = settings.enrich
        self._client = lyricsgenius.Genius(token, sleep_time=0, retries=0, user_agent=USER_AGENT)
        addresses = settings.fetch.genius
        self._client.API_ROOT, self._client.WEB_ROOT = addresses.url, addresses.web_url
        session = gate.session(html=addresses.web_url)
        session.headers.update(self._client._session.headers)
        self._client._session = session

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The lyrics of the best hit for one song, if that hit is the song."""
        (request,) = requests
        hits = self._search(f"{request.title} {request.artist}")
        if not hits:
            return [Answer(request.key, NOT_FOUND)]
        best = best_match(
            request.title, request.artist, [(hit["title"], hit["artist"]) for hit in hits], self._matching
        )
        if best is None:
            return [Answer(request.key, NO_MATCH, last_error=f"none of {len(hits)} hits has a similar name")]
        content: dict[str, Any] = {
            "title": best.title,
            "artist": best.artist,
            "score": best.score,
            "difference": best.difference,
        }
        if not best.accepted:
            return [Answer(request.key, NO_MATCH, _json(content), last_error=best.nearest())]
        hit = hits[best.place]
        lyrics = self._read(str(hit["url"]))
        if lyrics is None:
            return [Answer(request.key, NOT_FOUND, last_error="the page has no lyrics")]
        return [Answer(request.key, OK, _json({**content, "lyrics": lyrics}))]

    def _search(self, words: str) -> list[dict[str, Any]]:
        try:
            found = self._client.search_songs(words, per_page=5)
            results = [hit["result"] for hit in found["hits"] if hit.get("type", "song") == "song"]
            return [
                {"title": result["title"], "artist": result["primary_artist"]["name"], "url": result["url"]}
                for result in results
            ]
        except AssertionError as error:  # raised for any status but 200; it quotes the whole answer
            status = int("".join(filter(str.isdigit, str(error)[:40])) or 0)
            raise Malformed(f"Genius answers {status}", status) from None

    def _read(self, url: str) -> str | None:
        path = url.split("genius.com/", 1)[-1]
        lyrics: str | None = self._client.lyrics(song_url=f"https://genius.com/{path}")
        return lyrics


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)
