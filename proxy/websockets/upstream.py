"""The upstream's side of a websocket: our handshake (RFC 6455 §4.1) by the ``websockets`` library, then messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from ..config import models
from ..errors import UpstreamError, UpstreamProtocolError, UpstreamTimeout, UpstreamUnreachable
from ..upstream import Origin
from .closing import Closed, build_closed

MAX_MESSAGE = 16 * 1024 * 1024  # bytes; longer ones end the websocket with 1009
PING_PERIOD = 20.0  # s: below the 60 s after which common intermediaries drop what is silent
PING_TIMEOUT = 20.0
CLOSE_TIMEOUT = 1.0  # s: for the upstream to answer our close
MAX_QUEUE = 1  # frames read ahead of a slow caller, each up to MAX_MESSAGE

SWITCHING_PROTOCOLS = 101

Fields = Sequence[tuple[bytes, bytes]]

# The library would write whole handshakes at DEBUG, with the token, and tracebacks of broken connections.
_silence = logging.getLogger(f"{__name__}.library")
_silence.setLevel(logging.CRITICAL)


class Handshake(ClientProtocol):
    """Asks for ``target`` with ``fields``; what the library adds are the fields that make a handshake."""

    def __init__(
        self, target: bytes, fields: Iterable[tuple[bytes, bytes]], subprotocols: Sequence[str]
    ) -> None:
        offered = [Subprotocol(name) for name in subprotocols]
        # The URI would only say what ``connect`` replaces.
        super().__init__(
            WebSocketURI(secure=False, host="upstream", port=80, path="/", query=""),
            subprotocols=offered or None,
            max_size=MAX_MESSAGE,
            logger=_silence,
        )
        self._target = target
        self._fields = fields

    def connect(self) -> Request:
        request = super().connect()
        request.path = self._target.decode("ascii")
        del request.headers["Host"]
        for name, value in self._fields:
            request.headers[name.decode("ascii")] = value.decode("latin-1")
        return request


class UpstreamWebSocket:
    """The answer to a handshake: a refusal with its ``body``, or, where ``status`` is 101, an open websocket."""

    def __init__(self, connection: ClientConnection, response: Response) -> None:
        self._connection = connection
        self.status = response.status_code
        self.body = bytes(response.body)
        self.headers = [
            (name.lower().encode("ascii"), value.encode("latin-1"))
            for name, value in response.headers.raw_items()
            if name.lower() != "content-length"
        ]
        if not self.accepted:
            self.headers.append((b"content-length", b"%d" % len(self.body)))

    @property
    def accepted(self) -> bool:
        return self.status == SWITCHING_PROTOCOLS

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed once the upstream has closed or broken off."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _explain_end(error) from None

    async def send(self, data: str | bytes) -> None:
        """Waits while the upstream does not read. Raises Closed."""
        if self._connection.protocol.state is not State.OPEN:
            raise Closed(CloseCode.GOING_AWAY)
        try:
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise _explain_end(error) from None

    async def end(self, code: int, reason: str) -> None:
        """Close as RFC 6455 §7.1 says; within ``CLOSE_TIMEOUT``, or else an upstream that does not read is cut off."""
        if self._connection.protocol.state is State.CLOSED:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.close(code, reason)
        except TimeoutError:
            self.close()

    def close(self) -> None:
        """Be done with it; an open websocket is cut."""
        _cut(self._connection)


class WebSocketUpstream:
    """Opens websockets at one origin."""

    def __init__(self, origin: Origin, timeouts: models.Timeouts) -> None:
        self._origin = origin
        self._timeouts = timeouts

    async def open(self, target: bytes, fields: Fields, subprotocols: Sequence[str]) -> UpstreamWebSocket:
        """Shake hands; ``fields`` are all but those that RFC 6455 §4.1 names. Raises UpstreamError."""
        connection = ClientConnection(
            Handshake(target, fields, subprotocols),
            ping_interval=PING_PERIOD,
            ping_timeout=PING_TIMEOUT,
            close_timeout=None,  # ``end`` bounds it
            max_queue=MAX_QUEUE,
        )
        await self._origin.connect(connection, self._timeouts.connect)
        try:
            response = await self._shake_hands(connection)
        except BaseException:
            _cut(connection)
            raise
        if response.status_code == SWITCHING_PROTOCOLS:
            connection.start_keepalive()
        else:
            _cut(connection)
        return UpstreamWebSocket(connection, response)

    async def _shake_hands(self, connection: ClientConnection) -> Response:
        try:
            async with asyncio.timeout(self._timeouts.response):
                await connection.handshake(user_agent_header=None)
        except InvalidStatus as refused:
            if refused.response.status_code < 200:
                raise UpstreamProtocolError("an interim answer to a handshake") from None
            return refused.response
        except (InvalidHandshake, ConnectionClosed, OSError) as error:
            raise _explain_failure(error) from error
        response = connection.response
        if response is None:
            raise UpstreamProtocolError("the handshake has no answer")
        return response


def _cut(connection: ClientConnection) -> None:
    # asyncio's transports of Python 3.11 do not bear to be aborted once they are lost.
    if connection.protocol.state is not State.CLOSED:
        connection.transport.abort()


def _explain_failure(error: Exception) -> UpstreamError:
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("the upstream did not answer the handshake in time")
    lost = isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError)
    if lost or not isinstance(error, InvalidHandshake):
        return UpstreamUnreachable("the upstream ended the connection instead of answering the handshake")
    return UpstreamProtocolError(f"the handshake failed: {type(error).__name__}")


def _explain_end(error: ConnectionClosed) -> Closed:
    if error.rcvd is not None:
        return build_closed(error.rcvd.code, error.rcvd.reason, lost=CloseCode.INTERNAL_ERROR)
    if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return Closed(CloseCode.MESSAGE_TOO_BIG, "message too big")
    return Closed(CloseCode.INTERNAL_ERROR, "the upstream broke off")
