"""The proxy between raw callers and an upstream that keeps every byte, for a whole module of tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import Running, running
from tests.support.raw_client import connected
from tests.support.recording_upstream import RecordingUpstream
from tests.support.strict_http import Malformed, Request, Response, read_requests, read_responses

from .shapes import AUTHORIZATION, HOST, TOKEN, Shape

# Contract §5; a proxy's own faults (500) are not among them.
REFUSALS = {400, 401, 404, 405, 408, 413, 414, 417, 431, 501, 505}
METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PROPFIND"}
FORGED = b"FORGED"  # the value of fields that must not go on
PROBE = b"\r\n".join([b"GET /orders/probe HTTP/1.1", HOST, AUTHORIZATION, b"Connection: close", b"", b""])


class Stage:
    def __init__(self, proxy: Running, upstream: RecordingUpstream, token: str) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.token = token.encode()

    async def attack(self, shape: Shape, *, piece: int | None = None) -> None:
        """Send the shape, whole or in pieces of that size, and hold the outcome against the RFC's."""
        self.upstream.clear()
        valid, fault = read(shape.data.replace(TOKEN, self.token))
        # Where nothing is wrong, one more request tells whether all agree where the first ones ended.
        more = PROBE if fault is None and (not valid or valid[-1].persistent) else b""
        data = (shape.data + more).replace(TOKEN, self.token)
        valid, fault = read(data)
        received = await self._exchange(data, piece or len(data))
        methods = [request.method for request in valid]
        responses = list(read_responses(received, methods))
        self._judge(shape, valid, fault, responses)

    async def _exchange(self, data: bytes, piece: int) -> bytes:
        async with connected(self.proxy.server.address) as client:
            for start in range(0, len(data), piece):
                client.writer.write(data[start : start + piece])
                await asyncio.sleep(0)
            return await client.rest()

    def _judge(
        self, shape: Shape, valid: list[Request], fault: Exception | None, responses: list[Response]
    ) -> None:
        statuses = [response.status for response in responses]
        assert set(statuses) <= REFUSALS | {200, 204}, statuses
        assert 0 < len(responses) <= len(valid) + (fault is not None), statuses
        served = [request for request, status in zip(valid, statuses, strict=False) if status == 200]
        if len(responses) > len(valid):
            assert statuses[-1] in REFUSALS, statuses
        if fault is not None or len(responses) < len(valid):
            assert statuses[-1] in REFUSALS, statuses
            assert b"close" in responses[-1].options()
        if shape.refused:
            served = [request for request in served if request.target == b"/orders/probe"]
            assert statuses[0] in REFUSALS, statuses
        elif fault is None:
            assert statuses == [200] * len(valid), statuses
        self._judge_upstream(served)

    def _judge_upstream(self, served: list[Request]) -> None:
        seen = self.upstream.requests
        assert not self.upstream.faults
        assert [about(one) for one in seen] == [about(one) for one in served]
        assert self.token not in b"".join(self.upstream.heard)
        assert FORGED not in b"".join(self.upstream.heard)
        for request in seen:
            (authorization,) = request.values(b"authorization")
            claims = decode(authorization.removeprefix(b"Bearer ").decode())
            assert (claims["aud"], claims["sub"]) == ("api://orders", "alice")
            assert not request.trailers
            assert len(request.values(b"host")) == 1


def read(data: bytes) -> tuple[list[Request], Exception | None]:
    """The requests that RFC 9112 sees in what a caller sends, as far as their methods are known."""
    valid, fault = read_requests(data, tolerant=True)
    for place, request in enumerate(valid):
        if request.method not in METHODS:
            return valid[:place], Malformed(f"method {request.method[:80]!r}")
    return valid, fault


def about(request: Request) -> tuple[bytes, bytes, bytes]:
    """What must be the same on both sides; a target in absolute-form is sent in origin-form."""
    target = request.target
    if b"://" in target.partition(b"/")[0] + b"//" and not target.startswith(b"/"):
        target = b"/" + target.split(b"/", 3)[3]
    return request.method, target, request.body


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    async with Demo() as demo, RecordingUpstream() as upstream:
        raw = demo.settings()
        raw["routes"] = [
            raw["routes"][0] | {"upstream": upstream.url},
            raw["routes"][1] | {"upstream": upstream.url},
        ]
        async with running(raw) as proxy:
            yield Stage(proxy, upstream, demo.mint("alice"))
