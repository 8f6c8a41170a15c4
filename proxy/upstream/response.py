"""A response as the gateway relays it, and the waiting for it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from .response_parser import Headers, ResponseParser


class Source(Protocol):
    """The connection, as far as its response needs it."""

    def expect_body(self) -> None:
        """More of the body is waited for from now on."""
        ...

    def resume(self) -> None:
        """There is room to read on."""
        ...

    def abort(self, error: Exception | None = None) -> None:
        """End the connection."""
        ...


class Response:
    """``headers`` have lower-case names, repeats kept, values as received; interim responses are not seen.

    ``parser`` is for the connection. That is free again as soon as the body is whole, even before it is taken,
    so nothing here touches it from then on.
    """

    __slots__ = ("_error", "_source", "_waiter", "parser")

    def __init__(self, parser: ResponseParser, source: Source) -> None:
        self.parser = parser
        self._source = source
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def status(self) -> int:
        return self.parser.status

    @property
    def headers(self) -> Headers:
        return self.parser.headers

    def take(self) -> tuple[bytes, bool]:
        """What is here of the body without waiting, and whether that was the last of it."""
        data = self.parser.take()
        if self.parser.whole:
            return data, True
        self._source.resume()
        return data, False

    async def read(self) -> bytes:
        """The next piece, empty at the end.

        Raises UpstreamBroken where the body breaks off or stalls, and what the request's body raised.
        Cancelled, the connection is closed.
        """
        data, whole = self.take()
        while not data and not whole:
            self._source.expect_body()
            await self.wait()
            data, whole = self.take()
        return data

    def close(self) -> None:
        """The caller is done with it: an unfinished response ends its connection."""
        if not self.parser.whole:
            self._source.abort()

    async def wait(self) -> None:
        """Until ``wake`` or ``fail``."""
        if self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                self.close()
                raise
        if self._error is not None:
            raise self._error

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """What is here already may still be taken; then ``error`` is raised."""
        self._error = error
        self.wake()
