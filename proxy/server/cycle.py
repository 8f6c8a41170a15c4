"""One request and its response, as ASGI shows them to the application; here by HTTP/1.1."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from ..errors import ProxyError
from ..http.asgi import ASGIApp, Message, Scope
from ..http.headers import Field, Fields
from ..http.pieces import SMALL, Pieces, gather
from .flow import FlowControl
from .response_head import CHUNKED, CLOSE, LENGTH, NONE, Framing, build_response_head
from .state import State

log = logging.getLogger(__name__)

HIGH_WATER: Final = 64 * 1024  # bytes of body kept for an application that has not asked for them yet
_LARGE: Final = 64 * 1024  # bytes of body from which on it is not copied to leave with its head
DISCONNECT: Final = {"type": "http.disconnect"}


# From Python 3.12 on a task runs at once up to where it first waits, without a round of the loop.
_AT_ONCE: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


class Owner(Protocol):
    """The connection that a cycle belongs to: what it writes to, and whom it tells of its end."""

    flow: FlowControl
    state: State

    @property
    def client_certificate(self) -> str | None:
        """``Connection.client_certificate``."""
        ...

    def write_parts(self, parts: list[bytes], *, joined: bool) -> None:
        """Write ``parts``, as one piece or each by itself."""
        ...

    def await_body(self) -> None:
        """The application waits for more of the body."""
        ...

    def on_response_complete(self) -> None:
        """The response is written whole."""
        ...

    def cut(self, cycle: Cycle) -> None:
        """Break off what ``cycle`` was writing, so that the peer can tell."""
        ...

    def end_early(self, cycle: Cycle) -> None:
        """The application has returned without a whole response."""
        ...


class ServedRequest:
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
    _buffered = 0
    _delivered = False
    _waiter: asyncio.Future[None] | None = None
    _callback: Callable[[], None] | None = None
    _state: State
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
        """Run the application in a task of its own, from Python 3.12 on at once up to where it first waits."""
        task = asyncio.Task(self.run(), loop=loop, **_AT_ONCE)
        if not task.done():
            self.task = task

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

    # What a protocol does in its own way

    async def receive(self) -> Message:
        """``http.request`` for each piece of body that is there, ``http.disconnect`` at the end of all."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """Write; returns without an effect once the peer has left."""
        raise NotImplementedError

    def _cut(self) -> None:
        """Break off what is being written, so that the peer can tell."""
        raise NotImplementedError

    def _end_early(self) -> None:
        """The application has returned without a whole response."""
        raise NotImplementedError


class Cycle(ServedRequest):
    """Implements ``Connection`` by HTTP/1.1."""

    _started = False
    _held = b""
    _framing: Framing
    _left = 0
    _owner: Owner

    def __init__(
        self,
        owner: Owner,
        app: ASGIApp,
        *,
        target: bytes,
        head_size: int,
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        self.scope = {}
        self.app = app
        self.target = target
        self.head_size = head_size
        self.keep_alive = keep_alive
        self._owner = owner
        self._state = owner.state
        self._expects_continue = expects_continue
        self._framing = NONE
        self._pieces = []

    @property
    def client_certificate(self) -> str | None:
        return self._owner.client_certificate

    @property
    def framed(self) -> bool:
        """Whether a peer can tell a cut response from a whole one."""
        return self._framing is not CLOSE

    def respond(self, status: int, headers: Iterable[Field], body: bytes) -> bool:
        if self._owner.flow.write_paused:
            return False
        if not (self.departed or self._started):
            self._start(status, headers)
            self._write(body, more=False)
        return True

    def end(self, trailers: Fields) -> None:
        """Without them: whoever speaks HTTP/1.1 can hardly do anything with trailers (RFC 9110 §6.5.1)."""
        if not (self.departed or self.complete):
            self._write(b"", more=False)

    # ASGI

    async def receive(self) -> Message:
        if self._expects_continue and self.more_body and not (self.written or self.departed):
            self._expects_continue = False
            self._owner.write_parts([b"HTTP/1.1 100 Continue\r\n\r\n"], joined=True)
        while not (self.departed or self.complete):
            if self._pieces or not (self.more_body or self._delivered):
                return self._take_body()
            if self.more_body:
                self._owner.await_body()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return DISCONNECT

    async def send(self, message: Message) -> None:
        if self._owner.flow.write_paused:
            await self._owner.flow.drain()
        if self.departed:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self._started:
            self._start(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self._started and not self.complete:
            self._write(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")

    def _start(self, status: int, headers: Iterable[Field]) -> None:
        """The head waits for the first piece of body, to leave together with it (ASGI, "Response Start")."""
        self._held, self._framing, self._left, self.keep_alive = build_response_head(
            status,
            headers,
            method=self.scope["method"],
            version=self.scope["http_version"],
            # An unread rest of the request would be taken for the next one: such a connection ends here.
            keep_alive=self.keep_alive and not self.more_body and not self._state.draining,
        )
        self._started = True

    def _write(self, body: bytes, *, more: bool) -> None:
        parts = [self._held] if self._held else []
        framing = self._framing
        if framing is LENGTH:  # from which a body may not differ
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the response body is not as long as its Content-Length")
        if framing is CHUNKED:
            if body:
                parts += (b"%x\r\n" % len(body), body, b"\r\n")
            if not more:
                parts.append(b"0\r\n\r\n")
        elif framing is not NONE:
            parts.append(body)
        self._held = b""
        self.written = True
        self._owner.write_parts(parts, joined=len(body) < _LARGE)
        if not more:
            self._complete()

    def _cut(self) -> None:
        self._owner.cut(self)

    def _end_early(self) -> None:
        self._owner.end_early(self)

    def _complete(self) -> None:
        self.complete = True
        self._callback = None
        if self._waiter is not None:
            self._wake()
        self._owner.on_response_complete()


def describe_fault(error: Exception) -> dict[str, str]:
    """The kind of an error and where it was raised; never its text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return {"error": type(error).__name__, "at": f"{frame.filename}:{frame.lineno}"}
