"""A request's head as ASGI shows it to the application (HTTP connection scope, spec version 2.3)."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol
from urllib.parse import unquote

from ..http.asgi import Scope
from ..http.headers import Field
from .sockets import find_address

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


class RequestHead(Protocol):
    """Read and checked, by whichever protocol it came. ``headers`` have lower-case names."""

    @property
    def version(self) -> str:
        """Of HTTP."""
        ...

    @property
    def method(self) -> str: ...

    @property
    def target(self) -> bytes:
        """In origin-form, or ``*``."""
        ...

    @property
    def headers(self) -> list[Field]: ...


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


def build_scope(connection: Scope, head: RequestHead, app_state: dict[str, Any]) -> Scope:
    """The scope of the request whose head has just been read; ``app_state`` is what the lifespan has left."""
    raw_path, _, query = head.target.partition(b"?")
    path = raw_path.decode("ascii", "replace")
    scope = {
        **connection,
        "http_version": head.version,
        "method": head.method,
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": head.headers,
    }
    if app_state:
        scope["state"] = app_state.copy()
    return scope
