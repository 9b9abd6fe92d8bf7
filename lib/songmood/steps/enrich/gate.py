"""The gate that every request to a service passes: its pace, its budget, and what its answer means.

The clients hide what matters (a 403 as 'no lyrics', a Retry-After, a page of HTML under status 200), so
their connections are ours: an adapter for requests here, and a transport for pylast in lastfm.py.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from pyrate_limiter import Limiter, Rate
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as ConnectionFault

USER_AGENT = "songmood (https://github.com/songmood/songmood)"
_MARGIN = 1.05  # requests leave a little apart, so that none catch up on the way


class Transient(Exception):
    """No answer now; later perhaps. `retry_after` is what the service asks to wait, in seconds."""

    def __init__(
        self, message: str, http_status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.http_status, self.retry_after = http_status, retry_after


class Refused(Exception):
    """The service does not want us: a wrong key, or an end to its patience. Nothing more is asked."""


class Spent(Exception):
    """The run's requests or its time are used up."""


@dataclass
class Budget:
    """How much a run may ask, of all services together. None is no limit."""

    requests: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        self.asked = 0
        self._end = None if self.seconds is None else time.monotonic() + self.seconds
        self._lock = threading.Lock()

    def take(self) -> None:
        """Count a request. Raises Spent if it is one too many or too late."""
        with self._lock:
            if self.requests is not None and self.asked >= self.requests:
                raise Spent(f"{self.requests:,} requests are made, as many as fetch.max_requests allows")
            if self._end is not None and time.monotonic() >= self._end:
                raise Spent("the time that fetch.max_minutes allows is over")
            self.asked += 1


class Gate:
    """One service's pace. Requests go one at a time, evenly, and none while the service wants a pause."""

    def __init__(self, requests_per_second: float, budget: Budget, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._budget = budget
        interval_ms = max(1, round(1000 * _MARGIN / requests_per_second))
        self._limiter = Limiter(Rate(1, interval_ms), buffer_ms=0)
        self._paused_until = 0.0
        self._turn = threading.Lock()
        self.closed = threading.Event()

    def enter(self) -> None:
        """Wait for the next request's turn. Raises Spent when there is none."""
        with self._turn:
            while True:
                if self.closed.is_set():
                    raise Spent("stopped")
                pause = self._paused_until - time.monotonic()
                if pause <= 0:
                    break
                self.closed.wait(min(pause, 1.0))
            self._budget.take()
            self._limiter.try_acquire("request")

    def pause(self, seconds: float) -> None:
        """Let no request go for so long."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def rest(self, seconds: float) -> None:
        """Wait, unless the gate closes."""
        self.closed.wait(seconds)

    def session(self, html: str | None = None) -> requests.Session:
        """A session for requests-based clients; under the address `html` pages are expected."""
        session = requests.Session()
        session.headers["User-Agent"] = USER_AGENT
        adapter = _Adapter(self, html)
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        return session


class _Adapter(HTTPAdapter):
    def __init__(self, gate: Gate, html: str | None) -> None:
        super().__init__()
        self._gate, self._html = gate, html

    def send(self, request: Any, *_: Any, **options: Any) -> requests.Response:
        """One request, when its turn has come. Raises what judge raises, and Spent."""
        self._gate.enter()
        options["timeout"] = self._gate.timeout_s
        try:
            response = super().send(request, **options)
        except (requests.RequestException, ConnectionFault, OSError) as error:
            raise Transient(unreached(request.url, error)) from None
        page = self._html is not None and str(request.url).startswith(self._html)
        judge(response.status_code, response.headers, request.url, page)
        try:
            response.content  # noqa: B018  # read now: a connection cut later would raise elsewhere
        except (requests.RequestException, ConnectionFault, OSError) as error:
            raise Transient(unreached(request.url, error)) from None
        return response


def judge(status: int, headers: Any, url: Any, page: bool) -> None:
    """Raise what an answer's status and kind mean, unless it is to be read."""
    place = str(url).split("?")[0]
    if status in (401, 403):
        raise Refused(f"{place} answers {status}")
    if status in (408, 425, 429) or status >= 500:
        raise Transient(f"{place} answers {status}", status, _seconds(headers.get("Retry-After")))
    if not page and "html" in str(headers.get("Content-Type", "")).lower():
        raise Transient(f"{place} answers {status} with a page instead of data", status)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds, from a number or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def unreached(url: Any, error: Exception) -> str:
    """What to say of a connection that failed; nothing of the request."""
    return f"{str(url).split('?')[0]} is not reached: {type(error).__name__}"
