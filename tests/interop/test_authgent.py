"""authgent, twice: identity chaining from one of them to the other, and transaction tokens."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse

from proxy.demo.listener import Listener
from tests.support.proxy import PLAIN, running

COMMAND = shutil.which("authgent-server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
CHAINING = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"

pytestmark = [
    pytest.mark.skipif(
        COMMAND is None and os.environ.get("CI") != "true", reason="authgent-server is not here"
    ),
    pytest.mark.timeout(120),
]


def find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class Authgent:
    """One server that runs; ``client`` is ours there."""

    def __init__(self, url: str, client: dict[str, str]) -> None:
        self.url = url
        self.client = client

    async def mint(self, audience: str) -> str:
        """A token of the client's own, which stands for a user's."""
        form = {"grant_type": "client_credentials", "scope": "read", "resource": audience}
        async with httpx.AsyncClient(trust_env=False, timeout=20, verify=PLAIN) as http:
            answer = await http.post(f"{self.url}/token", data=form | self.client)
        return str(answer.raise_for_status().json()["access_token"])

    def settings(self) -> dict[str, Any]:
        client = {"id": self.client["client_id"], "secret": self.client["client_secret"]}
        return {"issuer": self.url, "client": client | {"auth": "client_secret_post"}}


@asynccontextmanager
async def authgent(folder: Path, name: str, **environment: str) -> AsyncIterator[Authgent]:
    """A server with a database of its own, until the block ends."""
    port = find_port()
    url = f"http://127.0.0.1:{port}"
    own = {
        "AUTHGENT_DATABASE_URL": f"sqlite+aiosqlite:///{folder / name}.db",
        "AUTHGENT_SERVER_URL": url,
        "AUTHGENT_HOST": "127.0.0.1",
        "AUTHGENT_PORT": str(port),
        **{f"AUTHGENT_{key.upper()}": value for key, value in environment.items()},
    }
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        *("run", "--host", "127.0.0.1", "--port", str(port)),
        cwd=folder,
        env=os.environ | own,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Authgent(url, await register(url))
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Authgent]:
    """The server whose tokens the callers have."""
    async with authgent(tmp_path_factory.mktemp("here"), "here") as server:
        yield server


async def register(url: str) -> dict[str, str]:
    """Ours there, once the server answers."""
    wishes = {
        "client_name": "obo-proxy",
        "grant_types": ["client_credentials", EXCHANGE, CHAINING],
        "scope": "read write",
        "token_endpoint_auth_method": "client_secret_post",
    }
    async with httpx.AsyncClient(trust_env=False, timeout=20, verify=PLAIN) as http:
        for _ in range(200):
            try:
                client = (await http.post(f"{url}/register", json=wishes)).raise_for_status().json()
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if await _is_known(http, url, client):
                break
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


async def _is_known(http: httpx.AsyncClient, url: str, client: dict[str, str]) -> bool:
    """Its sessions share one connection to the database: a rollback of another's may undo a registration."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    }
    return (await http.post(f"{url}/token", data=form)).status_code != 401


async def show(scope: Any, receive: Any, send: Any) -> None:
    """What came."""
    request = Request(scope)
    await JSONResponse({name: request.headers.getlist(name) for name in request.headers})(
        scope, receive, send
    )


def build_raw(here: Authgent, upstream: str, **route: Any) -> dict[str, Any]:
    return {
        "authorization_servers": {"here": here.settings()},
        "subject_tokens": [{"authorization_server": "here", "expected_audience": "https://proxy.example"}],
        "routes": [
            {
                "name": "api",
                "path": "/",
                "upstream": upstream,
                "authorization_server": "here",
                "scopes": ["read"],
            }
            | route
        ],
    }


async def test_identity_chaining(here: Authgent, tmp_path: Path):
    """One makes the first token, the other redeems it, once alone: the next costs another of it, and no more."""
    trusting = {"trusted_chaining_issuers": f'["{here.url}"]'}
    async with authgent(tmp_path, "there", **trusting) as there, Listener(lambda _: show) as api:
        legs = {"grant": "identity_chaining", "identity_provider": "here", "authorization_server": "there"}
        raw = build_raw(here, api.url, **legs)
        raw["authorization_servers"]["there"] = there.settings()
        raw["cache"] = {"max_ttl": 0}
        async with running(raw) as proxy:
            token = await here.mint("https://proxy.example")
            answers = [await proxy.get("/", token) for _ in range(2)]
            metrics = (await proxy.admin.get("/metrics")).text
    assert [answer.status_code for answer in answers] == [200, 200]
    seen = [decode(answer.json()["authorization"][0].removeprefix("Bearer ")) for answer in answers]
    assert {(claims["iss"], claims["chained_from"]) for claims in seen} == {(there.url, here.url)}
    assert seen[0]["sub"] == decode(token)["sub"]
    assert seen[0]["jti"] != seen[1]["jti"]
    assert 'authorization_server="here",leg="1",outcome="ok"' in metrics.replace(
        'outcome="ok",leg="1"', 'leg="1",outcome="ok"'
    )


async def test_transaction_tokens(here: Authgent):
    """Txn-Token, exactly one, with the request's context in it; the caller's own and its Authorization are gone."""
    async with Listener(lambda _: show) as api:
        wishes = {
            "audience": "https://trust-domain.example",
            "requested_token_type": "urn:ietf:params:oauth:token-type:txn_token",
            "request_context": ["req_ip", "method"],
            "token_out": {"header": "Txn-Token", "scheme": ""},
        }
        async with running(build_raw(here, api.url, **wishes)) as proxy:
            token = await here.mint("https://proxy.example")
            answer = await proxy.get("/", token, **{"Txn-Token": "forged"})
            posted = await proxy.client.post("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    headers = answer.json()
    assert "authorization" not in headers
    (txn_token,) = headers["txn-token"]
    assert jwt.get_unverified_header(txn_token)["typ"] == "txntoken+jwt"
    claims, other = decode(txn_token), decode(posted.json()["txn-token"][0])
    assert (claims["aud"], claims["scope"], claims["sub"]) == (
        "https://trust-domain.example",
        "read",
        decode(token)["sub"],
    )
    assert (claims["rctx"]["req_ip"], claims["rctx"]["method"]) == ("127.0.0.1", "GET")
    assert other["rctx"]["method"] == "POST"
    assert claims["txn"] != other["txn"]


def decode(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
