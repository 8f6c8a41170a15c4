"""``python -m tests.interop.mcp_bound_agent MCP_URL``: the client that the suite's DPoP scenarios examine.

It gets a token at the suite's authorization server as they want it, bound to its key. The suite publishes no key by
which anybody could verify that token, so towards the proxy, which is started here, the client has one of the demo's,
bound to the same key. The MCP server at ``MCP_URL`` is called through the proxy alone, and judges what comes of that:
a token that is bound to the proxy's key, a fresh proof for each request, and the answer to its own nonce.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from proxy.demo import Demo
from tests.support.prover import Prover
from tests.support.proxy import PLAIN, Running, running

EXTERNAL = "https://mcp.example.com"
ACCEPT = "application/json, text/event-stream"
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "obo-proxy", "version": "1"},
}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("initialize", INITIALIZE),
    ("tools/list", {}),
    ("tools/call", {"name": "test-tool", "arguments": {}}),
]


async def main(mcp_url: str) -> None:
    prover = Prover()
    async with httpx.AsyncClient(trust_env=False, timeout=10, verify=PLAIN) as http:
        await sign_in(http, mcp_url, prover)
    upstream = urlsplit(mcp_url)
    async with Demo() as demo:
        raw = demo.settings(dpop=True)
        for entry in raw["subject_tokens"]:
            entry.update({"dpop": "require", "dpop_nonce": True})
        raw["listen"] = {"external_url": EXTERNAL}
        raw["routes"] = [raw["routes"][0] | {"upstream": f"http://{upstream.netloc}", "path": upstream.path}]
        async with running(raw) as proxy:
            token = demo.mint("alice", claims=prover.confirmation)
            for number, (method, parameters) in enumerate(CALLS):
                content = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
                await call(proxy, upstream.path, token, prover, content)


async def sign_in(http: httpx.AsyncClient, mcp_url: str, prover: Prover) -> None:
    """By Authorization Code with PKCE, as the MCP server's metadata says; asked for a nonce, with that."""
    url = urlsplit(mcp_url)
    well_known = f"{url.scheme}://{url.netloc}/.well-known/oauth-protected-resource{url.path}"
    resource = (await http.get(well_known)).raise_for_status().json()
    issuer = resource["authorization_servers"][0]
    server = (await http.get(f"{issuer}/.well-known/oauth-authorization-server")).raise_for_status().json()
    redirect_uri, verifier = "http://127.0.0.1:1/callback", secrets.token_urlsafe(32)
    registration = {"redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none"}
    client = (await http.post(server["registration_endpoint"], json=registration)).raise_for_status().json()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    common = {
        "client_id": client["client_id"],
        "redirect_uri": redirect_uri,
        "resource": resource["resource"],
    }
    asked = {"response_type": "code", "code_challenge": challenge, "code_challenge_method": "S256"}
    answer = await http.get(server["authorization_endpoint"], params=common | asked)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    form = common | {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    endpoint, nonce = server["token_endpoint"], None
    for _ in range(2):
        proof = prover.prove(endpoint, "", "POST", ath=None, nonce=nonce)
        answer = await http.post(endpoint, data=form, headers={"DPoP": proof})
        nonce = answer.headers.get("dpop-nonce")
        if answer.status_code == 200:
            break
    answer.raise_for_status()


async def call(proxy: Running, path: str, token: str, prover: Prover, content: dict[str, Any]) -> None:
    """With the proxy's nonce, once it is known.

    The server's own nonce is the proxy's to learn; what has a body is not its to send again, so the caller does.
    """
    nonce = None
    for _ in range(3):
        shown = prover.show(EXTERNAL + path, token, "POST", nonce=nonce)
        answer = await proxy.client.post(path, json=content, headers=shown | {"Accept": ACCEPT})
        nonce = answer.headers.get("dpop-nonce")
        if answer.status_code != 401:
            break
    answer.raise_for_status()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
