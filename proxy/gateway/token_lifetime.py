"""``on_token_expiry: close``: what was begun with an access token ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from ..authentication.subject_token import SubjectToken
from ..errors import UpstreamBroken
from ..exchange.token_exchange import AccessToken
from ..runtime import Clock


class Lifetime:
    """How long a response or websocket may last, by the wall clock at its beginning."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def left(self, access_token: AccessToken | None, subject_token: SubjectToken | None) -> float | None:
        """Seconds until the access token ends, or else the subject token, where it was not told; None: no end."""
        if access_token is not None and access_token.expires_at is not None:
            return access_token.expires_at - self._clock.time()
        return None if subject_token is None else subject_token.expires_at - self._clock.time()


async def cut_after(seconds: float | None, relay: Awaitable[None]) -> None:
    """Run ``relay`` for at most ``seconds``; UpstreamBroken then, so that what was sent is cut off visibly."""
    try:
        async with asyncio.timeout(seconds):
            await relay
    except TimeoutError as error:
        raise UpstreamBroken("the access token has ended") from error
