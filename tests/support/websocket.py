"""A websocket API behind the proxy, whose side of each connection is in the test's hands."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from proxy.demo import Demo

from .demo import decode
from .proxy import Running

BIG = 32 * 1024 * 1024


class WebSocketAPI:
    """``handshakes`` are heads as they came; ``refuse`` may answer one instead of accepting it."""

    def __init__(self) -> None:
        self.url = ""
        self.handshakes: list[Request] = []
        self.refuse: Callable[[Request], Response | None] = lambda _: None
        self._accepted: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def accept(self) -> ServerConnection:
        """The next connection, from the API's side."""
        async with asyncio.timeout(5):
            return await self._accepted.get()

    def refuse_with(self, status: int, body: bytes = b"", **fields: str) -> None:
        """Answer every handshake so."""
        headers = Headers({name.replace("_", "-"): value for name, value in fields.items()})
        headers["Content-Length"] = str(len(body))
        self.refuse = lambda _: Response(status, "No", headers, body)

    def claims(self) -> dict[str, Any]:
        """Those of the token in the last handshake."""
        return decode(self.handshakes[-1].headers["Authorization"].split(" ")[1])

    def check(self, _: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request)
        return self.refuse(request)

    async def hold(self, connection: ServerConnection) -> None:
        self._accepted.put_nowait(connection)
        await connection.wait_closed()


@asynccontextmanager
async def websocket_api(
    *, tls: ssl.SSLContext | None = None, path: Path | None = None
) -> AsyncIterator[WebSocketAPI]:
    """The API, on loopback or on a unix socket; it speaks the subprotocols chat and v2."""
    api = WebSocketAPI()
    options: dict[str, Any] = {"process_request": api.check, "select_subprotocol": choose, "max_size": BIG}
    server = serve(api.hold, "localhost", 0, ssl=tls, family=2, **options)
    if path is not None:
        server = unix_serve(api.hold, str(path), **options)
    async with server as running:
        port = None if path else running.sockets[0].getsockname()[1]
        api.url = f"unix:{path}" if path else f"http{'s' if tls else ''}://localhost:{port}"
        yield api


def choose(_: ServerConnection, offered: Sequence[str]) -> str | None:
    return next((name for name in offered if name in {"chat", "v2"}), None)


def settings_for(demo: Demo, api: WebSocketAPI, **route: Any) -> dict[str, Any]:
    """The demo's configuration with ``api`` behind the routes orders, payroll and public."""
    raw = demo.settings()
    raw["routes"] = [one | {"upstream": api.url} | route for one in raw["routes"]]
    return raw


def dial(
    proxy: Running,
    path: str,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> connect:
    """A handshake with the proxy, with ``token`` as its bearer token."""
    fields = dict(headers or {})
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    url = proxy.url.replace("http", "ws", 1) + path
    options = {"user_agent_header": None, "max_size": BIG, "proxy": None} | options
    return connect(url, additional_headers=fields, **options)


async def refusal(connecting: Any) -> tuple[int, dict[str, Any]]:
    """Status and problem of a handshake that must fail."""
    with pytest.raises(InvalidStatus) as error:
        await connecting
    response = error.value.response
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, json.loads(response.body)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def build_subprotocol(token: str) -> str:
    """What a browser offers where it has a token, and can set no field."""
    return "base64url.bearer.authorization.obo." + urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
