"""Callers whose tokens are bound to a key, by npm's openid-client and dpop, with tokens of npm's oidc-provider."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.demo import decode
from tests.support.proxy import running
from tests.support.raw_upstream import RawUpstream, response
from tests.support.redis_server import find_free_port

from .packages import WITHOUT_NODE, install, node

HERE = Path(__file__).parent
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SECRET = "s" * 32
CLIENT = {
    "token_endpoint_auth_method": "client_secret_post",
    "client_secret": SECRET,
    "redirect_uris": [],
    "response_types": [],
}
CLIENTS = [
    CLIENT | {"client_id": "app", "grant_types": ["client_credentials"], "dpop_bound_access_tokens": True},
    CLIENT | {"client_id": "proxy", "grant_types": [EXCHANGE]},
]

pytestmark = pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Takes its own tokens as subject tokens."""
    folder = tmp_path_factory.mktemp("issuer")
    packages = await asyncio.to_thread(install, HERE / "oidc_provider")
    script = HERE / "oidc_provider" / "server.mjs"
    async with node(script, packages, folder, OBO_INTEROP=json.dumps({"clients": CLIENTS})) as process:
        assert process.stdout
        address = ""
        while not address.startswith("http://"):
            line = await process.stdout.readline()
            assert line, "the server did not start"
            address = line.decode().strip()
        yield address


def configure(issuer: str, upstream: RawUpstream, *, nonce: bool) -> dict[str, Any]:
    port = find_free_port()
    proxy = {"id": "proxy", "auth": "client_secret_post", "secret": SECRET}
    return {
        "listen": {"port": port, "external_url": f"http://127.0.0.1:{port}"},
        "authorization_servers": {"as": {"issuer": issuer, "client": proxy}},
        "subject_tokens": [
            {
                "authorization_server": "as",
                "expected_audience": "api://orders",
                "client_ids": ["app"],
                "dpop": "require",
                "dpop_nonce": nonce,
            }
        ],
        "routes": [
            {
                "name": "orders",
                "path": "/",
                "upstream": upstream.url,
                "audience": "api://orders",
                "scopes": ["orders:read"],
            }
        ],
    }


async def call(folder: Path, **settings: Any) -> list[dict[str, Any]]:
    """What the API answered that caller."""
    packages = await asyncio.to_thread(install, HERE / "bound_callers")
    settings["client"] = {"id": "app", "secret": SECRET}
    script = HERE / "bound_callers" / "client.mjs"
    async with node(script, packages, folder, OBO_INTEROP=json.dumps(settings)) as process:
        assert process.stdout
        line = await process.stdout.readline()
        assert line, "the caller has failed"
        return json.loads(line)


@pytest.mark.parametrize("nonce", [False, True], ids=["", "nonce"])
@pytest.mark.parametrize(
    ("library", "alg"),
    [("openid-client", "ES256"), ("openid-client", "Ed25519"), ("dpop", "ES256"), ("dpop", "Ed25519")],
)
async def test_callers(issuer: str, tmp_path: Path, library: str, alg: str, nonce: bool) -> None:
    """Three requests, one exchange; the API sees neither their token nor their proofs, and none of it twice."""
    async with RawUpstream([response(b"{}")]) as upstream:
        raw = configure(issuer, upstream, nonce=nonce)
        async with running(raw) as proxy:
            api = f"{proxy.url}/orders/1"
            answers = await call(tmp_path, issuer=issuer, api=api, library=library, alg=alg)
            assert [answer["status"] for answer in answers[:3]] == [200] * 3
            for replay in answers[3:]:
                assert (replay["status"], replay["body"]["code"]) == (401, "proof_invalid")
                assert replay["challenge"].startswith('DPoP realm="obo-proxy", error="invalid_dpop_proof"')
            assert len(answers) == (4 if library == "dpop" else 3)
            metrics = (await proxy.admin.get("/metrics")).text
            assert 'obo_exchanges_total{authorization_server="as",outcome="ok"} 1.0' in metrics
    sent = [request.lower() for request in upstream.requests]
    assert len(sent) == 3
    assert not any(b"\r\ndpop:" in request for request in sent)
    token = upstream.requests[0].split(b"authorization: Bearer ")[1].split(b"\r\n")[0].decode()
    assert decode(token)["client_id"] == "proxy"
