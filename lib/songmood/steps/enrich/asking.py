"""Asking a service for what files lack: each request once, at its pace, for as long as it lets us.

What a service is, is in lastfm.py, spotify.py, reccobeats.py and genius.py; what it answered, in cache.py.
Requests go from the driver, by a few threads: limits are for an address or an app, so executors would
not help.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)
from tqdm import tqdm

from songmood.settings import FetchSettings
from songmood.steps.enrich.cache import PERMANENT, TRANSIENT, Answer, RequestCache
from songmood.steps.enrich.gate import Gate, Refused, Spent, Transient


class Request(NamedTuple):
    """What is asked for one song: `key` names it in the cache, `attempts` were made by earlier runs."""

    key: str
    artist: str | None
    title: str | None
    attempts: int


class Malformed(Exception):
    """The service takes a request for nonsense; of a batch, some request in it."""

    def __init__(self, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.attempts = 1  # up to the one that was understood so far as to be refused


class Service(Protocol):
    """One service; a request is for up to `batch` songs."""

    name: str
    batch: int
    gate: Gate

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The answers to requests, in any order. Raises Transient, Refused, Malformed or Spent."""


@dataclass
class Outcome:
    """How asking a service went; `stopped` says why it ended before all was asked."""

    statuses: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None


def fetch_answers(
    service: Service, requests: Iterable[Request], total: int, cache: RequestCache, settings: FetchSettings
) -> Outcome:
    """Ask a service and keep every answer, until all is asked, the budget is spent or it refuses.

    A request that fails is tried again conf.tries times, after what Retry-After says (at most
    conf.max_wait_s; a longer pause stops the service for this run), and then kept as transient: the next
    run asks again. After conf.max_failures such ones in a row the service counts as down.
    """
    outcome = Outcome()
    failures = 0
    batches = _batches(requests, service.batch)
    # a line a minute where nobody watches
    every = 0.5 if sys.stderr.isatty() else 60.0
    with (
        ThreadPoolExecutor(settings.threads) as pool,
        tqdm(
            total=total, desc=f"{'':<18}{service.name}", unit=" songs", mininterval=every, leave=False
        ) as shown,
    ):
        asking: set[Future[list[Answer]]] = {
            pool.submit(_ask, service, batch, settings)
            for batch in itertools.islice(batches, settings.threads)
        }
        try:
            while asking:
                done, asking = wait(asking, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        answers = future.result()
                    except (Refused, Spent, _Down) as error:
                        service.gate.closed.set()
                        outcome.stopped = outcome.stopped or str(error)
                        continue
                    for answer in answers:
                        cache.add(service.name, answer)
                        outcome.statuses[answer.status] += 1
                        failures = failures + 1 if answer.status == TRANSIENT else 0
                    shown.update(len(answers))
                    if failures >= settings.max_failures and outcome.stopped is None:
                        service.gate.closed.set()
                        outcome.stopped = f"{failures} requests in a row failed: {answers[-1].last_error}"
                    if outcome.stopped is None:
                        asking |= {
                            pool.submit(_ask, service, batch, settings)
                            for batch in itertools.islice(batches, 1)
                        }
        finally:
            service.gate.closed.set()  # whatever ends this, no thread waits on
    return outcome


class _Down(Exception):
    """The service wants a longer pause than we allow it."""


def _ask(service: Service, requests: list[Request], settings: FetchSettings) -> list[Answer]:
    try:
        answers = _retry(service, requests, settings)
    except Malformed as error:
        if len(requests) == 1:
            tried = requests[0].attempts + error.attempts
            return [_failed(requests[0], PERMANENT, tried, str(error), error.http_status)]
        half = len(requests) // 2  # one of them spoils the batch: look for it
        return _ask(service, requests[:half], settings) + _ask(service, requests[half:], settings)
    before = {request.key: request.attempts for request in requests}
    return [replace(answer, attempts=before[answer.request] + answer.attempts) for answer in answers]


def _retry(service: Service, requests: list[Request], settings: FetchSettings) -> list[Answer]:
    usual = wait_exponential_jitter(initial=1, max=settings.max_wait_s)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Transient) else None
        if asked is not None and asked > settings.max_wait_s:
            raise _Down(f"it asks for a pause of {asked:,.0f} s, more than fetch.max_wait_s allows")
        seconds = usual(state) if asked is None else asked
        if asked is not None:
            service.gate.pause(seconds)  # for every thread
        return seconds

    retrying = Retrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(settings.tries),
        wait=pause,
        sleep=service.gate.rest,
        reraise=True,
    )
    try:
        answers: list[Answer] = retrying(_ask_once, service, requests)
    except Malformed as error:
        error.attempts = retrying.statistics.get("attempt_number", 1)
        raise
    except Transient as error:
        return [
            _failed(request, TRANSIENT, settings.tries, str(error), error.http_status) for request in requests
        ]
    tried = retrying.statistics.get("attempt_number", 1)
    return [replace(answer, attempts=tried) for answer in answers]


def _ask_once(service: Service, requests: list[Request]) -> list[Answer]:
    try:
        return service.ask(requests)
    except (Transient, Refused, Malformed, Spent):
        raise
    except Exception as error:  # what clients raise over an answer they did not foresee; it may quote a key
        raise Transient(f"the answer of {service.name} cannot be read: {type(error).__name__}") from None


def _failed(request: Request, status: str, attempts: int, error: str, http_status: int | None) -> Answer:
    return Answer(request.key, status, None, http_status, attempts, error)


def _batches(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    waiting = iter(requests)
    while batch := list(itertools.islice(waiting, size)):
        yield batch
