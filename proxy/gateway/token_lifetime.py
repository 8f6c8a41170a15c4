"""``on_token_expiry: close``: what was begun with an access token ends with it, or with the user's access."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from ..authentication.subject_token import SubjectToken
from ..errors import UpstreamBroken
from ..exchange.token_exchange import AccessToken
from ..runtime import Clock
from ..websockets.closing import CloseCode, Closed
from .open_streams import OpenStreams

_REVOKED = "the user's access was revoked"


class Lifetime:
    """How long a response or websocket may last: by the wall clock at its beginning, and while the user has access."""

    def __init__(self, clock: Clock, streams: OpenStreams) -> None:
        self.clock = clock
        self._streams = streams

    def left(self, access_token: AccessToken | None, subject_token: SubjectToken | None) -> float | None:
        """Seconds until the access token ends, or else the subject token, where it was not told; None: no end."""
        if access_token is not None and access_token.expires_at is not None:
            return access_token.expires_at - self.clock.time()
        return None if subject_token is None else subject_token.expires_at - self.clock.time()

    async def cut_after(
        self, seconds: float | None, subject_token: SubjectToken | None, relay: Awaitable[None]
    ) -> None:
        """Run ``relay`` for at most ``seconds``; UpstreamBroken then, so that what was sent is cut off visibly."""
        reason = "the access token has ended"
        try:
            async with asyncio.timeout(seconds) as timeout:

                def cut() -> None:
                    nonlocal reason
                    if not timeout.expired():
                        reason = _REVOKED
                        timeout.reschedule(0.0)

                with self._streams.open(subject_token, cut):
                    await relay
        except TimeoutError as error:
            raise UpstreamBroken(reason) from error

    @contextmanager
    def until_revoked(self, subject_token: SubjectToken | None) -> Iterator[asyncio.Future[None]]:
        """A future that raises Closed once the user's access is revoked."""
        revoked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def cut() -> None:
            if not revoked.done():
                revoked.set_exception(Closed(CloseCode.POLICY_VIOLATION, _REVOKED))

        with self._streams.open(subject_token, cut):
            yield revoked
