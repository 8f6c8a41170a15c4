"""Which HTTP a connection speaks: by ALPN under TLS (RFC 9113 §3.2), in clear by its first bytes (§3.3)."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ...http2.frames import MAGIC
from ..deadlines import NEVER
from ..protocol import HttpProtocol
from ..state import State
from .protocol import Http2Protocol

ALPN = "h2"


class PrefaceProtocol(asyncio.Protocol):
    """Hands the connection to one of both as soon as it is told apart."""

    write_deadline = NEVER

    def __init__(self, state: State, app_state: dict[str, Any]) -> None:
        self.read_deadline = asyncio.get_running_loop().time() + state.limits.header_timeout
        self._state = state
        self._app_state = app_state
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._hand_over(http2=tls.selected_alpn_protocol() == ALPN)
        else:
            self._state.connections.add(self)
            if self._state.is_flooded():
                self.abort()

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not MAGIC.startswith(self._read[: len(MAGIC)]):
            self._hand_over(http2=False)
        elif len(self._read) >= len(MAGIC):
            self._hand_over(http2=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)

    def _hand_over(self, *, http2: bool) -> None:
        """A head that has begun has no more time than if it had been read at once."""
        self._state.connections.discard(self)
        protocol = self._make(http2=http2)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._read and not self._transport.is_closing():  # it may be one too many
            protocol.read_deadline = min(protocol.read_deadline, self.read_deadline)
            protocol.data_received(self._read)

    def _make(self, *, http2: bool) -> HttpProtocol | Http2Protocol:
        if http2:
            return Http2Protocol(self._state, self._app_state)
        return HttpProtocol(self._state, self._app_state)

    def expire(self, now: float) -> None:
        """Nothing came, or hardly anything."""
        self.abort()

    def shutdown(self) -> None:
        """Whatever has begun may still go on."""
        if not self._read:
            self.abort()

    def abort(self) -> None:
        self._transport.abort()
