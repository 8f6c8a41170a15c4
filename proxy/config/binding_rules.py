"""What must hold where callers' tokens may be bound to a key (RFC 9449) or to a certificate (RFC 8705)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .faults import Fault
from .files import check_ca_file
from .models import NEEDS_USER, Listen, Route, Settings, SubjectTokens
from .urls import check_url

if TYPE_CHECKING:
    from .shape import Sound


def accepts_proofs(settings: Settings) -> bool:
    """Whether any token may be bound to a key."""
    return any(entry.dpop != "refuse" for entry in settings.subject_tokens)


def requires_proofs(settings: Settings) -> bool:
    """Whether every token must be."""
    return all(entry.dpop == "require" for entry in settings.subject_tokens)


def takes_proofs(route: Route) -> bool:
    """Whether callers may show their token to ``route`` by the scheme DPoP, which is ``Authorization``'s alone."""
    place = route.token_in
    return (
        route.subject_token_file is None
        and place.query is None
        and (place.header or "Authorization").lower() == "authorization"
        and place.scheme.lower() == "bearer"
    )


def find_binding_faults(listen: Listen) -> Iterator[Fault]:
    """Faults of what tells us where callers are, and which certificates they may show."""
    if listen.external_url is not None:
        yield from check_url("listen.external_url", listen.external_url, path=False)
    if listen.tls:
        yield from check_ca_file("listen.tls.client_ca_file", listen.tls.client_ca_file)


def find_proof_faults(sound: Sound) -> Iterator[Fault]:
    """Faults of proofs, where any are taken."""
    settings, listen = sound.settings, sound.settings.listen
    for place, entry in sound.subject_tokens.items():
        if entry.dpop_nonce and entry.dpop == "refuse":
            yield Fault(f"{place}.dpop_nonce", "no proofs are taken: set dpop: accept or require")
    if not accepts_proofs(settings):
        return
    if listen.external_url is None and not listen.trusted_proxies:
        yield Fault(
            "listen.external_url",
            "required where proofs are taken, for they name the URL that callers use, and Host is the caller's own"
            " word: set it (https://api.example.com), or name the proxy in front of us in listen.trusted_proxies",
        )
    if requires_proofs(settings):
        for place, route in sound.routes.items():
            if route.grant in NEEDS_USER and not takes_proofs(route):
                yield Fault(
                    f"{place}.token_in",
                    "every token must come with a proof, and one that stands elsewhere than in Authorization: Bearer"
                    " cannot: leave it out, or set dpop: accept",
                )
            if route.actor is not None and route.actor.header is not None:
                yield Fault(
                    f"{place}.actor.header",
                    "every token must come with a proof, and an actor's cannot: set dpop: accept, or name a file",
                )
    yield from find_replay_faults(settings, sound.subject_tokens)


def find_replay_faults(
    settings: Settings, entries: Mapping[str, SubjectTokens] | None = None
) -> Iterator[Fault]:
    """Connections are dealt to workers in turn, so that none could tell by itself whether a proof was used before."""
    if settings.listen.workers == 1 or settings.cache.shared is not None:
        return
    if entries is None:
        entries = {f"subject_tokens[{index}]": entry for index, entry in enumerate(settings.subject_tokens)}
    for place, entry in entries.items():
        if entry.dpop != "refuse":
            yield Fault(
                f"{place}.dpop",
                "with listen.workers over 1 a proof could be used once at each: name cache.shared, through which"
                " they tell each other, or set listen.workers: 1",
            )
