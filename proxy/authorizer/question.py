"""What is asked of the authorizer, by the path with which it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import NoRoute, ProxyError
from ..http.asgi import Scope
from ..http.headers import Fields
from .dialects import ENVOY_PREFIX, READERS
from .token_requests import TokenRequest, read_token_request

Dialect = Literal["", "envoy", "nginx", "forward", "token", "health"]

_DIALECTS: dict[bytes, Dialect] = {b"/nginx": "nginx", b"/forward": "forward", b"/healthz": "health"}


@dataclass(frozen=True, slots=True)
class Question:
    """``scope`` is the original request's; ``fault`` is why there is none. ``token`` is what an application asks.

    ``fields`` are all that came along: the gateway may pass on any of them.
    """

    dialect: Dialect
    scope: Scope
    token: TokenRequest | None = None
    fault: ProxyError | None = None
    fields: Fields = ()


def read_question(scope: Scope) -> Question:
    """Never raises: what is wrong is part of it, and is answered where all refusals are."""
    path = scope["raw_path"]
    dialect: Dialect = "envoy" if path.startswith(ENVOY_PREFIX + b"/") else _DIALECTS.get(path, "token")
    try:
        if dialect == "health":
            return Question(dialect, scope)
        if dialect == "token":
            token = read_token_request(scope)
            fault = None if token else NoRoute("no path of the authorizer's")
            return Question(dialect if token else "", scope, token, fault)
        return Question(dialect, READERS[dialect](scope).build_scope(scope), fields=scope["headers"])
    except ProxyError as error:
        return Question(dialect, scope, fault=error)
