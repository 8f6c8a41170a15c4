"""Where the exchanged token stands on the way up, and what of the caller's never does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from proxy.demo import Demo
from proxy.demo.listener import Listener
from proxy.exchange.token_exchange import build_access_token
from proxy.gateway.token_fields import _conceal
from tests.support.demo import decode
from tests.support.proxy import Running, running


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it was asked; ``/orders/redirect`` repeats the query as careless APIs do."""
    request = Request(scope)
    target = scope["raw_path"].decode() + "?" + scope["query_string"].decode()
    response: Response = JSONResponse(
        {"target": target, "headers": [[n.decode(), v.decode("latin-1")] for n, v in scope["headers"]]}
    )
    if request.url.path.endswith("/redirect"):
        headers = {"location": f"/orders/?{scope['query_string'].decode()}", "x-echo": target}
        headers["set-cookie"] = request.headers.get("cookie", "")
        response = Response(status_code=307, headers=headers)
    await response(scope, receive, send)


@asynccontextmanager
async def placed(demo: Demo, **token_out: str) -> AsyncIterator[Running]:
    async with Listener(lambda _: echo) as api:
        raw = demo.settings()
        raw["routes"] = [raw["routes"][0] | {"upstream": api.url, "token_out": token_out}]
        async with running(raw) as proxy:
            yield proxy


async def ask(
    proxy: Running, token: str, path: str = "/orders/1", **headers: str
) -> tuple[str, list[list[str]]]:
    answer = await proxy.get(path, token, **headers)
    assert answer.status_code == 200, answer.text
    seen = json.loads(answer.text)
    assert token not in answer.text
    return seen["target"], seen["headers"]


def values(headers: list[list[str]], name: str) -> list[str]:
    return [value for key, value in headers if key == name]


@pytest.mark.parametrize(
    ("header", "scheme", "prefix"),
    [("X-Api-Token", "", ""), ("X-Api-Token", "Token", "Token "), ("Authorization", "token", "token ")],
)
async def test_in_a_header(demo: Demo, header, scheme, prefix):
    """The caller's own field of that name, in any spelling, and its Authorization go no further."""
    async with placed(demo, header=header, scheme=scheme) as proxy:
        token = demo.mint("alice")
        theirs = {"X-Api-Token": "forged", "X_Api.Token": "forged"} if header != "Authorization" else {}
        _, headers = await ask(proxy, token, **theirs, **{"X-Other": "kept"})
    (value,) = values(headers, header.lower())
    assert value.startswith(prefix)
    assert decode(value.removeprefix(prefix))["aud"] == "api://orders"
    assert values(headers, "x-other") == ["kept"]
    assert not any("forged" in value for _, value in headers)
    assert header == "Authorization" or not values(headers, "authorization")


async def test_in_the_query(demo: Demo):
    """Beside the caller's other parameters, which stay byte for byte; what it sent under that name does not."""
    async with placed(demo, query="access_token") as proxy:
        token = demo.mint("alice")
        target, headers = await ask(proxy, token, "/orders/1?a=%20b&access_token=x&access%5Ftoken=y&c")
        again, _ = await ask(proxy, token, "/orders/1")
    assert target.startswith("/orders/1?a=%20b&c&access_token=ey")
    assert decode(target.partition("access_token=")[2])["aud"] == "api://orders"
    assert again.startswith("/orders/1?access_token=ey")
    assert not values(headers, "authorization")


async def test_in_a_cookie(demo: Demo):
    """Beside the caller's other cookies, in one field."""
    async with placed(demo, cookie="session") as proxy:
        token = demo.mint("alice")
        _, headers = await ask(proxy, token, Cookie="a=1; session=forged; b=2;session=again")
        _, alone = await ask(proxy, token)
    (cookie,) = values(headers, "cookie")
    assert cookie.startswith("a=1; b=2; session=ey")
    assert decode(cookie.rpartition("session=")[2])["aud"] == "api://orders"
    assert values(alone, "cookie")[0].startswith("session=ey")
    assert not values(headers, "authorization")


@pytest.mark.parametrize("place", [{"query": "access_token"}, {"cookie": "session"}])
async def test_an_api_that_repeats_the_token(demo: Demo, place):
    """A redirect that repeats the query, or a cookie set again: the caller gets to see none of it."""
    async with placed(demo, **place) as proxy:
        answer = await proxy.get("/orders/redirect?a=1", demo.mint("alice"))
    assert answer.status_code == 307
    assert answer.headers["location"] == "/orders/?a=1"
    assert not any("eyJ" in value for value in answer.headers.values())


@pytest.mark.parametrize(
    "spelling",
    [
        b"a+b/c+d-0123456789==",
        b"a%2Bb%2Fc%2Bd-0123456789%3D%3D",
        b"a%2bb%2fc%2bd-0123456789%3d%3d",
        b"a%2Bb/c%2Bd-0123456789==",
        b"a%2Bb%2Fc%2Bd%2D0123456789==",
    ],
)
def test_a_token_is_concealed_however_it_is_spelt(spelling: bytes):
    """Clients and frameworks percent-encode as they like (RFC 3986 §2.4)."""
    token = build_access_token("a+b/c+d-0123456789==", "Bearer", None, ())
    headers = [(b"location", b"/x?a=1&t=" + spelling + b"&b"), (b"x-echo", spelling), (b"x-other", b"1")]
    _conceal(headers, token, b"t")
    assert headers == [(b"location", b"/x?a=1&b"), (b"x-other", b"1")]


async def test_a_token_that_was_withdrawn_is_replaced_in_its_place(demo: Demo):
    """C-15: the request that is sent again has the new token alone."""
    heard: list[str] = []

    async def withdrawing(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["query_string"].decode())
        await Response(status_code=401 if len(heard) == 2 else 200)(scope, receive, send)

    raw = demo.settings()
    async with Listener(lambda _: withdrawing) as api:
        raw["routes"] = [raw["routes"][0] | {"upstream": api.url, "token_out": {"query": "t"}}]
        async with running(raw) as proxy:
            token = demo.mint("alice")
            assert [(await proxy.get("/orders/1?a", token)).status_code for _ in range(2)] == [200, 200]
    assert [query.count("t=") for query in heard] == [1, 1, 1]
    assert heard[0] == heard[1] != heard[2]


async def test_a_request_that_is_sent_again_keeps_the_callers_cookies(demo: Demo):
    """C-15: with the new token, and as the caller sent it otherwise."""
    heard: list[list[str]] = []

    async def withdrawing(scope: Any, receive: Any, send: Any) -> None:
        heard.append(Request(scope).headers.getlist("cookie"))
        await Response(status_code=401 if len(heard) == 2 else 200)(scope, receive, send)

    raw = demo.settings()
    async with Listener(lambda _: withdrawing) as api:
        raw["routes"] = [raw["routes"][0] | {"upstream": api.url, "token_out": {"cookie": "session"}}]
        async with running(raw) as proxy:
            token, cookies = demo.mint("alice"), "a=1; session=forged; b=2"
            answers = [await proxy.get("/orders/1", token, Cookie=cookies) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [len(fields) for fields in heard] == [1, 1, 1]
    assert all(field.startswith("a=1; b=2; session=ey") for (field,) in heard)
    assert [field.count("session=") for (field,) in heard] == [1, 1, 1]


async def test_a_websocket_has_it_in_its_place_too(demo: Demo):
    """The handshake is a request like any other."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"].decode())
        await receive()
        await send({"type": "websocket.close", "code": 4000})

    raw = demo.settings()
    async with Listener(lambda _: app) as api:
        raw["routes"] = [raw["routes"][0] | {"upstream": api.url, "token_out": {"query": "t"}}]
        async with running(raw) as proxy:
            headers = {"Authorization": f"Bearer {demo.mint('alice')}"}
            url = proxy.url.replace("http", "ws") + "/orders/live?a=1"
            with pytest.raises(InvalidStatus):
                async with connect(url, additional_headers=headers):
                    pass
    assert seen[0].startswith("a=1&t=ey")


@pytest.mark.parametrize(
    ("place", "sent", "seen"),
    [
        ({"header": "X-Api-Token", "scheme": ""}, {"X-Api-Token": "forged"}, "x-api-token"),
        ({"cookie": "session"}, {"Cookie": "a=1; session=forged"}, "cookie"),
        ({"query": "t"}, {}, ""),
    ],
)
async def test_a_preflight_brings_nothing_in_that_place(demo: Demo, place, sent, seen):
    """It passes without a token, and with none of the caller's making."""
    async with Listener(lambda _: echo) as api:
        raw = demo.settings()
        own = {"upstream": api.url, "token_out": place, "cors_preflight": True}
        raw["routes"] = [raw["routes"][0] | own]
        async with running(raw) as proxy:
            ask = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
            answer = await proxy.client.options(
                "/orders/1?a&t=forged" if not sent else "/orders/1", headers=ask | sent
            )
    assert answer.status_code == 200
    assert "forged" not in answer.text
    assert ("a=1" in answer.text) is (seen == "cookie")
