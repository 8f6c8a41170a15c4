"""RFC 8693 §4.1 and §4.4: who acts for the user, and who may."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..authentication.subject_token import SubjectToken
from ..errors import ExchangeDenied

MOST: Final = 4  # actors in a chain, unless a route says otherwise


@dataclass(frozen=True, slots=True)
class ActorToken:
    """What goes along as ``actor_token``; ``claims`` say who that is, ``type`` is a token type's URI."""

    value: str = field(repr=False)
    type: str
    claims: Mapping[str, Any] = field(repr=False)


def check_actors(actors: Collection[str], allowed: Collection[str] | None, most: int) -> None:
    """Raises ExchangeDenied for a chain that is too long, or that has an actor who is not ``allowed`` (None: any)."""
    if len(actors) > most:
        raise _deny(
            f"the subject token has {len(actors)} actors, more than max_actors",
            "Raise the route's max_actors if so many may stand between the user and this call.",
        )
    if allowed is not None and not set(actors) <= set(allowed):
        raise _deny(
            "the subject token has an actor who is not in allowed_actors",
            "Add the actor's sub to the route's allowed_actors, if it may act for users here.",
        )


def check_may_act(subject_token: SubjectToken, actor: ActorToken) -> None:
    """§4.4: raises ExchangeDenied where the user's token names another who may act."""
    may_act = subject_token.claims.get("may_act")
    if may_act is None:
        return
    named = isinstance(may_act, dict) and may_act
    if not named or any(actor.claims.get(name) != value for name, value in named.items()):
        raise _deny(
            "may_act of the subject token names another actor",
            "Let the authorization server name this actor in may_act, or set the route's actor to the one it names.",
        )


def _deny(reason: str, remedy: str) -> ExchangeDenied:
    return ExchangeDenied(reason, remedy=remedy, remember_for=30.0, remember_by="subject_token")
