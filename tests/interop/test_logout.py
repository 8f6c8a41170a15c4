"""Back-channel logout as npm's oidc-provider tells of it: its tokens are none of our making."""

from __future__ import annotations

import json

import pytest

from tests.support.proxy import running

from .packages import WITHOUT_NODE, install, node
from .test_oidc_provider import HERE, make_client

pytestmark = pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here")


async def test_an_independent_issuers_word(tmp_path):
    """§2.4: what oidc-provider sends on a logout is accepted, for the client that is ours and for no other."""
    clients = [make_client(name, "client_secret_basic", client_secret="s") for name in ("ours", "other")]
    settings = json.dumps({"clients": clients, "jwks": {"keys": []}})
    async with node(HERE / "server.mjs", install(HERE), tmp_path, OBO_INTEROP=settings) as process:
        assert process.stdin
        assert process.stdout
        while not (issuer := (await process.stdout.readline()).decode().strip()).startswith("http://"):
            assert issuer, "the server did not start"
        async with running(build_configuration(issuer)) as proxy:
            uri = f"{proxy.admin_url}/api/backchannel-logout"
            told = {}
            for client in ("ours", "other"):
                line = json.dumps({"clientId": client, "subject": "alice", "uri": uri})
                process.stdin.write(line.encode() + b"\n")
                told[client] = (await process.stdout.readline()).decode().strip()
    assert told["ours"] == "told"
    assert "400 Bad Request" in told["other"]


def build_configuration(issuer: str) -> dict[str, object]:
    client = {"id": "ours", "secret": "s"}
    return {
        "authorization_servers": {"as": {"issuer": issuer, "client": client}},
        "subject_tokens": [{"authorization_server": "as", "expected_audience": "api://orders"}],
        "routes": [
            {"name": "all", "path": "/", "upstream": "http://127.0.0.1:9", "audience": "api://orders"}
        ],
    }
