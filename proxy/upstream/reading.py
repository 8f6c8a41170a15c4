"""Reading a response while it comes, whichever version of HTTP brings it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from mypy_extensions import trait

from ..errors import UpstreamBroken
from ..http.pieces import Pieces
from .allowance import RESPONSES


class Source(Protocol):
    """Where a response comes from, as far as its reader needs it."""

    def expect_body(self) -> None:
        """More of the body is waited for from now on."""
        ...

    def resume(self) -> None:
        """There is room to read on."""
        ...

    def abort(self, error: Exception | None = None) -> None:
        """End what brings the response: its connection, or its stream of one."""
        ...


class _Nobody:
    """The ``Source`` of a response that was given up."""

    def expect_body(self) -> None: ...

    def resume(self) -> None: ...

    def abort(self, error: Exception | None = None) -> None: ...


_NOBODY = _Nobody()


@trait
class Reading(ABC):
    """A response that one side feeds, wakes and fails, and the other takes.

    Where it is ``counted``, what waits while nobody reads counts in the allowance, until it is taken, or the response
    is closed or has failed.
    """

    http2 = False
    whole = False
    counted = False
    buffered = 0
    _pieces: Pieces
    _source: Source
    _error: Exception | None = None
    _waiter: asyncio.Future[None] | None = None

    @abstractmethod
    def take(self) -> tuple[bytes, bool]:
        """What is here of the body without waiting, and whether that was the last of it."""

    async def read(self) -> bytes:
        """The next piece, empty at the end.

        Raises UpstreamBroken where the body breaks off or stalls, and what the request's body raised.
        Cancelled, the response is closed.
        """
        data, whole = self.take()
        while not data and not whole:
            self._source.expect_body()
            await self.wait()
            data, whole = self.take()
        return data

    def close(self) -> None:
        """The caller is done with it: what brings an unfinished response ends."""
        if not self.whole:
            self._source.abort()
        if self.counted:
            self._let_go()

    def count_unread(self) -> None:
        """One connection of the caller's has many readers: what they do not take counts from now on."""
        self.counted = True

    def give_up(self) -> None:
        """It holds more than any other, perhaps all that it ever will, which is not whole any more then."""
        self._let_go()
        if not self.whole:
            self._source.abort()
        self._source = _NOBODY  # which may be busy with another by now
        self.whole = False
        self.fail(UpstreamBroken("stalled readers of responses hold all the memory that there is for them"))

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
        elif self.counted:
            RESPONSES.note(self, self.buffered)

    def fail(self, error: Exception) -> None:
        """What is here already may still be taken; then ``error`` is raised."""
        self._error = error
        self.wake()

    def _take_error(self, error: Exception) -> Exception:
        """Once: raised and kept, it would refer to itself by the frames of its traceback."""
        self._error = UpstreamBroken("the response has failed before")
        if self.counted:
            self._let_go()  # nobody takes anything after it
        return error

    def _let_go(self) -> None:
        self._pieces = []
        self.buffered = 0
        RESPONSES.note(self, 0)
