"""What the tests of the engine send, and how they read what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable

from proxy.http.headers import Fields
from proxy.upstream import Upstream, UpstreamResponse
from proxy.upstream.pool import SMALL_BODY

Connect = Callable[..., Upstream]
HEAD = b"HTTP/1.1 200 OK\r\n"
BEGUN = bytes(SMALL_BODY)  # as much of a body as a connection is taken for
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Body:
    """A request body of given pieces; an exception among them is raised, an event is waited for."""

    whole = False

    def __init__(
        self,
        pieces: Iterable[bytes | Exception | asyncio.Event],
        length: int | None = None,
        trailers: Fields = (),
    ) -> None:
        self.length = length
        self.trailers = trailers
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                return piece
        return b""


async def send(
    upstream: Upstream,
    method: bytes = b"GET",
    *,
    path: bytes = b"/",
    body: Body | None = None,
    idempotent: bool | None = None,
    user: Hashable = None,
) -> UpstreamResponse:
    head = method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n"
    if body is not None:
        framing = (
            b"Transfer-Encoding: chunked" if body.length is None else b"Content-Length: %d" % body.length
        )
        head += framing + b"\r\n"
    safe = method in {b"GET", b"HEAD"} if idempotent is None else idempotent
    return await upstream.send_message(
        head + b"\r\n", method=method.decode(), body=body, idempotent=safe, user=user
    )


async def fetch(upstream: Upstream, method: bytes = b"GET", **options: object) -> tuple[int, bytes]:
    """Status and whole body."""
    response = await send(upstream, method, **options)  # type: ignore[arg-type]
    try:
        return response.status, await read_all(response)
    finally:
        response.close()


async def read_all(response: UpstreamResponse) -> bytes:
    pieces = []
    while piece := await response.read():
        pieces.append(piece)
    return b"".join(pieces)


async def until(holds: Callable[[], bool]) -> None:
    """Give the loop its turns until ``holds``; the test's own time limit ends it otherwise."""
    while not holds():
        await asyncio.sleep(0.001)
