"""The gate that every request to a service passes: its pace, the run's budget, and what its status means.

The clients hide what matters (a 403 looks like 'no lyrics', Retry-After is lost, and HTML comes with status
200). So their connections are ours: an adapter for requests here, and a transport for pylast in lastfm.py.
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
_MARGIN = 1.05  # of the interval between requests, since some travel faster than others


class Transient(Exception):
    """No answer now, perhaps later. `retry_after` is how many seconds the service asks us to wait."""

    def __init__(
        self, message: str, http_status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.http_status, self.retry_after = http_status, retry_after


class Refused(Exception):
    """The service refuses us: the key is wrong, or we are blocked. It is asked nothing more in this run."""


class Malformed(Exception):
    """The service cannot make sense of a request, or of some request in a batch."""

    def __init__(self, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.attempts = 1  # including the attempt that was refused


class Spent(Exception):
    """The run has no requests or no time left."""


@dataclass
class Budget:
    """How many requests and seconds a run has, for all services together. None means no limit."""

    requests: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        self.asked = 0
        self._end = None if self.seconds is None else time.monotonic() + self.seconds
        self._lock = threading.Lock()

    def spend(self) -> None:
        """Count a request. Raises Spent if no request or no time is left."""
        with self._lock:
            if self.requests is not None and self.asked >= self.requests:
                raise Spent(f"{self.requests:,} requests were made, the limit of fetch.max_requests")
            if self._end is not None and time.monotonic() >= self._end:
                raise Spent("the time limit of fetch.max_minutes has passed")
            self.asked += 1


class Gate:
    """One service's pace: requests are sent one by one, evenly, and none while the service wants a pause."""

    def __init__(self, requests_per_second: float, budget: Budget, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._budget = budget
        interval_ms = max(1, round(1000 * _MARGIN / requests_per_second))
        self._limiter = Limiter(Rate(1, interval_ms), buffer_ms=0)
        self._paused_until = 0.0
        self._turn = threading.Lock()
        self.closed = threading.Event()

    def enter(self) -> None:
        """Wait until the next request may be sent. Raises Spent if none may be sent."""
        with self._turn:
            while True:
                if self.closed.is_set():
                    raise Spent("stopped")
                pause = self._paused_until - time.monotonic()
                if pause <= 0:
                    break
                self.closed.wait(min(pause, 1.0))
            self._budget.spend()
            self._limiter.try_acquire("request")

    def pause(self, seconds: float) -> None:
        """Send no request for this time."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def rest(self, seconds: float) -> None:
        """Wait, but no longer than until the gate is closed."""
        self.closed.wait(seconds)

    def session(self, html: str | None = None) -> requests.Session:
        """A session for clients that use requests. Addresses that begin with `html` answer with pages."""
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
        """Send a request when its turn has come. Raises Spent and the errors of judge."""
        self._gate.enter()
        options["timeout"] = self._gate.timeout_s
        try:
            response = super().send(request, **options)
        except (requests.RequestException, ConnectionFault, OSError) as error:
            raise Transient(unreached(request.url, error)) from None
        page = self._html is not None and str(request.url).startswith(self._html)
        judge(response.status_code, response.headers, request.url, page)
        try:
            response.content  # noqa: B018  # read now, so that a connection that is cut raises here
        except (requests.RequestException, ConnectionFault, OSError) as error:
            raise Transient(unreached(request.url, error)) from None
        return response


def judge(status: int, headers: Any, url: Any, page: bool) -> None:
    """Raise the error that an answer's status or kind stands for; return if the answer can be read."""
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
    """The message about a connection that failed. It quotes nothing of the request, which may hold a key."""
    return f"{str(url).split('?')[0]} cannot be reached: {type(error).__name__}"
