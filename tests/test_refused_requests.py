"""A request that is refused leaves nothing behind that would wait for the garbage collector."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from proxy.demo import Demo

from .support.demo import resign
from .support.leftovers import leftovers
from .support.prover import Prover
from .support.proxy import Running, running
from .support.raw_client import connected

# What caches keep on purpose, and what the demo's own servers (plain uvicorn) leave.
KEPT = (
    "asyncio.locks.Event",
    "httptools.parser.parser.HttpRequestParser",
    "proxy.authentication.verifier.KnownToken",
    "proxy.cache.entries.Entry",
    "proxy.cache.memo.Note",
    "proxy.errors.SubjectTokenRefused",
    "proxy.exchange.token_exchange.AccessToken",
    "proxy.upstream.connection.Connection",
    "proxy.server.flow.FlowControl",
    "proxy.demo.",
    "uvicorn.protocols.http.httptools_impl.RequestResponseCycle",
)
MakeToken = Callable[[Demo, str], str | None]


async def ask(proxy: Running, token: str | None, path: str = "/orders/1", proof: str | None = None) -> int:
    """The status of a GET on a connection of its own."""
    bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
    if proof is not None:
        bearer = f"Authorization: DPoP {token}\r\nDPoP: {proof}\r\n"
    async with connected(proxy.server.address) as client:
        await client.send(f"GET {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n{bearer}\r\n".encode())
        return (await client.response()).status


async def find_leftovers(proxy: Running, make_token: Callable[[], str | None], *statuses: int) -> set[str]:
    async def visit() -> None:
        assert await ask(proxy, make_token()) in statuses

    return set(await leftovers(visit, kept=KEPT))


@pytest.mark.parametrize(
    ("make_token", "status"),
    [
        pytest.param(lambda demo, user: None, 401, id="no token"),
        pytest.param(lambda demo, user: "no.token.atall", 401, id="garbage"),
        pytest.param(lambda demo, user: resign(demo.mint(user)), 401, id="forged"),
        pytest.param(lambda demo, user: resign(demo.mint(user), kid="unknown"), None, id="a key unknown"),
        pytest.param(lambda demo, user: demo.mint(user, expires_in=-1000), 401, id="expired"),
        pytest.param(lambda demo, user: demo.mint(user, audience="api://other"), 401, id="not for us"),
        pytest.param(lambda demo, user: demo.mint(user, server="payroll"), 401, id="not accepted"),
    ],
)
async def test_nothing_is_left_of_a_token_that_is_refused(
    demo: Demo, make_token: MakeToken, status: int | None
) -> None:
    """Nobody without a good token can fill our memory."""
    users = itertools.count()
    async with running(demo.settings()) as proxy:
        # A key that is unknown is looked for once (401); a moment later it is not yet known to be none (503).
        statuses = (401, 503) if status is None else (status,)
        left = await find_leftovers(proxy, lambda: make_token(demo, f"user{next(users)}"), *statuses)
        assert left == set()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((400, {"error": "invalid_grant"}), 401),
        ((400, {"error": "invalid_scope"}), 502),
        ((401, {"error": "invalid_client"}), 502),
        ((400, {"error": "insufficient_user_authentication"}), 401),
        ((200, {"access_token": ""}), 502),
        ((503, {}), 503),
        ((429, {}), 503),
    ],
)
async def test_nothing_is_left_of_an_exchange_that_fails(
    demo: Demo, answer: tuple[int, Any], status: int
) -> None:
    """Retried or not, and however it is answered."""
    users = itertools.count()
    async with running(demo.settings()) as proxy:
        demo.faults.refuse("token", *answer)
        assert await find_leftovers(proxy, lambda: demo.mint(f"user{next(users)}"), status) == set()


@pytest.mark.parametrize("answered", [401, 503, None])
async def test_nothing_is_left_of_an_upstream_that_refuses(demo: Demo, answered: int | None) -> None:
    """With an answer of its own, or by not being there (None)."""
    users = itertools.count()
    raw = demo.settings()
    if answered is None:
        for route in raw["routes"]:
            route["upstream"] = "http://127.0.0.1:1"
    else:
        demo.faults.fail("api", answered)
    async with running(raw) as proxy:
        left = await find_leftovers(proxy, lambda: demo.mint(f"user{next(users)}"), answered or 502)
        assert left == set()


@pytest.mark.parametrize("claims", [{"htm": "POST"}, {"iat": 0}, {"nonce": "x"}], ids=["htm", "iat", "nonce"])
async def test_nothing_is_left_of_a_proof_that_is_refused(demo: Demo, claims: dict[str, Any]) -> None:
    """Nor of the token that it came with, but for what is known of that."""
    prover, raw = Prover(), demo.settings(listen={"external_url": "https://api"})
    for entry in raw["subject_tokens"]:
        entry.update({"dpop": "accept", "dpop_nonce": True})
    token = demo.mint("alice", claims=prover.confirmation)
    async with running(raw) as proxy:

        async def visit() -> None:
            proof = prover.prove("https://api/orders/1", token, **claims)
            assert await ask(proxy, token, proof=proof) == 401

        assert set(await leftovers(visit, kept=KEPT)) == set()
