"""Last.fm, Spotify, ReccoBeats and Genius on 127.0.0.1, in their own formats, as faulty as a test wants.

One server answers for all, by path. It knows a small world of songs (song N by artist N), and it counts the
requests and their times. It can be told to fail a share of requests, each request in the same way every time.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from songmood.audio import AUDIO_FEATURES
from songmood.steps.enrich.services import SERVICES

KEY, CLIENT, SECRET, TOKEN = "lastfm-key-123", "client-id-123", "client-secret-123", "genius-token-123"
ENVIRONMENT = {
    "LASTFM_API_KEY": KEY,
    "SPOTIFY_CLIENT_ID": CLIENT,
    "SPOTIFY_CLIENT_SECRET": SECRET,
    "GENIUS_ACCESS_TOKEN": TOKEN,
}
MALFORMED = "malformed"  # in a title: Last.fm cannot make sense of the request
NOT_HERE = "unknown"  # in a title or artist: no service knows the song
Reply = tuple[int, dict[str, str], str]


def spotify_id(number: int, unknown: bool = False) -> str:
    return f"{'U' if unknown else 'S'}{number:021}"


@dataclass
class FakeServices:
    """The server's behavior, and the requests it saw. `respond`, if set, may answer in its place."""

    port: int = 0
    transient_share: float = 0.0
    respond: Callable[[str, str], Reply | None] | None = None
    hits: Callable[[str], list[tuple[str, str]]] | None = None
    page: Callable[[str], str] | None = None
    seen: list[tuple[float, str]] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **changes: float) -> list[str]:
        """--set settings that send the requests of every service here, at a quick pace."""
        urls = {
            "lastfm.url": "/2.0/",
            "spotify.url": "/v1/",
            "spotify.token_url": "/token",
            "reccobeats.url": "/recco/",
            "genius.url": "/genius-api/",
            "genius.web_url": "/pages/",
        }
        quick = {f"{name}.per_second": 100 for name in SERVICES}
        quick |= {"max_wait_s": 1, "timeout_s": 10, "threads": 2}
        values = {**{name: self.url + path for name, path in urls.items()}, **quick, **changes}
        return [f"fetch.{name}={value}" for name, value in values.items()]

    def asked(self, path: str) -> list[str]:
        """The requests to a path, in order."""
        return [request for _, request in self.seen if request.startswith(path)]

    def most_in_a_second(self) -> int:
        """The most requests served in any one-second window."""
        times = sorted(when for when, _ in self.seen)
        return max(
            (sum(start <= t < start + 1 for t in times[i : i + 500]) for i, start in enumerate(times)),
            default=0,
        )


@contextmanager
def fake_services(**options: object) -> Iterator[FakeServices]:
    fake = FakeServices(**options)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply("")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

        def _reply(self, body: str) -> None:
            path = unquote(self.path)
            request = f"{path} {body}".strip()
            with fake.lock:
                fake.seen.append((time.monotonic(), request))
                fake.tried[request] += 1
            reply = fake.respond(path, body) if fake.respond else None
            status, headers, text = reply or _transient(fake, request) or answer(fake, path, body)
            if status == 0:  # cut
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
                return
            data = text.encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that stops reading is normal
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


def _transient(fake: FakeServices, request: str) -> Reply | None:
    """A fault for some requests, at their first attempt."""
    share = int(hashlib.sha256(request.encode()).hexdigest()[:8], 16) / 16**8
    if share >= fake.transient_share or fake.tried[request] > 1 or request.startswith("/token"):
        return None
    kinds: list[Reply] = [
        (503, {}, "busy"),
        (429, {"Retry-After": "0"}, "slow down"),
        (200, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
        (0, {}, ""),
    ]
    return kinds[int(share * 1e6) % len(kinds)]


def answer(fake: FakeServices, path: str, body: str) -> Reply:
    """What the services answer if nothing is wrong."""
    parts = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(parts.query or body).items()}
    if parts.path == "/2.0/":
        return _lastfm(query)
    if parts.path == "/token":
        return 200, {}, json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
    if parts.path.startswith("/v1/audio-features"):
        return _spotify(query["ids"].split(","))
    if parts.path == "/recco/audio-features":
        return _reccobeats(query["ids"].split(","))
    if parts.path == "/genius-api/search":
        return _search(fake, query["q"])
    if parts.path.startswith("/pages/"):
        return _page(fake, parts.path)
    return 404, {}, "{}"


def _lastfm(query: dict[str, str]) -> Reply:
    xml = {"Content-Type": "text/xml"}
    if query["api_key"] != KEY:
        return 403, xml, '<lfm status="failed"><error code="10">Invalid API key</error></lfm>'
    if NOT_HERE in query["track"]:
        return 404, xml, '<lfm status="failed"><error code="6">Track not found</error></lfm>'
    if MALFORMED in query["track"]:
        return 400, xml, '<lfm status="failed"><error code="7">Invalid resource specified</error></lfm>'
    tags = "".join(
        f"<tag><name>{name}</name><count>{count}</count><url>u</url></tag>"
        for name, count in (("Happy", 100), ("pop &amp; rock", 40), (html.escape(query["track"]), 7))
    )
    return 200, xml, f'<lfm status="ok"><toptags>{tags}</toptags></lfm>'


def number_of(id_: str) -> int:
    """The number in an id of spotify_id; some number for any other id."""
    return int(id_[1:]) if id_[1:].isdigit() else len(set(id_))


def features(number: int) -> dict[str, float]:
    whole = {"key": 5, "mode": 1, "time_signature": 4, "tempo": 120, "loudness": -7}
    return {name: whole.get(name, number % 100 / 100) for name in AUDIO_FEATURES}


def _spotify(ids: list[str]) -> Reply:
    if not all(re.fullmatch("[0-9A-Za-z]{22}", id_) for id_ in ids) or len(ids) > 100:
        return 400, {}, json.dumps({"error": {"status": 400, "message": "invalid id"}})
    rows = [None if id_.startswith("U") else {"id": id_, **features(number_of(id_))} for id_ in ids]
    return 200, {}, json.dumps({"audio_features": rows})


def _reccobeats(ids: list[str]) -> Reply:
    rows = [
        {"id": "own", "href": f"https://open.spotify.com/track/{id_}", **features(number_of(id_))}
        for id_ in reversed(ids)
        if not id_.startswith("U")
    ]
    return 200, {}, json.dumps({"content": rows})


def _search(fake: FakeServices, words: str) -> Reply:
    if fake.hits is not None:
        hits = fake.hits(words)
    elif NOT_HERE in words:
        hits = []
    else:
        title, _, artist = words.partition(" Artist")
        hits = [(f"{title} Reprise", f"Artist{artist}"), (title, f"Artist{artist}")]
    rows = [
        {
            "type": "song",
            "result": {
                "title": title,
                "primary_artist": {"name": artist},
                "url": f"https://genius.com/{title.replace(' ', '-')}",
            },
        }
        for title, artist in hits
    ]
    return 200, {}, json.dumps({"meta": {"status": 200}, "response": {"hits": rows}})


def lyrics_of(title: str) -> list[str]:
    return [f"a line of {title}", "another line sung here", "and a third one for the end"]


def _page(fake: FakeServices, path: str) -> Reply:
    title = path.removeprefix("/pages/").replace("-", " ")
    if fake.page is not None:
        body = fake.page(title)
    else:
        body = "[Verse 1]<br/>" + "<br/>".join(map(html.escape, lyrics_of(title)))
    page = f'<html><body><div data-lyrics-container="true">{body}</div></body></html>'
    return 200, {"Content-Type": "text/html; charset=utf-8"}, page
