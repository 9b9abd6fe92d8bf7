"""Asking a service for what files lack: each request once, at the service's pace, for as long as it answers.

Requests are sent from the driver by a few threads. The limits of services are for an address or an app, so
executors would not help.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from songmood.engine.terminal import progress_bar
from songmood.settings import FetchSettings
from songmood.steps.enrich.cache import RequestCache
from songmood.steps.enrich.gate import Malformed, Refused, Spent, Transient
from songmood.steps.enrich.service import PERMANENT, TRANSIENT, Answer, Request, Service


@dataclass
class Outcome:
    """How asking a service went. `stopped` says why it ended before all requests were sent, if it did."""

    statuses: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    failures: int = 0  # requests in a row that failed, up to the last answer

    def count(self, answers: Iterable[Answer]) -> None:
        """Count answers, in the order in which they came."""
        for answer in answers:
            self.statuses[answer.status] += 1
            self.failures = self.failures + 1 if answer.status == TRANSIENT else 0


def fetch_answers(
    service: Service, requests: Iterable[Request], total: int, cache: RequestCache, settings: FetchSettings
) -> Outcome:
    """Ask a service and keep every answer, until no request is left, the budget is spent or it refuses.

    A request that fails is tried settings.tries times in all, each time after the pause of Retry-After. A
    pause of more than settings.max_wait_s ends the asking of this service. After the last try it is kept as
    transient, and the next run asks again. After settings.max_failures such requests in a row the service
    counts as down.
    """
    outcome = Outcome()
    batches = _batches(requests, service.batch)
    with (
        ThreadPoolExecutor(settings.threads) as pool,
        progress_bar(service.name, total, " songs") as progress,
    ):

        def send(count: int) -> set[Future[list[Answer]]]:
            return {pool.submit(_ask, service, batch, settings) for batch in itertools.islice(batches, count)}

        under_way = send(settings.threads)
        try:
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                answers = [answer for future in done for answer in _result(future, outcome)]
                cache.add(service.name, answers)
                outcome.count(answers)
                progress.update(len(answers))
                if outcome.failures >= settings.max_failures and outcome.stopped is None:
                    last_error = answers[-1].last_error
                    outcome.stopped = f"{outcome.failures} requests in a row failed: {last_error}"
                if outcome.stopped is None:
                    under_way |= send(len(done))
                else:
                    service.gate.closed.set()
        finally:
            service.gate.closed.set()  # no thread goes on waiting, whatever ends the asking
    return outcome


def _result(future: Future[list[Answer]], outcome: Outcome) -> list[Answer]:
    """The answers of a thread; none if it found the end of asking, which `outcome` then says."""
    try:
        return future.result()
    except (Refused, Spent, _Down) as error:
        outcome.stopped = outcome.stopped or str(error)
        return []


class _Down(Exception):
    """The service wants a longer pause than settings.max_wait_s."""


def _ask(service: Service, requests: list[Request], settings: FetchSettings) -> list[Answer]:
    try:
        answers = _retry(service, requests, settings)
    except Malformed as error:
        if len(requests) == 1:
            attempts = requests[0].attempts + error.attempts
            return [_failed(requests[0], PERMANENT, attempts, str(error), error.http_status)]
        half = len(requests) // 2  # some request spoils the batch: look for it
        return _ask(service, requests[:half], settings) + _ask(service, requests[half:], settings)
    earlier = {request.key: request.attempts for request in requests}
    return [replace(answer, attempts=earlier[answer.request] + answer.attempts) for answer in answers]


def _retry(service: Service, requests: list[Request], settings: FetchSettings) -> list[Answer]:
    default_pause = wait_exponential_jitter(initial=1, max=settings.max_wait_s)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = error.retry_after if isinstance(error, Transient) else None
        if seconds is None:
            return default_pause(state)
        if seconds > settings.max_wait_s:
            raise _Down(f"it wants a pause of {seconds:,.0f} s, longer than fetch.max_wait_s")
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
    attempts = retrying.statistics.get("attempt_number", 1)
    return [replace(answer, attempts=attempts) for answer in answers]


def _ask_once(service: Service, requests: list[Request]) -> list[Answer]:
    try:
        return service.ask(requests)
    except (Transient, Refused, Malformed, Spent):
        raise
    except Exception as error:  # a client meets an answer it does not expect; the error may quote a key
        raise Transient(f"the answer of {service.name} cannot be read: {type(error).__name__}") from None


def _failed(request: Request, status: str, attempts: int, error: str, http_status: int | None) -> Answer:
    return Answer(request.key, status, None, http_status, attempts, error)


def _batches(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    left = iter(requests)
    while batch := list(itertools.islice(left, size)):
        yield batch
