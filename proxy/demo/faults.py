"""The fault switch: how the servers misbehave, by endpoint, until ``clear``.

Endpoints are ``token``, ``keys``, ``metadata``, ``introspect``, ``authorize`` and ``api`` (the sample API).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_GARBAGE = {
    "html": b"<!doctype html><title>Bad gateway</title><h1>502</h1>",
    "truncated": b'{"token_type":"Bearer","expires_in":3600,"access_token":"eyJra',
    "empty": b"",
    "null": b"null",
    "deep": b"[" * 100_000,
}


@dataclass
class Answer:
    """What is sent instead of the right answer, ``times`` times (None: always)."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None


class Faults:
    """Everything that can go wrong; nothing does until it is asked for."""

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Event] = {}
        self.clear()

    def clear(self) -> None:
        """Puts everything right again."""
        self.clock_offset = 0.0  # s that the servers' clock is ahead
        self.claims: dict[str, Any] = {}  # put over an issued token's claims; None leaves one out
        self.members: dict[str, Any] = {}  # put over the token answer's members; None leaves one out
        self.limited_users: set[str] = set()  # logins over Okta's limit for one user
        self.rate_limit_remaining = 299
        self.keys_cache_control = "max-age=3600, must-revalidate"
        self._delays: dict[str, float] = {}
        self._answers: dict[str, Answer] = {}
        for endpoint in list(self._gates):
            self.release(endpoint)

    def slow(self, endpoint: str, seconds: float) -> None:
        """Answers come that much later."""
        self._delays[endpoint] = seconds

    def hold(self, endpoint: str) -> None:
        """Requests wait until ``release``."""
        self._gates[endpoint] = asyncio.Event()

    def release(self, endpoint: str) -> None:
        """The requests that wait go on."""
        self._gates.pop(endpoint).set()

    def fail(self, endpoint: str, status: int = 503, *, times: int | None = None) -> None:
        """Answers that status with Okta's own kind of error body."""
        body = {
            "error": "server_error",
            "error_description": "The authorization server encountered an error.",
        }
        self.refuse(endpoint, status, body, times=times)

    def refuse(
        self,
        endpoint: str,
        status: int,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Answers ``body`` as JSON."""
        sent = {"content-type": "application/json", **(headers or {})}
        self.answer(endpoint, Answer(status, json.dumps(body).encode(), sent, times))

    def rate_limit(self, *, reset_in: float = 3.0, endpoint: str = "token", times: int | None = None) -> None:
        """The org's bucket is empty: 429 in the shape of Okta's management API, no ``error`` member."""
        summary = "API call exceeded rate limit due to too many requests."
        body = {"errorCode": "E0000047", "errorSummary": summary, "errorLink": "E0000047", "errorCauses": []}
        reset = str(int(time.time() + self.clock_offset + reset_in))
        limits = {"x-rate-limit-limit": "300", "x-rate-limit-remaining": "0", "x-rate-limit-reset": reset}
        self.refuse(endpoint, 429, body, headers=limits, times=times)

    def garbage(
        self, endpoint: str, kind: str = "html", *, size: int = 2 << 20, times: int | None = None
    ) -> None:
        """Answers 200 with what is not an answer: html, truncated, empty, null, deep, or huge (``size`` bytes)."""
        body = json.dumps({"access_token": "x" * size}).encode() if kind == "huge" else _GARBAGE[kind]
        content_type = "text/html" if kind == "html" else "application/json"
        self.answer(endpoint, Answer(200, body, {"content-type": content_type}, times))

    def redirect(self, endpoint: str, location: str, *, status: int = 307) -> None:
        """Sends the caller elsewhere."""
        self.answer(endpoint, Answer(status, b"", {"location": location}))

    def answer(self, endpoint: str, answer: Answer) -> None:
        """Answers just that."""
        self._answers[endpoint] = answer

    async def pass_through(self, endpoint: str) -> Answer | None:
        """Waits as told; what to answer instead of the right thing, if anything."""
        if gate := self._gates.get(endpoint):
            await gate.wait()
        if delay := self._delays.get(endpoint):
            await asyncio.sleep(delay)
        answer = self._answers.get(endpoint)
        if answer is not None and answer.times is not None:
            answer.times -= 1
            if answer.times <= 0:
                del self._answers[endpoint]
        return answer


class Calls(Counter[str]):
    """Counts of calls by endpoint, and of token requests by grant; one can wait for a number."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def count(self, name: str) -> None:
        """One more."""
        self[name] += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def reach(self, name: str, number: int) -> None:
        """Returns once that many calls have come."""
        while self[name] < number:
            await self._changed.wait()
