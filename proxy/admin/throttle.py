"""How often tokens may be inspected: each time is a real exchange, and the server's rate limit is everybody's."""

from __future__ import annotations

import math

from ..http.asgi import ASGIApp, Receive, Scope, Send
from ..runtime import Clock
from .refusal import Refused

PATHS = frozenset({"/inspect", "/api/inspect"})
AT_ONCE = 4  # where the server answers slowly
BURST = 15  # a person who tries things out …
RATE = 1.0  # … and a second thereafter: Okta gives one app some 10 exchanges a second at most


class Throttle:
    """ASGI middleware: 429 to inspections beyond a token bucket of ``BURST``, or while ``AT_ONCE`` are made."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._left = float(BURST)
        self._filled_at = clock.monotonic()
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in PATHS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        wait = self._take()
        if wait > 0:
            seconds = {"retry-after": str(math.ceil(wait))}
            refusal = Refused(
                429, "Too many inspections: each makes an exchange. Try again in a moment.", seconds
            )
            await refusal.answer()(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1

    def _take(self) -> float:
        """0 where one may be made now; else the seconds until it may, and nothing is taken."""
        now = self._clock.monotonic()
        self._left = min(BURST, self._left + (now - self._filled_at) * RATE)
        self._filled_at = now
        if self._running >= AT_ONCE:
            return 1 / RATE
        if self._left < 1:
            return (1 - self._left) / RATE
        self._left -= 1
        return 0.0
