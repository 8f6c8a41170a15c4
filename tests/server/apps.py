"""A port with an application behind it, and applications that do one thing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from proxy.config.models import Listen
from proxy.runtime import Sweep
from proxy.server.limits import Limits
from proxy.server.listener import Listener
from tests.support.raw_client import connected

USUAL_LIMITS = Limits.of(Listen())


@asynccontextmanager
async def listening(app, tls=None, *, http2=False, **limits) -> AsyncIterator[Listener]:
    """A listener on loopback whose limits are the usual ones but for ``limits``."""
    listener = Listener(app, replace(USUAL_LIMITS, **limits), http2=http2)
    sweep = Sweep()
    sweep.add(listener.expire)
    await listener.start("127.0.0.1", 0, tls)
    sweep.start()
    try:
        yield listener
    finally:
        listener.stop()
        await listener.abort()
        sweep.stop()


async def answer(send, body=b"", status=200, headers=None):
    """A whole response with a Content-Length."""
    if headers is None:
        headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError(body)
        body += message["body"]
        if not message["more_body"]:
            return body


@dataclass
class Recorder:
    """Reads each request to its end and answers with its body; ``requests`` are (scope, body)."""

    requests: list = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        body = await read_body(receive)
        self.requests.append((scope, body))
        await answer(send, body)


class Held:
    """Answers "done" once ``released``; ``begun`` is set by the first request, ``departures`` counts."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.departed = asyncio.Event()
        self.departures = 0

    def depart(self):
        self.departures += 1
        self.departed.set()

    async def __call__(self, scope, receive, send):
        scope["extensions"]["obo"].on_departure(self.depart)
        self.begun.set()
        await self.released.wait()
        await answer(send, b"done")


async def exchange(app, request, method="GET"):
    """The response to one request."""
    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(request)
        return await client.response(method)
