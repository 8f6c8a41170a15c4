"""The proxy's raw configuration for the demo, in the shape of its YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .org import SERVICE_SECRET
from .tenant import Tenant

_EXCHANGED_AT = ("default", "orders", "payroll")


def build_settings(
    tenant: Tenant,
    api_url: str,
    *,
    client: Mapping[str, Any] | None = None,
    ca_file: Path | None = None,
    dpop: bool = False,
) -> dict[str, Any]:
    """One route for each thing to show; ``client`` is who we are instead of the client with a secret."""
    server = {"client": client or build_secret_client(tenant), "dpop": dpop}
    if ca_file is not None:
        server["ca_file"] = str(ca_file)
    return {
        "listen": {"host": "127.0.0.1", "port": 0},
        "admin": {"host": "127.0.0.1", "port": 0},
        "authorization_servers": {name: {"issuer": tenant.issuer(name)} | server for name in _EXCHANGED_AT},
        "subject_tokens": [
            {
                "authorization_server": "default",
                "expected_audience": tenant.servers["default"].audience,
                "client_ids": [tenant.clients["web"].id],
            }
        ],
        "routes": build_routes(tenant, api_url),
    }


def build_routes(tenant: Tenant, api_url: str) -> list[dict[str, Any]]:
    """orders: at a server that trusts the issuer. profile: at the issuer itself. payroll: the policy says no.

    reports: without a user. public: without a token.
    """

    def build_route(name: str, server: str, *scopes: str, **more: Any) -> dict[str, Any]:
        audience = {"audience": tenant.servers[server].audience} if "grant" not in more else {}
        route = {"name": name, "path": f"/{name}", "upstream": api_url, "authorization_server": server}
        return {**route, **audience, "scopes": list(scopes), **more}

    return [
        build_route("orders", "orders", "orders:read"),
        build_route("profile", "default", "api:access:read"),
        build_route("payroll", "payroll", "payroll:read"),
        build_route("reports", "orders", "orders:read", grant="client_credentials"),
        {"name": "public", "path": "/public", "upstream": api_url, "grant": "none"},
    ]


def add_id_token_routes(raw: dict[str, Any], tenant: Tenant, partner: Tenant, api_url: str) -> None:
    """Routes whose callers bring ID tokens of the org.

    chat: at another company, which redeems an ID-JAG. saas: an account elsewhere, to which users agree once.
    """
    org = {"issuer": tenant.issuer("org")} | {
        key: value for key, value in raw["authorization_servers"]["default"].items() if key != "issuer"
    }
    there = {"id": partner.clients["obo-proxy"].id, "auth": "client_secret_basic", "secret": SERVICE_SECRET}
    raw["authorization_servers"] |= {"org": org, "chat": {"issuer": partner.issuer("chat"), "client": there}}
    entry = {"authorization_server": "org", "expected_audience": tenant.clients["web"].id}
    raw["subject_tokens"] = [*raw["subject_tokens"], entry]
    chat = {
        "name": "chat",
        "path": "/chat",
        "upstream": api_url,
        "grant": "id_jag",
        "identity_provider": "org",
        "authorization_server": "chat",
        "resource": partner.servers["chat"].audience,
        "scopes": ["chat.read"],
        "subject_token_type": "id_token",
    }
    saas = {
        "name": "saas",
        "path": "/public/saas",
        "upstream": api_url,
        "authorization_server": "org",
        "resource": "urn:demo:saas",
        "subject_token_type": "id_token",
        "requested_token_type": "urn:okta:params:oauth:token-type:oauth-sts",
        "token_out": {"header": "X-Saas-Token", "scheme": ""},
    }
    raw["routes"] = [*raw["routes"], chat, saas]


def build_secret_client(tenant: Tenant) -> dict[str, Any]:
    """The client that is known by a secret."""
    return {"id": tenant.clients["obo-proxy"].id, "auth": "client_secret_basic", "secret": SERVICE_SECRET}
