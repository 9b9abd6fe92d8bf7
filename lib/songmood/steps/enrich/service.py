"""What a service is: it is asked with requests, and gives an answer to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from songmood.steps.enrich.gate import Gate

# The statuses of answers.
OK, NOT_FOUND, NO_MATCH, TRANSIENT, PERMANENT = "ok", "not_found", "no_match", "transient", "permanent"


class Request(NamedTuple):
    """A question about one song.

    `key` names it in the cache, and `attempts` counts the attempts of earlier runs.
    """

    key: str
    artist: str | None
    title: str | None
    attempts: int


@dataclass(frozen=True)
class Answer:
    """What a service answered to one request.

    `content` is JSON, of the statuses ok and no_match. `attempts` counts all attempts so far.
    """

    request: str
    status: str
    content: str | None = None
    http_status: int | None = None
    attempts: int = 1
    last_error: str | None = None


class Service(Protocol):
    """A service that is ready to be asked about up to `batch` songs at a time."""

    name: str
    batch: int
    gate: Gate

    def ask(self, requests: list[Request]) -> list[Answer]:
        """The answers to requests, in any order. Raises Transient, Refused, Malformed or Spent."""
