"""Asks an authorizer as gateways do, over the wire."""

from __future__ import annotations

from typing import Any

from tests.support.proxy import Running
from tests.support.raw_client import RawResponse, connected

Fields = list[tuple[str, str]]


def build_question(dialect: str, method: str, target: str, fields: Fields, host: str = "localhost") -> bytes:
    """The request with which a gateway asks for ``method target``."""
    if dialect == "envoy":
        lines = [f"{method} /envoy{target} HTTP/1.1", f"Host: {host}"]
    elif dialect == "nginx":
        lines = ["GET /nginx HTTP/1.1", f"Host: {host}"]
        lines += [f"X-Original-Method: {method}", f"X-Original-URI: {target}"]
    else:
        lines = ["GET /forward HTTP/1.1", "Host: authorizer", f"X-Forwarded-Method: {method}"]
        lines += ["X-Forwarded-Proto: https", f"X-Forwarded-Host: {host}", f"X-Forwarded-Uri: {target}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def send(proxy: Running, request: bytes) -> RawResponse:
    """The answer to ``request`` at the authorizer's port."""
    address: Any = proxy.server.authorizer_address
    async with connected(address) as client:
        await client.send(request)
        return await client.response(request.split()[0].decode())


async def ask(
    proxy: Running,
    dialect: str,
    target: str = "/orders/7",
    token: str | None = None,
    *fields: tuple[str, str],
    method: str = "GET",
    host: str = "localhost",
) -> RawResponse:
    """The answer for a request with ``token`` as its bearer."""
    bearer = [] if token is None else [("Authorization", f"Bearer {token}")]
    return await send(proxy, build_question(dialect, method, target, [*bearer, *fields], host))
