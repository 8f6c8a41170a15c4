"""One request and its response by HTTP/1.1."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from ..http.asgi import ASGIApp, Message
from ..http.headers import Field, Fields
from .flow import FlowControl
from .response_head import CHUNKED, CLOSE, LENGTH, NONE, Framing, build_response_head
from .served_request import DISCONNECT, ServedRequest
from .state import State

_LARGE: Final = 64 * 1024  # bytes of body from which on it is not copied to leave with its head


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


class Cycle(ServedRequest):
    """Implements ``Connection`` by HTTP/1.1."""

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
        self._flow = owner.flow
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

    def respond(self, status: int, headers: list[Field], body: bytes) -> bool:
        if self._flow.write_paused:
            return False
        if not (self.departed or self._started):
            self._start(status, headers)
            self._pass_on(body, more=False)
        return True

    def end(self, trailers: Fields) -> None:
        """Without them: whoever speaks HTTP/1.1 can hardly do anything with trailers (RFC 9110 §6.5.1)."""
        if not (self.departed or self.complete):
            self._pass_on(b"", more=False)

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

    def _start(self, status: int, headers: list[Field]) -> None:
        self._held, self._framing, self._left, self.keep_alive = build_response_head(
            status,
            headers,
            method=self.scope["method"],
            version=self.scope["http_version"],
            # An unread rest of the request would be taken for the next one: such a connection ends here.
            keep_alive=self.keep_alive and not self.more_body and not self._state.draining,
        )
        self._started = True

    def _pass_on(self, body: bytes, *, more: bool) -> None:
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
