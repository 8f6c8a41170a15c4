"""The sample API: verifies the token that reaches it and answers with what it saw. Nothing raw is ever shown."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from .resource import AccessRefused, Resource

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
_PIECE = b"0123456789abcdef" * 4096


def build_orders_api(resource: Resource) -> ASGIApp:
    """The API as an ASGI app; under ``/public`` nobody is asked for a token."""
    app = Starlette(
        routes=[
            Route("/orders/events", _send_events),
            Route("/orders/download", _send_bytes),
            Route("/orders/upload", _count_bytes, methods=["POST", "PUT"]),
            Route("/orders/status/{status:int}", _answer_status, methods=_METHODS),
            WebSocketRoute("/orders/echo", _echo),
            Route("/{path:path}", _show, methods=_METHODS),
        ]
    )
    return _Guard(app, resource)


class _Guard:
    """Lets a request through with its token's claims in ``scope["claims"]``, None where none is asked for."""

    def __init__(self, app: ASGIApp, resource: Resource) -> None:
        self._app = app
        self._resource = resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            claims = await self._resource.verify(HTTPConnection(scope), scope.get("method", "GET"))
        except AccessRefused as refused:
            await _refuse(refused, scope, receive, send)
        else:
            with suppress(ClientDisconnect):  # nobody is left to answer
                await self._app({**scope, "claims": claims}, receive, send)


async def _refuse(refused: AccessRefused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close(1008)
        return
    body = {"error": refused.error, "error_description": refused.description}
    await JSONResponse(body, 401, refused.headers())(scope, receive, send)


async def _show(request: Request) -> Response:
    """What came, with the body counted rather than shown."""
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return JSONResponse(_describe(request) | {"body_bytes": size})


def _describe(request: Request) -> dict[str, Any]:
    claims = request.scope["claims"]
    return {
        "message": _greet(claims),
        "on_behalf_of": claims["sub"] if claims and "uid" in claims else None,
        "claims": claims,
        "method": request.method,
        "path": request.scope["raw_path"].decode("ascii", "replace"),
        "query": request.scope["query_string"].decode("ascii", "replace"),
        "headers": _show_headers(request),
    }


def _greet(claims: dict[str, Any] | None) -> str:
    if claims is None:
        return "Hello, whoever you are."
    return f"Hello {claims['sub']}." if "uid" in claims else f"Hello, client {claims['sub']}."


def _show_headers(request: Request) -> dict[str, str | list[str]]:
    """The fields by name, a list where one came more than once; of the token and the proof only their scheme."""
    shown: dict[str, str | list[str]] = {}
    for name in dict.fromkeys(request.headers.keys()):
        values = request.headers.getlist(name)
        if name == "authorization":
            values = [f"{value.partition(' ')[0]} (decoded in claims)" for value in values]
        elif name == "dpop":
            values = ["(a proof)" for _ in values]
        elif name == "x-saas-token":
            values = ["(a token)" for _ in values]
        shown[name] = values[0] if len(values) == 1 else values
    return shown


async def _send_events(request: Request) -> Response:
    """Server-sent events: ``count`` of them, one each ``interval`` seconds, each with the time of sending."""
    count = int(request.query_params.get("count", "5"))
    interval = float(request.query_params.get("interval", "1"))

    async def events() -> AsyncIterator[str]:
        for number in range(count):
            if number:
                await asyncio.sleep(interval)
            yield f"id: {number}\ndata: {json.dumps({'number': number, 'sent_at': time.time()})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _send_bytes(request: Request) -> Response:
    """``bytes`` bytes, with their length told unless ``chunked`` is asked for."""
    size = int(request.query_params.get("bytes", "1024"))

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // len(_PIECE)):
            yield _PIECE
        yield _PIECE[: size % len(_PIECE)]

    headers = {} if "chunked" in request.query_params else {"content-length": str(size)}
    return StreamingResponse(pieces(), media_type="application/octet-stream", headers=headers)


async def _count_bytes(request: Request) -> Response:
    """Reads the body and tells its length."""
    return await _show(request)


async def _answer_status(request: Request) -> Response:
    """The status asked for; what may not have a body has none."""
    status = request.path_params["status"]
    if not 200 <= status <= 599:
        return JSONResponse({"error": "no such status"}, 400)
    headers = {"www-authenticate": 'Bearer error="invalid_token"'} if status == 401 else {}
    if status in (204, 304):
        return Response(status_code=status)
    return JSONResponse({"status": status}, status, headers)


async def _echo(websocket: WebSocket) -> None:
    """Echoes; to ``whoami`` it answers with the token's claims."""
    offered = websocket.scope["subprotocols"]
    await websocket.accept(offered[0] if offered else None)
    with suppress(WebSocketDisconnect):
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if message.get("text") == "whoami":
                await websocket.send_json(websocket.scope["claims"])
            elif message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])
