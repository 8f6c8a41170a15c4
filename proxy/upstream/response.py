"""A response as the gateway relays it, and the waiting for it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..errors import UpstreamBroken
from .response_parser import ResponseParser


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


class Response(ResponseParser):
    """``headers`` have lower-case names, repeats kept, values as received; interim responses are not seen.

    Its connection feeds it, and is free again as soon as the body is whole, even before that is taken: nothing
    here touches it from then on.
    """

    _error: Exception | None = None
    _waiter: asyncio.Future[None] | None = None

    def __init__(self, source: Source, *, bodiless: bool) -> None:
        super().__init__(bodiless=bodiless)
        self._source = source

    def take(self) -> tuple[bytes, bool]:
        """What is here of the body without waiting, and whether that was the last of it."""
        data = self.take_body()
        if not self.whole:
            self._source.resume()
        return data, self.whole

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
        if not self.whole:
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
            raise self._take_error(self._error)

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """What is here already may still be taken; then ``error`` is raised."""
        self._error = error
        self._parser = None
        self.wake()

    def _take_error(self, error: Exception) -> Exception:
        """Once: raised and kept, it would refer to itself by the frames of its traceback."""
        self._error = UpstreamBroken("the response has failed before")
        return error
