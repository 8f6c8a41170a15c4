"""The proxy that anybody would write: starlette and httpx. ``uvicorn httpx_proxy:app`` with ``UPSTREAM_PORT``."""

from __future__ import annotations

import os

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{os.environ['UPSTREAM_PORT']}", timeout=60)
TOKEN = os.environ["UPSTREAM_TOKEN"]


async def forward(request: Request) -> StreamingResponse:
    headers = [pair for pair in request.headers.raw if pair[0] not in {b"host", b"authorization"}]
    headers.append((b"authorization", TOKEN.encode()))
    body = request.stream() if request.method not in {"GET", "HEAD"} else None
    built = client.build_request(request.method, request.url.path, headers=headers, content=body)
    response = await client.send(built, stream=True)
    return StreamingResponse(
        response.aiter_raw(),
        status_code=response.status_code,
        headers=dict(response.headers),
        background=BackgroundTask(response.aclose),
    )


app = Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST", "PUT"])])
