"""One stream: a request and its response, as ASGI shows them to the application (RFC 9113 §8.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

from ...errors import BadRequest
from ...http.asgi import ASGIApp, Message, Scope
from ...http.headers import Field, Fields
from ...http2.codec import Codec
from ...http2.messages import BodyLength, Request
from ..flow import FlowControl
from ..served_request import DISCONNECT, ServedRequest
from ..state import State
from .flow import Outflow, Part
from .patience import Patience
from .response_head import KNOWN, NONE, Extent, build_response_head

_CONTINUE: Final = [(b":status", b"100")]


class Owner(Protocol):
    """The connection that a stream belongs to."""

    codec: Codec
    flow: FlowControl
    outflow: Outflow
    state: State

    @property
    def client_certificate(self) -> str | None:
        """``Connection.client_certificate``."""
        ...

    def await_body(self, stream: Stream) -> None:
        """The application waits for more of the body."""
        ...

    def await_room(self) -> None:
        """Something waits until the peer gives room for it."""
        ...

    def consume(self, stream: Stream, size: int) -> None:
        """The application has passed on as many bytes of the body."""
        ...

    def hold(self, size: int) -> None:
        """So many bytes more, or fewer below 0, wait until the transport has room for them."""
        ...

    def on_response_complete(self, stream: Stream) -> None:
        """The response has left whole."""
        ...

    def cut(self, stream: Stream) -> None:
        """Break off what ``stream`` was sending, so that the peer can tell."""
        ...

    def end_early(self, stream: Stream) -> None:
        """The application has returned without a whole response."""
        ...


class Stream(ServedRequest):
    """Implements ``Connection``."""

    http2 = True
    target = b""
    head_size = 0
    method = ""
    _length: BodyLength
    _expects_continue = False
    _taken = 0  # bytes that the application has and we have given no credit for
    _head: list[Field] | None = None  # begun, and not sent
    _extent: Extent
    _left = 0
    _owner: Owner

    def __init__(self, owner: Owner, app: ASGIApp, stream_id: int, patience: Patience) -> None:
        self.scope: Scope = {}
        self.app = app
        self.stream_id = stream_id
        self.patience = patience
        self._owner = owner
        self._state = owner.state
        self._flow = owner.flow
        self._extent = NONE
        self._pieces = []

    @property
    def client_certificate(self) -> str | None:
        return self._owner.client_certificate

    def respond(self, status: int, headers: list[Field], body: bytes) -> bool:
        if self.departed:
            return True
        outflow = self._owner.outflow
        if outflow.is_behind or self._owner.codec.room(self.stream_id) < len(body):
            return False
        if not self._started:
            self.answer(status, headers, body)
        return True

    def end(self, trailers: Fields) -> None:
        if self.departed or self.complete:
            return
        if self._extent is NONE or not trailers:
            self._write(b"", more=False)
        else:
            self._count(b"", more=False)
            self._send_head(ended=False)
            self._owner.codec.send_trailers(self.stream_id, trailers)
            self._owner.outflow.write_soon()
        self._end_response()

    def answer(self, status: int, headers: list[Field], body: bytes) -> None:
        """At once; what there is no room for waits here, and nobody waits for it."""
        self._start(status, headers)
        part = self._write(body, more=False)
        self._complete()
        if part is None:
            self._owner.on_response_complete(self)
        else:
            self._owner.await_room()
            part.gone = asyncio.get_running_loop().create_future()
            part.gone.add_done_callback(lambda _: self._owner.on_response_complete(self))

    def take_head(self, request: Request, scope: Scope) -> None:
        """The head is read, and may be served."""
        self.scope = scope
        self.method = request.method
        self.target = request.target
        self.head_size = request.size
        self._expects_continue = request.expects_continue
        self._length = BodyLength(request.content_length)

    def take(self, data: bytes) -> None:
        """A piece of the body has come. Raises BadRequest where that is longer than announced (RFC 9113 §8.1.1)."""
        if not self._length.count(len(data)):
            raise BadRequest("the body is longer than its Content-Length")
        self.feed(data)

    def take_end(self, trailers: Fields) -> None:
        """The body is whole. Raises BadRequest where that is shorter than announced."""
        if not self._length.end():
            raise BadRequest("the body is shorter than its Content-Length")
        self.trailers = trailers
        self.feed_end()

    def withdraw(self) -> bool:
        """Nobody waits for the application any more.

        Returns whether it has been shown the request; if not, it never is.
        """
        self.depart()
        shown = "extensions" in self.scope
        if not shown:
            self.cancel()
            self.task = None  # it will hold us, by its traceback
        return shown

    # ASGI

    async def receive(self) -> Message:
        """As ``ServedRequest``; that it is called tells that the piece before has been passed on."""
        if self._taken and not self.departed:
            self._owner.consume(self, self._taken)
            self._taken = 0
        if self._expects_continue and self.more_body and not (self.written or self.departed):
            self._expects_continue = False
            self._owner.codec.respond(self.stream_id, _CONTINUE, ended=False)
            self._owner.outflow.write_soon()
        while not (self.departed or self.complete):
            if self._pieces or not (self.more_body or self._delivered):
                self._taken = self._buffered
                return self._take_body()
            if self.more_body:
                self._owner.await_body(self)
            await self._wait_for_more()
        return DISCONNECT

    async def _wait_for_more(self) -> None:
        """Who gives up waiting is not kept waiting any more."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.patience.end()
            raise

    async def _drain(self, message: Message) -> None:
        size = len(message.get("body", b""))
        self._owner.hold(size)
        try:
            await self._flow.drain()
        finally:
            self._owner.hold(-size)

    def _pass_on(self, body: bytes, *, more: bool) -> Awaitable[None] | None:
        part = self._write(body, more=more)
        if part is not None:
            return self._wait_for(part, more=more)
        if not (more or self.departed):
            self._end_response()
        return None

    async def _wait_for(self, part: Part, *, more: bool) -> None:
        """Who gives up meanwhile ends the stream: part of it may have left, so nothing can follow."""
        self._owner.await_room()
        part.gone = asyncio.get_running_loop().create_future()
        try:
            await part.gone
        except asyncio.CancelledError:
            self.abort()
            raise
        if not (more or self.departed):
            self._end_response()

    def _end_response(self) -> None:
        self._complete()
        self._owner.on_response_complete(self)

    def _start(self, status: int, headers: list[Field]) -> None:
        self._head, self._extent, self._left = build_response_head(status, headers, method=self.method)
        self._started = True

    def _write(self, body: bytes, *, more: bool) -> Part | None:
        """Returns what waits for room."""
        self._count(body, more=more)
        if self._extent is NONE:
            self._send_head(ended=True)
            return None
        if not (body or more) and self._head is not None:
            self._send_head(ended=True)
            return None
        self._send_head(ended=False)
        return self._owner.outflow.send(self.stream_id, body, ended=not more)

    def _send_head(self, *, ended: bool) -> None:
        if self._head is not None:
            self._owner.outflow.send_head(self.stream_id, self._head, ended=ended)
            self._head = None
            self.written = True
            if self.grpc:
                self.patience.end()

    def _count(self, body: bytes, *, more: bool) -> None:
        if self._extent is KNOWN:  # from which a body may not differ
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the response body is not as long as its Content-Length")

    def _complete(self) -> None:
        """The application has nothing more to say."""
        self.complete = True
        self._callback = None
        self.patience.end()
        self._wake()

    def _cut(self) -> None:
        self._owner.cut(self)

    def _end_early(self) -> None:
        self._owner.end_early(self)
