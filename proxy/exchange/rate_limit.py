"""The rate limit of an authorization server: read from its answers, kept for all who want to call it.

Okta names its limit in every answer (X-Rate-Limit-Limit, -Remaining, -Reset) and sends no Retry-After
(RFC 9110 §10.2.3) with its 429s; other servers do the opposite.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from cachetools import TTLCache

from ..errors import AuthorizationServerThrottled
from ..runtime import Clock
from .answer import Answer, parse_date
from .oauth_errors import PER_USER_RETRY_AFTER

SHORTEST, LONGEST = 1.0, 120.0  # s: the bounds of a server's wish to be left alone
SCARCE = 0.1  # of the limit: below this, calls are spread over the time that is left
MOST_PAUSES = 10_000  # users at once; each for a second


@dataclass(frozen=True, slots=True)
class RateLimit:
    """As the last answer told: calls a window, calls left, and when the next window begins (epoch s, ours)."""

    limit: int
    remaining: int
    resets_at: float


class RateGate:
    """Closed for everybody from the moment one call was told to wait."""

    def __init__(self, clock: Clock, scarce: float = SCARCE) -> None:
        self.rate_limit: RateLimit | None = None
        self._clock = clock
        self._scarce = scarce
        self._opens_at = 0.0  # monotonic
        self._next_slot = 0.0  # monotonic

    def closed_for(self) -> float:
        """Seconds until calls may be made again; 0 while they may."""
        return max(0.0, self._opens_at - self._clock.monotonic())

    def take_slot(self, patience: float) -> float | None:
        """Seconds that the next call should wait, so that what is left of the limit lasts until the reset.

        None, and nothing taken, where they are more than ``patience``.
        """
        limit = self.rate_limit
        left = 0.0 if limit is None else limit.resets_at - self._clock.time()
        if limit is None or left <= 0 or limit.remaining >= limit.limit * self._scarce:
            return 0.0
        now = self._clock.monotonic()
        slot = max(now, self._next_slot)
        if slot - now > patience:
            return None
        self._next_slot = slot + min(left, LONGEST) / (limit.remaining + 1)
        return slot - now

    def observe(self, answer: Answer, *, per_user: bool = False) -> None:
        """Learn from an answer; a 429 closes the gate, unless one user alone is meant, and so may a 503."""
        self.rate_limit = self._parse_rate_limit(answer) or self.rate_limit
        if answer.status not in (429, 503):
            return
        wait = self._parse_wait(answer)
        if (answer.status == 429 and not per_user) or (answer.status == 503 and wait is not None):
            wait = min(max(SHORTEST if wait is None else wait, SHORTEST), LONGEST)
            self._opens_at = max(self._opens_at, self._clock.monotonic() + wait)

    def _parse_rate_limit(self, answer: Answer) -> RateLimit | None:
        if "x-rate-limit-limit" not in answer.headers:
            return None
        limit, remaining, reset = (
            _parse_integer(answer.headers.get(f"x-rate-limit-{name}"))
            for name in ("limit", "remaining", "reset")
        )
        if limit is None or remaining is None or reset is None:
            return None
        return RateLimit(limit, remaining, self._clock.time() + reset - self._server_time(answer))

    def _parse_wait(self, answer: Answer) -> float | None:
        retry_after = answer.headers.get("retry-after", "")
        if (seconds := _parse_integer(retry_after)) is not None:
            return float(seconds)
        if (until := parse_date(retry_after)) is not None:
            return until - self._server_time(answer)
        reset = _parse_integer(answer.headers.get("x-rate-limit-reset"))
        # Okta's 503 names the window's reset too; it is a reason to wait only where nothing is left of it.
        spent = answer.headers.get("x-rate-limit-remaining", "0") == "0"
        if reset is None or not (answer.status == 429 or spent):
            return None
        return reset - self._server_time(answer)

    def _server_time(self, answer: Answer) -> float:
        """Its own clock where it tells: ours may differ by more than the wait."""
        return self._clock.time() if answer.date is None else answer.date


class UserPauses:
    """The server limits some users by themselves: it is not asked for them for ``PER_USER_RETRY_AFTER`` seconds."""

    def __init__(self, clock: Clock) -> None:
        self._pauses: TTLCache[Hashable, None] = TTLCache(
            MOST_PAUSES, PER_USER_RETRY_AFTER, timer=clock.monotonic
        )
        self._clock = clock
        self._last_end = 0.0  # monotonic: when all of them will be over

    def begin(self, asker: Hashable) -> None:
        """The server has said that ``asker`` asks too often."""
        self._pauses[asker] = None
        self._last_end = self._clock.monotonic() + PER_USER_RETRY_AFTER

    def check(self, asker: Hashable) -> None:
        """Raises AuthorizationServerThrottled while ``asker`` is to wait."""
        if self._clock.monotonic() <= self._last_end and asker in self._pauses:
            raise AuthorizationServerThrottled(
                "held back: this user asked too often", retry_after=PER_USER_RETRY_AFTER
            )


def _parse_integer(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 12 else None
