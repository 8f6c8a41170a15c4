"""One port: its socket, its connections, and the sweep over their deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import traceback
from collections.abc import Callable
from typing import Any

from ..config.models import Authorizer, ListenTLS
from ..http.asgi import ASGIApp
from ..runtime import Background
from .acceptor import BACKLOG, Acceptor, bind, bind_authorizer
from .limits import Limits
from .protocol import HttpProtocol
from .state import OnlyLogged, Refusing, State
from .tls import build_tls_context

_LAST_WORDS = 1.0  # s: for the application to return from requests that were cut
_QUIET_PERIOD = 0.05  # s: how often the end of the last connection is looked for


class Listener:
    """Serves ``app`` on one socket; ``address`` is that of the socket once it is bound.

    Without ``refusing`` what the server refuses by itself is logged, and not counted. With ``http2`` a connection
    may speak that as well.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        app_state: dict[str, Any] | None = None,
        refusing: Refusing | None = None,
        *,
        http2: bool = False,
    ) -> None:
        self._limits = limits
        self._state = State(app, limits, refusing or OnlyLogged())
        self._app_state = app_state or {}
        self._http2 = http2
        self._protocol = _find_protocol(http2=http2)
        self._background = Background()
        self._stopped = False
        self._server: asyncio.Server | None = None
        self._tls: ssl.SSLContext | None = None  # for the connections from now on
        self._acceptor: Acceptor | None = None

    async def start(self, host: str, port: int, tls: ListenTLS | None = None) -> None:
        """Bind and accept. Raises OSError when the address is not to be had."""
        self.prepare(tls)
        if tls is not None:  # a server of the loop's would not tell of handshakes that do not come to an end
            self._acceptor = Acceptor(await bind(host, port), self._take)
            self._acceptor.start()
            return
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, host, port, backlog=BACKLOG
        )

    async def start_authorizer(self, authorizer: Authorizer) -> None:
        """Bind and accept where gateways ask. Raises OSError when the address is not to be had."""
        self._acceptor = Acceptor(await bind_authorizer(authorizer), self._take)
        self._acceptor.start()

    def prepare(self, tls: ListenTLS | None = None) -> None:
        """Be ready for connections that another process has accepted; ``start`` is not needed then."""
        self._tls = build_tls_context(tls, http2=self._http2) if tls is not None else None

    def adopt(self, connection: socket.socket) -> None:
        """Serve a connection that was accepted elsewhere; after ``stop``, and where there are too many, close it."""
        if self._stopped or self._state.is_flooded(beside=len(self._background) + 1):
            connection.close()
        else:
            self._background.spawn(self._adopt(connection), name="adopt")

    def _take(self, connection: socket.socket) -> bool:
        self.adopt(connection)
        return True

    async def _adopt(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._accept,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.header_timeout if self._tls is not None else None,
            )
        except OSError as error:  # it left, or what it began was no TLS
            # Until 3.12.2 its traceback is part of a circle with 256 KiB of buffers (python/cpython#109534).
            traceback.clear_frames(error.__traceback__)

    def _accept(self) -> asyncio.Protocol:
        return self._protocol(self._state, self._app_state)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        if self._acceptor is not None:
            return self._acceptor.address
        if self._server is None:
            raise RuntimeError("not started")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        return len(self._state.connections)

    def prepare_certificate(self, tls: ListenTLS | None) -> Callable[[], None]:
        """Read the files beside the certificate that serves; the result puts them in its place.

        Whether TLS is spoken at all is settled by ``start``. Raises OSError.
        """
        if self._tls is None or tls is None:
            return lambda: None
        context = build_tls_context(tls, http2=self._http2)

        def swap() -> None:
            self._tls = context

        return swap

    def expire(self, now: float) -> None:
        """What the sweep calls."""
        for connection in self._state.live():
            if connection.read_deadline < now or connection.write_deadline < now:
                connection.expire(now)

    def announce_end(self) -> None:
        """From now on each response is the last one on its connection."""
        self._state.draining = True

    def stop(self) -> None:
        """Accept no more, and close what waits for a request."""
        self._stopped = True
        if self._server is not None:
            self._server.close()
        if self._acceptor is not None:
            self._acceptor.stop()
        for connection in self._state.live():
            connection.shutdown()

    async def quiet(self) -> None:
        """Wait until no connection and no request is left."""
        state = self._state
        while state.connections or state.tasks or state.running:  # noqa: ASYNC110 once in a process's life
            await asyncio.sleep(_QUIET_PERIOD)

    async def abort(self) -> None:
        """Cut what is left, visibly, and wait for the requests to have noticed."""
        await self._background.aclose()
        for connection in self._state.live():
            connection.abort()
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                while self._state.running:  # noqa: ASYNC110 once in a process's life
                    await asyncio.sleep(0)
        await asyncio.sleep(0)  # the transports tell of their end in the next turn


def _find_protocol(*, http2: bool) -> Callable[[State, dict[str, Any]], asyncio.Protocol]:
    """What speaks first on a connection."""
    if not http2:
        return HttpProtocol
    from .http2.preface import PrefaceProtocol  # noqa: PLC0415 - who does not speak it has nothing of it in memory

    return PrefaceProtocol
