"""Real gateways with the shipped configurations: what reaches the API is its own users' token, and nothing else."""

from __future__ import annotations

import asyncio
import json
import posixpath
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.demo import decode
from tests.support.prover import Prover
from tests.support.redis_server import find_free_port
from tests.support.strict_http import Cursor, Request, read_response

from .conftest import EXTERNAL, Stage
from .programs import Ports, running
from .shapes import Shape, build_shapes

pytestmark = pytest.mark.asyncio(loop_scope="module")
# What the token of each route says: audience and scopes.
TOKENS = {
    "orders": ("api://orders", ["orders:read"]),
    "profile": ("api://default", ["api:access:read"]),
}
_AT_ONCE = 12


def find_route(target: bytes) -> str | None:
    """The route whose token a request for ``target`` may carry, as an API reads it; None for none."""
    text = re.sub(r"^https?://[^/?]*", "", target.decode("latin-1")).partition("?")[0]
    for _ in range(4):
        text = unquote(text)
    path = posixpath.normpath(re.sub(r"[\\/]+", "/", text))
    if path == "/orders/profile" or path.startswith("/orders/profile/"):
        return "profile"
    return next((name for name in TOKENS if path == f"/{name}" or path.startswith(f"/{name}/")), None)


def judge(request: Request, secrets: set[bytes]) -> str:
    """The user on whose behalf ``request`` has reached the API; every fault of it fails."""
    lines = b"\n".join([request.target, *(b"%b: %b" % field for field in request.fields)])
    assert not [secret for secret in secrets if secret in lines], lines
    values = request.values(b"authorization")
    assert len(values) == 1, lines
    scheme, _, token = values[0].partition(b" ")
    assert scheme == b"Bearer"
    claims = decode(token.decode())
    route = find_route(request.target)
    assert route, lines
    assert (claims["aud"], claims["scp"]) == TOKENS[route], lines
    return claims["sub"]


def status_of(answer: bytes) -> int:
    """0 where there is no response with a status: an end of the connection, or an answer in HTTP/0.9."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


async def test_a_caller_that_holds_a_key(stage: Stage):
    """RFC 9449: it learns the nonce, its proof is asked for, and goes no further."""
    stage.api.clear()
    prover = Prover()
    token = stage.demo.mint("alice", claims=prover.confirmation)

    async def call(**claims: str) -> bytes:
        shown = prover.show(f"{EXTERNAL}/orders/1", token, **claims).items()
        fields = "".join(f"{name}: {value}\r\n" for name, value in shown)
        head = f"GET /orders/1 HTTP/1.1\r\nHost: localhost\r\n{fields}Connection: close\r\n\r\n"
        return await stage.send(head.encode())

    refused = await call()
    assert status_of(refused) == 401, refused
    nonce = re.search(rb"(?i)\r\ndpop-nonce: *([^\r]+)", refused)
    assert nonce, refused
    assert stage.api.requests == []
    served = await call(nonce=nonce[1].decode())
    assert status_of(served) == 200, served
    [request] = stage.api.requests
    assert judge(request, {token.encode()}) == "alice"
    assert request.values(b"dpop") == []


async def test_users_are_served_on_their_own_behalf(stage: Stage):
    """Concurrently, on connections that the gateway shares."""
    stage.api.clear()
    tokens = {f"user{number}": stage.demo.mint(f"user{number}") for number in range(6)}

    async def call(user: str, path: str) -> None:
        head = f"POST {path}?u={user} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {tokens[user]}\r\n"
        answer = await stage.send(f"{head}Connection: close\r\nContent-Length: 4\r\n\r\nbody".encode())
        response = read_response(Cursor(answer), b"POST")
        assert response.status == 200, answer
        seen = json.loads(response.body)
        assert (seen["target"], seen["body"]) == (f"{path}?u={user}", "body")

    await asyncio.gather(
        *(call(user, path) for user in tokens for path in ("/orders/1", "/profile", "/orders/profile"))
    )
    secrets = {token.encode() for token in tokens.values()}
    served = [(judge(request, secrets), request.target) for request in stage.api.requests]
    assert sorted(served) == sorted(
        (user, f"{path}?u={user}".encode())
        for user in tokens
        for path in ("/orders/1", "/profile", "/orders/profile")
    )
    assert stage.api.faults == []


async def test_the_host_decides_as_it_does_at_the_proxy(stage: Stage):
    """The one that the API is sent, too."""
    stage.api.clear()
    token = stage.demo.mint("alice")
    for host in ("api.example", "localhost", "API.example:8443"):
        head = f"GET /orders/named HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        answer = await stage.send(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        assert status_of(answer) == 200
    tokens = [one.values(b"authorization")[0].removeprefix(b"Bearer ") for one in stage.api.requests]
    seen = [
        (one.values(b"host")[0].lower(), decode(token.decode())["scp"])
        for one, token in zip(stage.api.requests, tokens, strict=True)
    ]
    assert seen == [
        (b"api.example", ["api:access:read"]),
        (b"localhost", ["orders:read"]),
        (b"api.example:8443", ["api:access:read"]),
    ]


@pytest.mark.parametrize("url", ["http://api.example", "http://localhost", "http://api.example@localhost"])
@pytest.mark.parametrize("host", ["api.example", "localhost"])
async def test_of_two_hosts_the_one_decides_that_the_api_is_sent(stage: Stage, url: str, host: str):
    """A target in absolute-form may name another than ``Host`` (RFC 9112 §3.2.2)."""
    stage.api.clear()
    head = f"GET {url}/orders/named HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    await stage.send(f"{head}Authorization: Bearer {stage.demo.mint('alice')}\r\n\r\n".encode())
    for request in stage.api.requests:
        claims = decode(request.values(b"authorization")[0].removeprefix(b"Bearer ").decode())
        named = request.values(b"host") == [b"api.example"]
        assert claims["scp"] == (["api:access:read"] if named else ["orders:read"])


@pytest.mark.parametrize(
    ("target", "token", "status", "code"),
    [
        ("/orders", None, 401, "subject_token_missing"),
        ("/orders", "no.token.atall", 401, "subject_token_invalid"),
        ("/payroll", "alice", 403, "exchange_denied"),
        ("/nowhere", "alice", 404, "no_route"),
        ("/orders/%2e%2e/profile", "alice", 400, "path_refused"),
    ],
)
async def test_refusals_reach_the_caller(
    stage: Stage, target: str, token: str | None, status: int, code: str
):
    """With status, code and challenge; the API hears nothing."""
    stage.api.clear()
    token = stage.demo.mint(token) if token == "alice" else token
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-Id: r-{status}\r\n{bearer}\r\n"
    answer = await stage.send(head.encode())
    response = read_response(Cursor(answer), b"GET")
    assert (response.status, json.loads(response.body)["code"]) == (status, code), answer
    assert response.values(b"x-request-id") == [b"r-%d" % status]
    challenges = response.values(b"www-authenticate")
    schemes = {one.partition(b" ")[0] for one in challenges}
    offered = {b"Bearer"} if stage.program.name == "nginx" else {b"Bearer", b"DPoP"}  # it passes on one alone
    assert schemes == (offered if status in (401, 403) else set())
    assert stage.api.requests == []


async def test_what_is_no_refusal_of_the_callers(stage: Stage):
    """An authorization server that is away: 503, though Envoy tells no more than that."""
    stage.api.clear()
    stage.demo.faults.refuse("token", 503, {})
    try:
        head = (
            f"GET /orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {stage.demo.mint('erin')}\r\n"
        )
        answer = await stage.send(f"{head}Connection: close\r\n\r\n".encode())
    finally:
        stage.demo.faults.clear()
    response = read_response(Cursor(answer), b"GET")
    assert response.status == 503, answer
    if stage.program.name != "envoy":
        assert response.values(b"retry-after")
        assert json.loads(response.body)["code"] == "authorization_server_unavailable"
    assert stage.api.requests == []


async def test_an_authorizer_that_is_away_lets_nothing_through(stage: Stage, tmp_path: Path):
    """Another gateway of the same kind, with nobody to ask."""
    stage.api.clear()
    ports = Ports(find_free_port(), find_free_port(), stage.api.port)
    token = stage.demo.mint("alice")
    head = f"GET /orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    async with running(stage.program, tmp_path, ports):
        answer = await replace(stage, port=ports.gateway).send(head.encode())
    assert status_of(answer) in (502, 503), answer
    assert stage.api.requests == []


async def test_whatever_the_shape_of_a_request(stage: Stage):
    """300 paths and heads: none brings the caller's token to the API, nor two, nor none, nor another route's."""
    stage.api.clear()
    alice, bob = stage.demo.mint("alice"), stage.demo.mint("bob")
    secrets = {part.encode() for part in (alice, alice.rpartition(".")[2])}
    shapes = build_shapes(alice, bob)
    assert len(shapes) >= 300
    answers: dict[str, bytes] = {}
    waiting = iter(shapes)

    async def work() -> None:
        for shape in waiting:
            answers[shape.name] = await _try(stage, shape)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    for request in stage.api.requests:
        assert judge(request, secrets) == "alice"
    reached = sum(status_of(answer) == 200 for answer in answers.values())
    assert reached == len(stage.api.requests)
    sound = [shape.name for shape in shapes if shape.sound]
    assert [name for name in sound if status_of(answers[name]) != 200] == []
    assert not any(secret in answer for answer in answers.values() for secret in secrets)


async def _try(stage: Stage, shape: Shape) -> bytes:
    try:
        async with asyncio.timeout(8):
            return await stage.send(shape.request)
    except (OSError, TimeoutError):
        return b""
