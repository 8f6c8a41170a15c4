"""What the tests of HTTP/2 send."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from proxy.http.headers import Field
from proxy.upstream import UpstreamResponse
from proxy.upstream.http2 import Http2Upstream
from tests.upstream.requests import Body, read_all

Connect = Callable[..., Http2Upstream]


async def send(
    upstream: Http2Upstream,
    method: str = "GET",
    *,
    path: bytes = b"/",
    fields: Sequence[Field] = (),
    body: Body | None = None,
    idempotent: bool | None = None,
    user: Hashable = None,
) -> UpstreamResponse:
    safe = method in {"GET", "HEAD"} if idempotent is None else idempotent
    head = [(b"host", b"api.example"), *fields]
    return await upstream.send(method, path, head, body=body, idempotent=safe, user=user)


async def fetch(upstream: Http2Upstream, method: str = "GET", **options: object) -> tuple[int, bytes]:
    """Status and whole body."""
    response = await send(upstream, method, **options)  # type: ignore[arg-type]
    try:
        return response.status, await read_all(response)
    finally:
        response.close()
