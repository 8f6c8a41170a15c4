"""What a route asks authorization servers for, by the configuration."""

from __future__ import annotations

from typing import Any, Final, Literal

from ..config import models
from ..config.models import TWO_LEGS
from .authorization_details import build_authorization_details
from .first_leg import FirstLeg
from .token_exchange import TokenRequest
from .token_types import ID_JAG, JWT, build_uri

_FIRST_TYPES: Final = {"id_jag": ID_JAG, "identity_chaining": JWT}


def build_token_request(route: models.Route, settings: models.Settings) -> TokenRequest | None:
    """What ``route`` asks for the token that its API is called with; None where it needs none."""
    authorization_server = settings.authorization_server_of(route)
    if route.grant == "none" or authorization_server is None:
        return None
    asked = _build_asked(route)
    match route.grant:
        case "id_jag" | "identity_chaining":
            return TokenRequest(authorization_server, "assertion", **asked, leg=2)
        case grant:
            return TokenRequest(
                authorization_server,
                grant,
                **asked,
                audience=route.audience,
                resource=route.resource,
                subject_token_type=route.subject_token_type,
                requested_token_type=route.requested_token_type,
                **_build_actor(route),
            )


def _build_asked(route: models.Route) -> Any:
    """What goes along in either leg."""
    return {
        "scopes": route.scopes,
        "extra_parameters": tuple(sorted(route.extra_parameters.items())),
        "authorization_details": build_authorization_details(route.authorization_details),
        "allowed_actors": route.allowed_actors,
        "max_actors": route.max_actors,
    }


def _build_actor(route: models.Route) -> Any:
    """Whose token goes along in the leg that makes a token of the user's."""
    actor = route.actor
    if actor is None or actor.is_ours:
        return {"actor": actor is not None}
    return {
        "actor_type": build_uri(actor.type),
        "actor_file": None if actor.file is None else str(actor.file),
    }


def build_first_request(route: models.Route, settings: models.Settings) -> TokenRequest | None:
    """What ``route`` asks its identity provider for; None where its token takes one call alone."""
    redeemer = settings.authorization_server_of(route)
    if route.grant not in TWO_LEGS or route.identity_provider is None or redeemer is None:
        return None
    server = settings.authorization_servers[redeemer]
    audience = route.audience or (server.issuer,)
    kind: Literal["id_jag", "identity_chaining"] = (
        "id_jag" if route.grant == "id_jag" else "identity_chaining"
    )
    return TokenRequest(
        route.identity_provider,
        "token_exchange",
        **_build_asked(route),
        audience=audience,
        resource=route.resource,
        subject_token_type=route.subject_token_type,
        requested_token_type=_FIRST_TYPES[kind],
        **_build_actor(route),
        leg=1,
        first_leg=FirstLeg(kind, audience, server.client.id if server.client else None),
    )
