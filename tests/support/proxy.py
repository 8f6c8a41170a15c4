"""The proxy itself, served on loopback in the test's own loop."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from proxy.admin import build_admin
from proxy.app import App, build_app
from proxy.config.load import parse_settings
from proxy.runtime import Clock
from proxy.server import Server

PLAIN = ssl.SSLContext(
    ssl.PROTOCOL_TLS_CLIENT
)  # for plain HTTP: httpx would read all authorities for each client


class Running:
    """A proxy that serves; ``client`` calls its public port, ``admin`` its admin port."""

    def __init__(self, app: App, server: Server) -> None:
        self.app = app
        self.server = server
        self.url = "http://{}:{}".format(*server.address)
        self.admin_url = "http://{}:{}".format(*server.admin_address)
        self.client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20, verify=PLAIN)
        self.admin = httpx.AsyncClient(base_url=self.admin_url, trust_env=False, timeout=20, verify=PLAIN)

    async def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """A GET with ``token`` as its bearer token."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.get(path, headers=headers)


@asynccontextmanager
async def running(raw: Mapping[str, Any], *, clock: Clock | None = None) -> AsyncIterator[Running]:
    """The proxy under the configuration ``raw``, on free ports unless it names some; ready when this yields."""
    listen = {"host": "127.0.0.1", "port": 0, "drain_timeout": "2s", **raw.get("listen", {})}
    admin = {"host": "127.0.0.1", "port": 0, **raw.get("admin", {})}
    if asked := raw.get("authorizer"):
        raw = {**raw, "authorizer": {"port": 0, **asked}}
    settings = parse_settings({**raw, "listen": listen, "admin": admin})
    app = build_app(settings, clock=clock)
    async with Server(settings, app, build_admin(app)) as server:
        proxy = Running(app, server)
        async with proxy.client, proxy.admin:
            yield proxy


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()["code"]
