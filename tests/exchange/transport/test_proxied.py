"""By way of a forward proxy."""

from __future__ import annotations

import pytest

from proxy.config import models
from proxy.errors import AuthorizationServerTimeout, AuthorizationServerUnavailable, ExchangeResponseInvalid
from proxy.exchange.transport import MAX_ANSWER, Outbound

from ...support.raw_upstream import CLOSE, READ_BODY, STAY, RawUpstream, response

FORM = b"grant_type=x"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ([CLOSE], AuthorizationServerUnavailable),
        ([b"hello\r\n\r\n"], AuthorizationServerUnavailable),
        ([READ_BODY, response(b"x", b"Content-Encoding: gzip")], ExchangeResponseInvalid),
        ([READ_BODY, response(b" " * (MAX_ANSWER + 1))], ExchangeResponseInvalid),
        ([READ_BODY, STAY], AuthorizationServerTimeout),
    ],
    ids=["closed", "HTTP/0.9", "encoded", "too large", "silence"],
)
async def test_a_forward_proxy_is_held_to_the_same(said, kind):
    """X-13: bounds do not depend on the way; each request has a connection of its own there."""
    async with RawUpstream(said) as proxy:
        server = models.AuthorizationServer(issuer="https://okta", proxy_url=proxy.url, timeout=0.5)
        outbound = Outbound(server)
        for _ in range(2):
            with pytest.raises(kind):
                await outbound.post("http://okta/token", {}, FORM)
        assert len(proxy.connections) == 2
        assert proxy.requests[0].startswith(b"POST http://okta/token HTTP/1.1\r\n")
        assert b"Connection: close\r\n" in proxy.requests[0]
        await outbound.aclose()


async def test_a_forward_proxy_that_is_not_there():
    """Contract 2.1: it is said, and nothing goes another way."""
    async with RawUpstream() as server:
        outbound = Outbound(models.AuthorizationServer(issuer="https://okta", proxy_url="http://127.0.0.1:9"))
        with pytest.raises(AuthorizationServerUnavailable, match="ConnectError"):
            await outbound.get(server.url)
        assert server.connections == []
        await outbound.aclose()
