"""A request's head as ASGI shows it to the application (HTTP connection scope, spec version 2.3)."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import unquote

from ..http.asgi import Scope
from ..http.headers import Field
from .sockets import find_address

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_OWN: Final = ("http_version", "method", "path", "raw_path", "query_string", "headers")


def build_connection_scope(transport: asyncio.Transport) -> Scope:
    """What all requests of a connection share."""
    return {
        "type": "http",
        "asgi": _ASGI,
        "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
        "root_path": "",
        "client": find_address(transport, "peername"),
        "server": find_address(transport, "sockname"),
    }


def build_template(transport: asyncio.Transport) -> Scope:
    """As ``build_connection_scope``, with room for what each request adds: else its scope would grow, twice."""
    return {**build_connection_scope(transport), **dict.fromkeys(_OWN)}


def build_scope(
    template: Scope,
    *,
    version: str,
    method: str,
    target: bytes,
    headers: list[Field],
    app_state: dict[str, Any],
) -> Scope:
    """The scope of a request of the ``template``'s connection, whose head is read and checked.

    ``target`` is in origin-form or ``*``; ``headers`` have lower-case names; ``app_state`` is what the lifespan left.
    """
    raw_path, _, query = target.partition(b"?")
    path = raw_path.decode("ascii", "replace")
    scope = {
        **template,
        "http_version": version,
        "method": method,
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
    }
    if app_state:
        scope["state"] = app_state.copy()
    return scope
