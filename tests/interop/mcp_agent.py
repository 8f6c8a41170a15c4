"""An MCP client behind obo-proxy, as MCP's conformance suite runs one: the server's URL is its last argument.

It has its user's ID token and no other; the proxy makes both legs of enterprise-managed authorization for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
import httpx2
import jwt
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.proxy import running
from tests.support.scripted_server import ScriptedServer, answer


def build_settings(
    context: dict[str, str], mcp: str, metadata: dict[str, Any], vouching: str
) -> dict[str, Any]:
    """One route to the server at ``mcp``; ``vouching`` says of ID tokens that they are good."""
    return {
        "authorization_servers": {
            "idp": {
                "issuer": context["idp_issuer"],
                "introspection_url": vouching,
                "client": {
                    "id": context["idp_client_id"],
                    "auth": "client_secret_post",
                    "secret": "unheeded",
                },
            },
            "mcp": {
                "issuer": metadata["authorization_servers"][0],
                "client": {"id": context["client_id"], "secret": context["client_secret"]},
            },
        },
        "subject_tokens": [
            {
                "authorization_server": "idp",
                "expected_audience": context["idp_client_id"],
                "introspect": True,  # the suite's identity provider publishes no keys
            }
        ],
        "routes": [
            {
                "name": "mcp",
                "path": "/mcp",
                "upstream": mcp.removesuffix("/mcp"),
                "grant": "id_jag",
                "identity_provider": "idp",
                "authorization_server": "mcp",
                "resource": metadata["resource"],
                "scopes": metadata.get("scopes_supported", []),
                "subject_token_type": "id_token",
            }
        ],
    }


async def main(mcp: str) -> None:
    context = json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])
    id_token = context["idp_id_token"]
    claims = jwt.decode(id_token, options={"verify_signature": False})
    well_known = mcp.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    async with httpx.AsyncClient(trust_env=False) as http:
        metadata = (await http.get(well_known)).raise_for_status().json()
    async with (
        ScriptedServer(answer(200, {"active": True, **claims})) as vouching,
        running(build_settings(context, mcp, metadata, vouching.url)) as proxy,
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {id_token}"}, trust_env=False) as http,
    ):
        transport = streamable_http_client(proxy.url + "/mcp", http_client=http)
        async with Client(transport, mode="legacy") as client:
            print([tool.name for tool in (await client.list_tools()).tools])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
