"""The handshake of a websocket through the whole proxy, and what refuses it: real sockets."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from proxy.demo import Demo
from tests.support.demo import decode, resign
from tests.support.proxy import Running, running
from tests.support.raw_upstream import STAY, RawUpstream
from tests.support.websocket import (
    WebSocketAPI,
    build_subprotocol,
    dial,
    refusal,
    settings_for,
)


async def test_the_handshake_carries_the_exchanged_token(demo: Demo, api: WebSocketAPI, proxy: Running):
    """H-60, H-29, H-34: the target as received, the caller's fields, our token, nothing invented."""
    token = demo.mint("alice")
    headers = {
        "Cookie": f"a=1; s={token}",
        "Origin": "https://app.example",
        "X-Forwarded-User": "root",
        "X-Own": "1",
    }
    async with dial(proxy, "/orders/%7Ea;b=1?q=%20&q", token, headers):
        pass
    request = api.handshakes[-1]
    assert request.path == "/orders/%7Ea;b=1?q=%20&q"
    assert (api.claims()["sub"], api.claims()["aud"]) == ("alice", "api://orders")
    assert token not in repr(request)
    names = [name.lower() for name, _ in request.headers.raw_items()]
    assert sorted(names) == sorted([
        "host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "cookie", "origin", "x-own",
        "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via", "authorization",
    ])  # fmt: skip
    assert request.headers["Host"] == api.url.removeprefix("http://")
    assert request.headers["X-Forwarded-Proto"] == "http"
    assert request.headers["Cookie"] == "a=1"
    assert demo.calls["token_exchange"] == 1


async def test_websockets_and_requests_share_the_cache(demo: Demo, api: WebSocketAPI, proxy: Running):
    """C-02: one exchange for a user, however the API is called."""
    for _ in range(3):
        async with dial(proxy, "/orders", demo.mint("alice")):
            pass
    await proxy.get("/orders", demo.mint("alice"))
    assert demo.calls["token_exchange"] == 1


@pytest.mark.parametrize(
    ("path", "forge", "expected"),
    [
        ("/orders", lambda demo: None, (401, "subject_token_missing")),
        ("/orders", lambda demo: "a b", (400, "authorization_malformed")),
        ("/orders", lambda demo: resign(demo.mint("alice")), (401, "subject_token_invalid")),
        ("/orders", lambda demo: demo.mint("alice", expires_in=-3600), (401, "subject_token_expired")),
        ("/payroll", lambda demo: demo.mint("alice"), (403, "exchange_denied")),
        ("/nowhere", lambda demo: demo.mint("alice"), (404, "no_route")),
        ("/orders/..%2f", lambda demo: demo.mint("alice"), (400, "path_refused")),
    ],
    ids=["no token", "malformed", "forged", "expired", "denied", "no route", "path"],
)
async def test_what_fails_is_an_http_answer(
    demo: Demo, api: WebSocketAPI, proxy: Running, path, forge, expected
):
    """H-60: a status line and a problem, never an accepted and closed websocket; the API sees nothing."""
    status, problem = await refusal(dial(proxy, path, forge(demo)))
    assert (status, problem["code"]) == expected
    assert api.handshakes == []


async def test_a_challenge_comes_with_a_refused_handshake(proxy: Running):
    """H-60: as RFC 6750 wants it."""
    with pytest.raises(InvalidStatus) as error:
        await dial(proxy, "/orders")
    assert error.value.response.headers["WWW-Authenticate"] == 'Bearer realm="obo-proxy"'


async def test_a_route_may_take_no_websockets(demo: Demo, api: WebSocketAPI):
    """``websocket: false``: for such a handshake there is no route."""
    async with running(settings_for(demo, api, websocket=False)) as proxy:
        status, problem = await refusal(dial(proxy, "/orders", demo.mint("alice")))
    assert (status, problem["code"]) == (404, "no_route")
    assert demo.calls["token"] == 0


async def test_a_route_without_token_forwards_none(demo: Demo, api: WebSocketAPI, proxy: Running):
    """``grant: none``: neither the caller's token nor ours."""
    async with dial(proxy, "/public", demo.mint("alice"), subprotocols=[build_subprotocol("a.b.c"), "chat"]):
        pass
    assert "Authorization" not in api.handshakes[-1].headers
    assert api.handshakes[-1].headers["Sec-WebSocket-Protocol"] == "chat"


async def test_the_token_may_be_a_subprotocol(demo: Demo, api: WebSocketAPI, proxy: Running):
    """H-61: it stands for ``Authorization``, goes no further and is not echoed."""
    token = demo.mint("alice")
    offered = ["other", build_subprotocol(token), "chat"]
    async with dial(proxy, "/orders", subprotocols=offered) as client:
        assert client.subprotocol == "chat"
        assert client.response.headers.get_all("Sec-WebSocket-Protocol") == ["chat"]
    request = api.handshakes[-1]
    assert request.headers["Sec-WebSocket-Protocol"] == "other, chat"
    assert build_subprotocol(token) not in repr(request)
    assert api.claims()["sub"] == "alice"


@pytest.mark.parametrize(
    ("offer", "with_header"),
    [
        (lambda name: [name, "chat"], True),
        (lambda name: [name], False),
        (lambda name: [name, name + "A", "chat"], False),
        (lambda name: [name + "=", "chat"], False),
        (lambda name: ["base64url.bearer.authorization.obo.", "chat"], False),
    ],
    ids=["header too", "alone", "two", "padded", "empty"],
)
async def test_a_doubtful_token_subprotocol(
    demo: Demo, api: WebSocketAPI, proxy: Running, offer, with_header
):
    """H-61, A-02: more than one token, or none that is well-formed with another subprotocol beside it: 400."""
    token = demo.mint("alice")
    fields = {"Sec-WebSocket-Protocol": ", ".join(offer(build_subprotocol(token)))}
    status, problem = await refusal(dial(proxy, "/orders", token if with_header else None, fields))
    assert (status, problem["code"]) == (400, "authorization_malformed")
    assert api.handshakes == []
    assert demo.calls["token"] == 0


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["chat"], "chat"), (["v2", "x"], "v2"), (["x"], None), (None, None)]
)
async def test_the_subprotocol_is_agreed_on_end_to_end(demo, api, proxy, offered, chosen):
    """RFC 6455 §4.2.2: what is offered reaches the API, what it chooses the caller."""
    async with dial(proxy, "/public", subprotocols=offered) as client:
        assert client.subprotocol == chosen
        assert (await api.accept()).subprotocol == chosen


async def test_a_subprotocol_that_was_not_offered_is_the_upstreams_fault(demo: Demo):
    """H-61: 502, for the caller could make nothing of it."""
    answer = (
        b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
    )
    async with RawUpstream([answer, STAY]) as upstream, running(settings_for(demo, upstream)) as proxy:
        status, problem = await refusal(dial(proxy, "/public"))
    assert (status, problem["code"]) == (502, "upstream_protocol_error")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 426, 500, 503, 302, 200])
async def test_an_answer_that_is_no_websocket_passes(demo: Demo, api: WebSocketAPI, proxy: Running, status):
    """H-60: status, fields and body are the API's."""
    api.refuse_with(status, b"its words", X_Own="1", Connection="x-hop", X_Hop="1")
    with pytest.raises(InvalidStatus) as error:
        await dial(proxy, "/orders", demo.mint("alice"))
    response = error.value.response
    assert (response.status_code, response.body) == (status, b"its words")
    assert response.headers["X-Own"] == "1"
    assert "X-Hop" not in response.headers
    assert response.headers.get_all("Content-Length") == ["9"]


async def test_a_refused_cached_token_is_replaced_once(demo: Demo, api: WebSocketAPI, proxy: Running):
    """C-15: a 401 on a cached token drops it, and the handshake is made once more with a fresh one."""
    async with dial(proxy, "/orders", demo.mint("alice")):
        pass
    old = api.handshakes[-1].headers["Authorization"]
    refused = Response(401, "No", api.handshakes[-1].headers.__class__({"Content-Length": "0"}))
    api.refuse = lambda request: refused if request.headers["Authorization"] == old else None
    async with dial(proxy, "/orders", demo.mint("alice")):
        pass
    assert (len(api.handshakes), demo.calls["token_exchange"]) == (3, 2)


async def test_a_bound_token_comes_with_its_proof(demo: Demo, api: WebSocketAPI):
    """D-01, D-05: a proof for the handshake's method and target, with a nonce once the API asks for one."""
    raw = demo.settings(private_key_jwt=True, dpop=True)
    raw["routes"] = [one | {"upstream": api.url} for one in raw["routes"]]

    def refuse(request: Any) -> Response | None:
        if len(api.handshakes) > 1:
            return None
        fields = {
            "WWW-Authenticate": 'DPoP error="use_dpop_nonce"',
            "DPoP-Nonce": "n1",
            "Content-Length": "0",
        }
        return Response(401, "No", request.headers.__class__(fields))

    api.refuse = refuse
    async with running(raw) as proxy, dial(proxy, "/orders?a=1", demo.mint("alice")):
        pass
    first, second = (decode(request.headers["DPoP"]) for request in api.handshakes)
    assert first["htm"] == "GET"
    assert first["htu"] == api.url + "/orders"
    assert first["jti"] != second["jti"]
    assert second["nonce"] == "n1"
    assert api.handshakes[-1].headers["Authorization"].startswith("DPoP ")
