"""A server on one port of this process that can be stopped and started again, as if it had gone away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Listener:
    """``async with`` starts it in the running loop. The port is taken at once, so that its URL is known before.

    With ``tls`` the app finds its caller's certificate (DER) as ``demo.certificate`` in the scope, None without one.
    """

    def __init__(
        self,
        build_app: Callable[[str], ASGIApp],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._socket: socket.socket | None = _bind(host, port)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._tls = tls
        self._app = build_app(self.url)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to listen."""
        listening = self._socket or _bind(self.host, self.port)
        self._socket = None
        self._server = _Server(self._app, self._tls)
        self._serving = asyncio.create_task(self._server.serve([listening]))
        await self._server.ready.wait()

    async def stop(self) -> None:
        """Closes the port and every connection; nothing to do where it is not listening."""
        if self._server is not None and self._serving is not None:
            self._server.stopping.set()
            await self._serving
            self._server = self._serving = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Protocol(HttpToolsProtocol):
    """Tells the app which certificate its caller has shown."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        handshake = self.transport.get_extra_info("ssl_object")
        scope: Any = self.scope
        scope["demo.certificate"] = handshake.getpeercert(binary_form=True) if handshake else None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers and clock tick, for the process is not its own; and it stops at once."""

    def __init__(self, app: ASGIApp, tls: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            self._serve_until_stopped,
            interface="asgi3",
            http=_Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        config.load()
        config.ssl = tls
        super().__init__(config)
        self._app = app
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends idle connections in order and breaks off the others."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_until_stopped(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Only shutdown cancels, and uvicorn would log it as the app's fault.
        with contextlib.suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)


def is_free(host: str, port: int) -> bool:
    """Whether that port could be listened on just now."""
    with contextlib.suppress(OSError):
        _bind(host, port).close()
        return True
    return False


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
