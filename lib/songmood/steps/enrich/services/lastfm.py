"""Last.fm's top tags of a track, by pylast.

A tag's `count` there is a weight, 0 to 100, relative to the track's top tag. It comes as text.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pylast
from pylast import httpx  # httpx or httpx2, whichever pylast uses

from songmood.settings import Settings
from songmood.steps.enrich.gate import Gate, Malformed, Refused, Transient, judge, unreached
from songmood.steps.enrich.service import NOT_FOUND, OK, Answer, Request

# https://www.last.fm/api/errorcodes
_NOT_FOUND = {"6"}
_LATER = {"8", "11", "16", "29"}  # failed, offline, unavailable, too many requests
_REFUSED = {"4", "9", "10", "13", "14", "26"}  # the key is wrong, expired or suspended

logging.getLogger("pylast").setLevel(logging.CRITICAL)  # its log shows requests with the key
logging.getLogger("httpx").setLevel(logging.CRITICAL)


class Transport(httpx.BaseTransport):  # type: ignore[misc,name-defined]
    """A connection for pylast that goes to `address`, whatever the host of a request is."""

    def __init__(self, gate: Gate, address: str) -> None:
        self._gate, self._address = gate, httpx.URL(address)
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: Any) -> Any:
        """Send a request when its turn has come. Raises Spent and the errors of judge."""
        self._gate.enter()
        request.url = self._address
        request.headers["Host"] = self._address.netloc.decode()
        request.extensions["timeout"] = dict.fromkeys(
            ("connect", "read", "write", "pool"), self._gate.timeout_s
        )
        try:
            response = self._inner.handle_request(request)
            response.read()
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise Transient(unreached(str(self._address), error)) from None
        judge(response.status_code, response.headers, str(self._address), page=False)
        return response

    def close(self) -> None:
        """Leave the connections open: pylast calls this after each request, while others are under way."""


class LastFm:
    """Tags by artist and title. Content of an answer: [[tag, weight], ...]."""

    name, batch = "lastfm", 1

    def __init__(self, settings: Settings, gate: Gate, key: str) -> None:
        self.gate = gate
        self._network = pylast.LastFMNetwork(api_key=key)
        # pylast hands its proxy on to its client: a way in for our own connection
        self._network.proxy = {"all://": Transport(gate, settings.fetch.lastfm.url)}

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The top tags of one track, by its artist and title."""
        (request,) = requests
        track = self._network.get_track(request.artist or "", request.title or "")
        try:
            tags = [[item.item.name, float(item.weight)] for item in track.get_top_tags()]
        except pylast.WSError as error:
            code = str(error.status)
            message = f"Last.fm answers error {code}"
            if code in _NOT_FOUND:
                return [Answer(request.key, NOT_FOUND, last_error=message)]
            if code in _REFUSED:
                raise Refused(f"{message}: is LASTFM_API_KEY right?") from None
            if code in _LATER or code.startswith("5"):
                raise Transient(message) from None
            raise Malformed(message) from None
        except pylast.NetworkError as error:
            if isinstance(error.__cause__, Exception):
                raise error.__cause__ from None  # the gate's own error
            raise Transient("Last.fm cannot be reached") from None
        return [Answer(request.key, OK if tags else NOT_FOUND, json.dumps(tags, ensure_ascii=False))]
