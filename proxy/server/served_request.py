"""One request and its response, as ASGI shows them to the application, whatever the protocol they come by."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from ..errors import ProxyError
from ..http.asgi import ASGIApp, Connection, Message, Scope
from ..http.headers import Field, Fields
from ..http.pieces import SMALL, Pieces, gather
from .flow import FlowControl
from .state import State

log = logging.getLogger(__name__)

HIGH_WATER: Final = 64 * 1024  # bytes of body kept for an application that has not asked for them yet
DISCONNECT: Final = {"type": "http.disconnect"}
_TASK: Final = "request"  # else asyncio would number each

_Run = Coroutine[Any, Any, None]

if sys.version_info >= (3, 12):

    def _start(run: _Run, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
        """At once up to where it first waits, without a round of the loop; None where it does not wait."""
        task = asyncio.Task(run, loop=loop, name=_TASK, eager_start=True)
        return None if task.done() else task

else:

    def _start(run: _Run, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
        return asyncio.Task(run, loop=loop, name=_TASK)


class ServedRequest(Connection):
    """The request, whatever its protocol: its body as it comes, and the run of the application.

    ``more_body`` is whether the request is still on its way, ``written`` whether bytes of the response have left,
    ``departed`` whether nobody is there to read it: the peer has left, or we have cut.
    """

    app: ASGIApp
    scope: Scope
    task: asyncio.Task[None] | None = None
    more_body = True
    written = False
    complete = False
    http2 = False
    grpc = False
    departed = False
    refusal: ProxyError | None = None
    trailers: Fields = ()
    _started = False
    _buffered = 0
    _delivered = False
    _waiter: asyncio.Future[None] | None = None
    _callback: Callable[[], None] | None = None
    _state: State
    _flow: FlowControl
    _pieces: Pieces

    def abort(self) -> None:
        self._callback = None
        if not (self.complete or self.departed):
            self._cut()

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def on_departure(self, callback: Callable[[], None] | None) -> None:
        self._callback = callback
        if self.departed:
            self._call_back()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the application in a task of its own. Who asks for the running ``loop`` makes a system call."""
        self.task = _start(self.run(), loop)

    async def run(self) -> None:
        """Runs the application; a response that it leaves unfinished is cut off visibly."""
        self._state.running += 1
        self.scope["extensions"] = {"obo": self}
        try:
            await self.app(self.scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 the application's own fault, whatever it is
            log.error("application failed", extra=describe_fault(error))  # noqa: TRY400 its text may hold secrets
        finally:
            self._callback = None
            if not (self.complete or self.departed):
                self._end_early()
            self._state.running -= 1
            self.scope = {}  # it holds us, and so does a task that was cancelled:
            self.task = None  # only the garbage collector would end these circles

    # The request's body, as the protocol feeds it

    def feed(self, data: bytes) -> bool:
        """Take a piece of the body; True when there is more of it than an idle application should hold."""
        if self._pieces and len(data) < SMALL:
            gather(self._pieces, data)
        else:
            self._pieces.append(data)
        self._buffered += len(data)
        self._wake()
        return self._buffered > HIGH_WATER

    def feed_end(self) -> None:
        self.more_body = False
        if self._waiter is not None:
            self._wake()

    def depart(self) -> None:
        """Nobody is left to read the response."""
        self.departed = True
        self._wake()
        self._call_back()

    def _call_back(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take_body(self) -> Message:
        body: bytes = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        self._buffered = 0
        self._delivered = not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Write; returns without an effect once the peer has left."""
        if self._flow.write_paused:
            await self._drain(message)
        if self.departed:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self._started:
            self._start(message["status"], list(message.get("headers", ())))
        elif kind == "http.response.body" and self._started and not self.complete:
            leaving = self._pass_on(message.get("body", b""), more=message.get("more_body", False))
            if leaving is not None:
                await leaving
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")

    async def _drain(self, message: Message) -> None:
        """Until there is room for ``message``."""
        await self._flow.drain()

    # What a protocol does in its own way

    async def receive(self) -> Message:
        """``http.request`` for each piece of body that is there, ``http.disconnect`` at the end of all."""
        raise NotImplementedError

    def _start(self, status: int, headers: list[Field]) -> None:
        """The head waits for the first piece of body, to leave together with it (ASGI, "Response Start")."""
        raise NotImplementedError

    def _pass_on(self, body: bytes, *, more: bool) -> Awaitable[None] | None:
        """Write a piece of the response's body. Returns what is to be waited for."""
        raise NotImplementedError

    def _cut(self) -> None:
        """Break off what is being written, so that the peer can tell."""
        raise NotImplementedError

    def _end_early(self) -> None:
        """The application has returned without a whole response."""
        raise NotImplementedError


def describe_fault(error: Exception) -> dict[str, str]:
    """The kind of an error and where it was raised; never its text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return {"error": type(error).__name__, "at": f"{frame.filename}:{frame.lineno}"}
