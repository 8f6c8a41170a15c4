"""X-14: no credential, assertion, proof, token or claim of a user in anything that the proxy tells of itself."""

from __future__ import annotations

import io
import logging
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from proxy.config.models import Log
from proxy.demo import Demo
from proxy.demo.org import SERVICE_SECRET
from proxy.observability.logs import configure
from tests.support.collector import Collector
from tests.support.demo import FORGERIES
from tests.support.proxy import Running, running

from .canaries import Canaries

USER = "canary-user-5Kq8"
CLAIM = "canary-claim-9Zx2@example.com"
TOLD = ["/metrics", "/readyz", "/", "/api/status", "/api/config"]


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


class Told:
    """Everything that was told to somebody else than the user and the API: name and text."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def keep(self, response: httpx.Response) -> None:
        """An answer of the proxy's own; what the API says is between it and the user."""
        if response.headers.get("content-type") == "application/problem+json":
            self.texts.append(("problem", f"{response.headers}\n{response.text}"))


@asynccontextmanager
async def watched(raw: dict[str, Any], told: Told, *, log_format: str) -> AsyncIterator[Running]:
    """The proxy with everything switched on: all that it says ends up in ``told``."""
    stream = io.StringIO()
    async with Collector() as collector:
        logs = configure(Log(level="debug", format=log_format, access=True), stream)
        raw |= {"tracing": {"otlp_endpoint": collector.url}, "log": {"level": "debug", "access": True}}
        async with running(raw) as proxy:
            yield proxy
            for path in TOLD:
                told.texts.append((path, (await proxy.admin.get(path)).text))
        logs.stop()
    told.texts.append(("log", stream.getvalue()))
    told.texts += [("traces", body.decode("latin-1")) for body in collector.bodies]
    assert '"event": "exchange"' in stream.getvalue() or "exchange authorization_server" in stream.getvalue()


def mint(demo: Demo, canaries: Canaries, **wishes: Any) -> str:
    claims = {"email": CLAIM, **wishes.pop("claims", {})}
    return canaries.add("user's token", demo.mint(USER, claims=claims, **wishes))


def routes(demo: Demo) -> list[dict[str, Any]]:
    """The demo's, and one for each other way to present a token or to ask for one."""
    given = demo.settings()["routes"]
    orders = given[0]
    return [
        *given,
        orders | {"name": "query", "path": "/query", "token_in": {"query": "access_token"}},
        orders | {"name": "header", "path": "/header", "token_in": {"header": "X-User-Token", "scheme": ""}},
        orders | {"name": "actor", "path": "/actor", "actor": True},
        orders | {"name": "assertion", "path": "/assertion", "grant": "jwt_bearer"},
        orders | {"name": "step", "path": "/step", "acr_values": ["urn:okta:loa:2fa:any"]},
        orders | {"name": "cut", "path": "/cut", "upstream": "http://127.0.0.1:9"},
    ]


async def use_it(demo: Demo, proxy: Running, canaries: Canaries, told: Told) -> None:
    """Every grant, every way to present a token, and every fault of user, authorization server and API."""

    async def ask(path: str, **headers: str) -> None:
        told.keep(await proxy.client.get(path, headers=headers))

    def bearer(**wishes: Any) -> str:
        return f"Bearer {mint(demo, canaries, **wishes)}"

    copied = canaries.add("copy", "canary-copy-3Wm7-in-a-header")
    for path in (
        "/orders",
        "/profile",
        "/payroll",
        "/reports",
        "/public",
        "/actor",
        "/assertion",
        "/step",
        "/cut",
    ):
        await ask(f"{path}/1?note={copied}", Authorization=bearer(), Cookie=f"session={copied}", DPoP=copied)
    await ask(f"/query?access_token={mint(demo, canaries)}")
    await ask(f"/query?access_token={copied}&access_token={copied}")
    await ask("/header", **{"X-User-Token": mint(demo, canaries)})
    await ask("/orders/status/401", Authorization=bearer())
    await ask("/orders/status/503", Authorization=bearer())
    await knock(proxy, canaries.add("subprotocol", mint(demo, canaries)))
    for value in (
        f"Bearer {copied} {copied}",
        f"Basic {copied}",
        f"Bearer {copied}",
        copied,
        f"Bearer a.{copied}.c",
    ):
        await ask("/orders", Authorization=value)
    token = mint(demo, canaries)
    for forge in FORGERIES.values():
        await ask("/orders", Authorization=f"Bearer {canaries.add('forgery', forge(demo, token))}")
    await ask("/orders", Authorization=bearer(expires_in=-3600))
    await ask(
        "/orders", **{"X-Request-Id": f"{copied} {copied}", "traceparent": copied, "tracestate": copied}
    )
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for path in ("/orders", "/public", "/nowhere"):
        await ask(path, **{"Authorization": f"Bearer {copied}", "X-Request-Id": f"id-{copied}"})
        await ask(path, Authorization=f"Bearer {copied}", traceparent=parent, tracestate=f"a={copied}")
    await ask(f"/query?access_token={copied}", **{"X-Request-Id": copied, "Referer": f"http://a/?b={copied}"})
    await ask(f"/{copied}/%2e%2e/x", Authorization=bearer())
    await suffer(demo, proxy, canaries, told)


async def knock(proxy: Running, token: str) -> None:
    """A websocket's handshake with the token among its subprotocols; the API refuses it."""
    encoded = urlsafe_b64encode(token.encode()).decode().rstrip("=")
    url = proxy.url.replace("http", "ws") + "/orders/ws"
    with pytest.raises(InvalidStatus):
        await connect(url, subprotocols=["chat", f"base64url.bearer.authorization.obo.{encoded}"])


async def suffer(demo: Demo, proxy: Running, canaries: Canaries, told: Told) -> None:
    """The authorization server fails in every way, also by saying back what it was sent."""
    faults = demo.faults
    number = 0

    async def ask() -> None:
        nonlocal number
        number += 1  # a user of its own each time, so that nothing is remembered
        token = mint(demo, canaries, claims={"session": f"s-{number}"})
        for body in ({"error": "invalid_grant"}, {"error": "invalid_client"}, {"error": "access_denied"}, {}):
            said = f"you sent {token} as {USER} ({CLAIM}) with {SERVICE_SECRET} and {last_assertion(demo)}"
            faults.refuse("token", 400, {**body, "error_description": said, "errorSummary": said}, times=1)
            told.keep(await proxy.get("/orders", token))
        faults.clear()

    await ask()
    issued = canaries.add("issued token", "canary-issued-token-8Rt4")
    for members in (
        {"access_token": issued + "\n"},
        {"access_token": issued, "token_type": "mac"},
        {"access_token": issued, "issued_token_type": issued},
        {"access_token": issued, "expires_in": "x"},
        {"access_token": issued, "token_type": "DPoP"},
    ):
        faults.members = members
        told.keep(await proxy.get("/orders", mint(demo, canaries, claims={"session": repr(members)})))
        faults.clear()
    for kind in ("html", "truncated", "null", "deep"):
        faults.garbage("token", kind, times=1)
        told.keep(await proxy.get("/orders", mint(demo, canaries, claims={"session": kind})))
    faults.clear()
    await demo.authorization_server.stop()
    told.keep(await proxy.get("/orders", mint(demo, canaries, claims={"session": "away"})))


def last_assertion(demo: Demo) -> str:
    """What the authorization server was sent last to tell who we are, if it came in the form."""
    sent = [
        request.form["client_assertion"] for request in demo.requests if "client_assertion" in request.form
    ]
    return sent[-1] if sent else ""


def write_spoilt(demo: Demo, canaries: Canaries, client: dict[str, Any]) -> Iterator[str]:
    """The files that vouch for us end, are cut, or are something else; what is wrong with which, while it is so."""
    ended = demo.tenant.workloads.vouch("canary-workload-2Hd6", demo.org_url, expires_in=-1)
    contents = {"ended": ended, "cut": ended[:-20], "odd": "canary-odd-4Jc8-no-credential"}
    canaries.add("workload", "canary-workload-2Hd6")
    for key in {"assertion_file", "key_file", "private_key_file"} & client.keys():
        file = Path(client[key])
        before = file.read_text()
        for name, content in contents.items():
            file.write_text(canaries.add(f"{name} {key}", content))
            yield f"{name} {key}"
        file.write_text(before)


async def spoil(demo: Demo, proxy: Running, canaries: Canaries, told: Told, client: dict[str, Any]) -> None:
    """Requests while the files are no good."""
    for name in write_spoilt(demo, canaries, client):
        told.keep(await proxy.get("/orders", mint(demo, canaries, claims={"session": name})))
        told.texts.append((f"status, {name}", (await proxy.admin.get("/api/status")).text))


@pytest.mark.parametrize(
    ("client", "log_format"),
    [
        ({}, "json"),
        ({"private_key_jwt": True, "dpop": True}, "console"),
        ({"way": "assertion_file"}, "json"),
        ({"way": "jwt-spiffe"}, "console"),
        ({"way": "tls_client_auth"}, "json"),
        ({"way": "self_signed_tls_client_auth", "dpop": True}, "console"),
    ],
    ids=["secret", "key and DPoP", "service account", "SVID", "certificate", "own certificate and DPoP"],
)
async def test_no_canary_is_heard(demo: Demo, client: dict[str, Any], log_format: str, capfd: Any):
    """X-14: with the log at debug, through all grants and faults, none in log, metrics, traces, pages or problems."""
    canaries, told = Canaries(), Told()
    canaries.add("client secret", SERVICE_SECRET)
    canaries.add("private key", demo.private_key_file.read_text())
    for way, pair in demo.client_files.pairs.items():
        canaries.add(f"key of {way}", pair.key_file.read_text())
    canaries.add("subject", USER)
    canaries.add("claim", CLAIM)
    raw = demo.settings(**client, routes=routes(demo))
    async with watched(raw, told, log_format=log_format) as proxy:
        await spoil(demo, proxy, canaries, told, raw["authorization_servers"]["orders"]["client"])
        await use_it(demo, proxy, canaries, told)
    canaries.add_recorded(demo.requests)
    canaries.add_recorded(demo.api_requests)
    told.texts += zip(("stdout", "stderr"), capfd.readouterr(), strict=True)
    assert len(canaries) > 100
    assert {name for name, _ in told.texts} >= {"log", "traces", "problem", "/metrics", "/api/status"}
    assert any("ended at" in text for _, text in told.texts) == (
        client.get("way") in demo.client_files.assertion_files
    )
    heard = {(place, name) for place, text in told.texts for name in canaries.found_in(text)}
    assert not heard, sorted(heard)


def test_canaries_are_found_in_every_form():
    """The search itself: as it is, in a URL, in base64, and part of a token."""
    canaries = Canaries()
    canaries.add("secret", "a secret/with+odd=characters")
    canaries.add("token", "eyJhbGciOiJub25lIn0.cGF5bG9hZC1oZXJl.c2lnbmF0dXJl")
    assert canaries.found_in("x a%20secret%2Fwith%2Bodd%3Dcharacters") == {"secret"}
    assert canaries.found_in("YSBzZWNyZXQvd2l0aCtvZGQ9Y2hhcmFjdGVycw==") == {"secret"}
    assert canaries.found_in("... cGF5bG9hZC1oZXJl ...") == {"token"}
    assert not canaries.found_in("eyJhbGciOiJub25lIn0")
