"""Messages both ways, until one side ends; the other is closed with the same code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from ..downstream.websocket import DownstreamWebSocket
from ..websockets.closing import CloseCode, Closed

if TYPE_CHECKING:
    from ..upstream.websocket import UpstreamWebSocket


class Source(Protocol):
    """Where messages come from."""

    async def receive(self) -> str | bytes:
        """Raises Closed."""
        ...


class Sink(Protocol):
    """Where they go."""

    async def send(self, data: str | bytes) -> None:
        """Waits while nothing more can be taken. Raises Closed."""
        ...


async def relay(
    downstream: DownstreamWebSocket,
    upstream: UpstreamWebSocket,
    seconds: float | None = None,
    revoked: asyncio.Future[None] | None = None,
) -> None:
    """Relay messages for at most ``seconds``, or until ``revoked`` raises Closed: then both sides are closed with 1008.

    Cancelled, as it is when the caller leaves, it closes the upstream with 1001.
    """
    gone: list[Sink] = []
    pumps: list[asyncio.Future[None]] = [
        asyncio.ensure_future(_pump(downstream, upstream, gone)),
        asyncio.ensure_future(_pump(upstream, downstream, gone)),
    ]
    if revoked is not None:
        pumps.append(revoked)
    end = Closed(CloseCode.GOING_AWAY)
    try:
        done, waiting = await asyncio.wait(pumps, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        if waiting:
            end = Closed(CloseCode.POLICY_VIOLATION, "the access token has ended")
        end = _find_end(done) or end
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await upstream.end(end.code, end.reason)
    await downstream.close(end.code, end.reason)


def _find_end(pumps: Iterable[asyncio.Future[None]]) -> Closed | None:
    """What the side that has ended said; returned, for raised here its traceback would refer to ``pumps``."""
    for pump in pumps:
        error = pump.exception()
        if isinstance(error, Closed):
            return error
        pump.result()
    return None


async def _pump(source: Source, sink: Sink, gone: list[Sink]) -> None:
    """Returns once the sink has gone: its own last messages are still to be delivered, unless the other has as well.

    Raises Closed.
    """
    while True:
        data = await source.receive()
        try:
            await sink.send(data)
        except Closed:
            gone.append(sink)
            if len(gone) > 1:  # nobody is left to end the relay
                raise Closed(CloseCode.GOING_AWAY) from None
            return
