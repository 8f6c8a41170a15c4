"""The application itself asks for its header: ``GET /AuthorizationHeader/{route}`` and its like without a user.

The paths, the parameters and the answer are those of the Microsoft Entra SDK's sidecar, so that its clients work here
as they are. What a parameter asks for and a route does not do is refused, not passed over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from ..errors import BadRequest, MethodNotAllowed
from ..http.asgi import Scope

FOR_USER, FOR_NOBODY = b"/AuthorizationHeader/", b"/AuthorizationHeaderUnauthenticated/"

_SCOPES = "optionsOverride.Scopes"
_APP_TOKEN = "optionsOverride.RequestAppToken"
_FORCE_REFRESH = "optionsOverride.AcquireTokenOptions.ForceRefresh"
_MOST_PARAMETERS = 64


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """For the route of that name; ``for_user`` is whether it is on behalf of whose bearer comes along."""

    route: str
    for_user: bool
    scopes: Sequence[str] = ()
    force_refresh: bool = False


def read_token_request(scope: Scope) -> TokenRequest | None:
    """None where the path is none of these. Raises BadRequest, MethodNotAllowed."""
    path = scope["raw_path"]
    prefix = next((one for one in (FOR_USER, FOR_NOBODY) if path.startswith(one)), None)
    if prefix is None:
        return None
    if scope["method"] != "GET":
        raise MethodNotAllowed(f"method {scope['method']}")
    name, for_user = path.removeprefix(prefix).decode("ascii", "replace"), prefix == FOR_USER
    scopes, app_token, force_refresh = [], False, False
    for key, value in _read_query(scope["query_string"]):
        if key == _SCOPES:
            scopes += value.split()
        elif key == _APP_TOKEN:
            app_token = _read_flag(key, value)
        elif key == _FORCE_REFRESH:
            force_refresh = _read_flag(key, value)
        else:
            raise BadRequest(
                f"a parameter asks for what no route does: only {_SCOPES}, {_APP_TOKEN} and {_FORCE_REFRESH} are known"
            )
    if app_token and for_user:
        raise BadRequest(f"{_APP_TOKEN}, where the token is a user's")
    return TokenRequest(name, for_user, scopes, force_refresh)


def require_scopes_of_route(asked: TokenRequest, scopes: Sequence[str]) -> None:
    """A token has the scopes that its route has. Raises BadRequest where another is asked for."""
    if not set(asked.scopes) <= set(scopes):
        raise BadRequest(
            f"{_SCOPES} names one that the route has not",
            remedy="Give the route that scope, or a route of its own to what needs it.",
        )


def build_token_answer(authorization: bytes) -> bytes:
    """The JSON body; ``authorization`` is scheme and token."""
    return json.dumps({"authorizationHeader": authorization.decode("ascii")}).encode()


def _read_query(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise BadRequest("the query is no list of parameters") from None


def _read_flag(key: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise BadRequest(f"{key} is neither true nor false")
    return value.lower() == "true"
