"""One connection of HTTP/1.1: requests in, one after the other, and responses out in their order.

A request reaches the application once its head is whole and checked (``reader``, ``head``). Refusals are
answered here, in the order of the requests, and close the connection. All deadlines are looked at by one
sweep, so that a request costs no timer.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from ..errors import BadRequest, Overloaded, ProxyError, RequestTimeout
from ..http.pieces import write_parts
from .cycle import Cycle, Owner
from .deadlines import NEVER
from .limits import LAST_CALL
from .options import ALLOW, answer_options
from .response_head import Framing, build_response_head
from .scope import build_scope, build_template
from .sockets import has_left, reset
from .state import State
from .timed_protocol import TimedProtocol
from .tls import find_client_certificate

_MAX_PIPELINED: Final = 32  # requests that wait behind the one being answered
MORE_CONNECTIONS: Final = "Add replicas, or raise listen.max_connections."
LOOK_ABOVE: Final = "A fault of the proxy's own: the log line before this one tells its kind and place."


class HttpProtocol(TimedProtocol, Owner):
    """Made before its connection. ``app_state`` is for a connection that becomes a websocket's."""

    def __init__(self, state: State, app_state: dict[str, Any]) -> None:
        super().__init__(state)
        self._app_state = app_state
        self._active: Cycle | None = None  # being answered
        self._newest: Cycle | None = None  # being read, or the last that was
        self._waiting: list[Cycle | ProxyError] = []  # to be answered next, in order
        self._certificate: list[str | None] = []  # the peer's, once it was looked for

    @property
    def client_certificate(self) -> str | None:
        """Found once for all requests of the connection, and not before one needs it."""
        if not self._certificate:
            self._certificate.append(find_client_certificate(self.transport))
        return self._certificate[0]

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._scope = build_template(self.transport)
        self.read_deadline = self.loop.time() + self._limits.header_timeout
        if self.state.is_flooded():
            self.transport.abort()
        elif self.state.overloaded:
            self._refuse(Overloaded("connection limit reached", remedy=MORE_CONNECTIONS))

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader.done:
            return
        try:
            reader.feed(data)
        except ProxyError as error:
            self._refuse(error)
            return
        if reader.websocket:
            self._hand_over()
            return
        if reader.in_head:
            self._expect_head()
        elif reader.in_body:
            self._extend_body(len(data))
        if self._active is None:
            self._answer_next()
        if self._waiting:
            self._pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        self.read_deadline = self.write_deadline = NEVER
        self.flow.resume_writing()
        if self._active is not None:
            self._active.depart()
        self._let_go()

    # What the reader tells

    def on_request(self) -> None:
        reader = self._reader
        if len(self._waiting) == _MAX_PIPELINED and self._newest is not None:
            # Those before are answered; whoever sends that far ahead must be ready to send again (RFC 9112 §9.3.2).
            self._newest.keep_alive = False
            reader.done = True
            raise BadRequest("too many requests in a pipeline")
        cycle = self._newest = Cycle(
            self,
            answer_options if reader.target == b"*" else self.state.app,
            target=reader.target,
            head_size=reader.head_size,
            keep_alive=reader.keep_alive,
            expects_continue=reader.expects_continue,
        )
        cycle.scope = build_scope(
            self._scope,
            version=reader.version,
            method=reader.method,
            target=reader.target,
            headers=reader.headers,
            app_state=self._app_state,
        )
        self._waiting.append(cycle)
        self.read_deadline = NEVER
        self._patience = self._limits.body_timeout

    def on_body_piece(self, data: bytes) -> None:
        self._stop_waiting()
        if self._newest is not None and self._newest.feed(data):
            self._pause_reading()

    def on_end(self) -> None:
        if self._newest is not None:
            self._newest.feed_end()
        self.read_deadline = NEVER

    def _hand_over(self) -> None:
        """The connection becomes a websocket's; the response to the handshake is the application's."""
        if self._active is not None or len(self._waiting) > 1:
            self._refuse(BadRequest("an upgrade in a pipeline"))
            return
        self.state.connections.discard(self)
        self.read_deadline = NEVER
        reader = self._reader
        # By now it is there (``prepare_websockets``), but where no route takes any.
        from .websocket import WebSocketProtocol  # noqa: PLC0415

        websocket = WebSocketProtocol(self.state, self._app_state)
        self.transport.set_protocol(websocket)
        websocket.take_over(self.transport, reader.target, reader.headers, behind=self.flow.write_paused)
        self._let_go()

    def _let_go(self) -> None:
        """Of all that refers back to us, so that nothing waits for the garbage collector."""
        self._reader.close()
        self._waiting.clear()
        self._active = self._newest = None

    # What a cycle asks for

    def write_parts(self, parts: list[bytes], *, joined: bool) -> None:
        if joined:
            self.transport.write(b"".join(parts))
        else:
            write_parts(self.transport, parts)

    def on_response_complete(self) -> None:
        cycle, self._active = self._active, None
        if cycle is None or not cycle.keep_alive:
            self._finish(unread=cycle is not None and cycle.more_body)
        elif self._waiting:
            self.loop.call_soon(self._answer_next)
        else:
            self._await_request()

    def cut(self, cycle: Cycle) -> None:
        """Break off what ``cycle`` was writing, so that the peer can tell."""
        cycle.depart()
        self._reader.done = True
        self._waiting.clear()
        if cycle.written and not cycle.framed:
            reset(self.transport)
        else:
            self._close()

    def end_early(self, cycle: Cycle) -> None:
        """The application has returned without a whole response."""
        if cycle.written:
            self.cut(cycle)
            return
        cycle.depart()
        self._active = None
        self._waiting.clear()
        self._read_no_more()
        error = ProxyError("the application gave no response", remedy=LOOK_ABOVE)
        self._answer_refusal(error, cycle.scope["method"], begun=True)

    # One answer after the other

    def _answer_next(self) -> None:
        if not self._waiting:
            return
        answer = self._waiting.pop(0)
        if not isinstance(answer, Cycle):
            self._answer_refusal(answer, self._reader.method)
            return
        self._active = answer
        answer.begin(self.loop)
        if self.flow.read_paused and not self._waiting and not self._reader.done:
            self._resume_reading()

    def _refuse(self, error: ProxyError) -> None:
        """Nothing more is read. The refusal is written once the requests before it have been answered."""
        self._read_no_more()
        broken = self._newest
        if broken is not None and broken.more_body and not broken.complete:
            if broken is not self._active:
                self._waiting.pop()
            elif broken.written:
                self.cut(broken)
                return
            else:
                self._active = None
                broken.refusal = error
                broken.depart()
                self._answer_refusal(error, self._reader.method, begun=True)
                return
        self._waiting.append(error)
        if self._active is None:
            self._answer_next()

    def _read_no_more(self) -> None:
        self._reader.done = True
        self._reader.headers = []  # they may be many, and the peer slow to read why
        self.read_deadline = NEVER

    def _answer_refusal(self, error: ProxyError, method: str, *, begun: bool = False) -> None:
        """``method`` is that of the refused request, behind which another may have been read; empty if unknown."""
        status, headers, body = self.state.refusing.refuse(
            error, method=method, request_id=secrets.token_hex(16), begun=begun
        )
        if status == 405:
            headers.append(ALLOW)
        head, framing, _, _ = build_response_head(
            status, headers, method=method, version="1.1", keep_alive=False
        )
        self.write_parts([head, b"" if framing is Framing.NONE else body], joined=True)
        self._finish(unread=True)

    # Ends

    def _expire_reading(self) -> None:
        if self.flow.read_paused:
            self._pause_reading()
            if has_left(self.transport):
                self.transport.abort()
        elif self._reader.done:
            self.transport.abort()
        elif self._reader.in_head or self._reader.in_body:
            self._refuse(RequestTimeout("the request did not arrive in time"))
        else:
            self._close()

    def shutdown(self) -> None:
        """No further request is taken; a connection that waits for one is closed.

        Not at once where the last response, begun before the drain, has only just left and promised more.
        """
        idle = self._active is None and not self._waiting and not self._reader.in_head
        if idle and self.read_deadline > self.loop.time() + LAST_CALL:
            self._close()

    def abort(self) -> None:
        """End at once; a response under way ends visibly."""
        cycle = self._active
        if cycle is not None:
            self.cut(cycle)
            if cycle.task is not None:
                cycle.task.cancel()
        self.transport.abort()
