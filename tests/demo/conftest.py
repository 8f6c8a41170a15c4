"""The org without a socket: an HTTP client that talks to the ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.demo.authorization_server import build_authorization_server
from proxy.demo.org import build_tenant
from proxy.demo.signing import PrivateKey
from proxy.demo.tenant import TOKEN_EXCHANGE, Tenant
from proxy.demo.tokens import mint
from proxy.demo.wire import Wire
from tests.support.demo import basic

URL = "http://org.test"


@dataclass
class Org:
    """The tenant, its app, and an HTTP client for it."""

    tenant: Tenant
    app: Wire
    http: httpx.AsyncClient
    client_key: PrivateKey

    async def ask(self, server: str, form: dict[str, Any], **headers: str) -> httpx.Response:
        """A token request by the service client, unless ``form`` or ``authorization`` says otherwise."""
        if "authorization" not in headers and not {"client_id", "client_assertion"} & form.keys():
            headers["authorization"] = basic()
        path = self.tenant.servers[server].endpoints
        return await self.http.post(f"{path}/token", data=form, headers=headers)

    async def exchange(self, server: str = "orders", **form: str | None) -> httpx.Response:
        """A right exchange of alice's token, but for what ``form`` says; None leaves a parameter out."""
        right = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": mint(self.tenant, "alice"),
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": self.tenant.servers[server].audience,
            "scope": "orders:read",
        }
        return await self.ask(
            server, {name: value for name, value in {**right, **form}.items() if value is not None}
        )


@pytest.fixture
async def org() -> AsyncIterator[Org]:
    key = ec.generate_private_key(ec.SECP256R1())
    tenant = build_tenant(URL, client_key=key)
    app = build_authorization_server(tenant)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as http:
        yield Org(tenant, app, http, key)
