"""Who verifies callers' tokens, and what a route asks of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from ..authentication.binding import PROOF_LEEWAY
from ..authentication.claims import SubjectTokenPolicy
from ..authentication.dpop_proof import ALGORITHMS as PROOF_ALGORITHMS
from ..authentication.proof_nonces import ProofNonces, sign_with
from ..authentication.subject_token import SubjectToken, require_authentication, require_scopes
from ..authentication.verifier import Accepted, Revoked, Verifier
from ..cache.key import build_identity
from ..cache.used_proofs import UsedProofs
from ..config import models
from ..config.binding_rules import accepts_proofs, requires_proofs, takes_proofs
from ..gateway.caller_credentials import build_join, build_take_token
from ..gateway.possession import Possession, Proofs
from ..gateway.upstream_request import Authentication
from ..http.bearer import BEARER_ALONE, Schemes
from ..parts import Issuer, TokenStore
from ..runtime import Clock


def build_verifier(
    settings: models.Settings,
    issuers: dict[str, Issuer],
    store: TokenStore,
    *,
    clock: Clock,
    id_tokens: bool,
    revoked: Revoked | None = None,
) -> Verifier:
    """Who verifies subject tokens, for routes that take access tokens or for those that take ID tokens."""
    cache = settings.cache
    return Verifier(
        [
            _build_accepted(
                entry,
                issuers[entry.authorization_server],
                id_tokens=id_tokens,
                certificates=sees_certificates(settings.listen),
            )
            for entry in settings.subject_tokens
        ],
        clock=clock,
        background=store.background,
        build_identity=partial(build_identity, by=cache.key, ignore=frozenset(cache.ignore_claims)),
        size=cache.max_entries,  # as many verdicts as tokens: a hit needs both
        revoked=revoked,
    )


def _build_accepted(
    entry: models.SubjectTokens, issuer: Issuer, *, id_tokens: bool, certificates: bool
) -> Accepted:
    policy = SubjectTokenPolicy(
        issuer=issuer.settings.issuer,
        expected_audience=entry.expected_audience,
        client_ids=frozenset(entry.client_ids),
        required_scopes=entry.required_scopes,
        algorithms=frozenset(entry.algorithms),
        clock_tolerance=entry.clock_tolerance,
        id_tokens=id_tokens,
        dpop=entry.dpop,
        dpop_nonce=entry.dpop_nonce,
        certificates=certificates,
    )
    if entry.introspect:
        return Accepted(entry.authorization_server, policy, introspect=issuer.server.introspect)
    return Accepted(entry.authorization_server, policy, keys=issuer.keys)


def build_proofs(
    settings: models.Settings,
    used: UsedProofs,
    store: TokenStore,
    *,
    clock: Clock,
    secret: bytes,
) -> Proofs | None:
    """None where no token may be bound to a key."""
    if not accepts_proofs(settings):
        return None
    used.widen(PROOF_LEEWAY + max(entry.clock_tolerance for entry in settings.subject_tokens))
    shared = store.shared.proofs if store.shared else None
    signer = sign_with(secret or os.urandom(32))
    nonces = ProofNonces(shared.read_signers if shared else lambda: [signer], clock)
    return Proofs(used=used, shared=shared, nonces=nonces, clock=clock)


def build_schemes(settings: models.Settings) -> Schemes:
    if not accepts_proofs(settings):
        return BEARER_ALONE
    return Schemes(bearer=not requires_proofs(settings), dpop=PROOF_ALGORITHMS)


def sees_certificates(listen: models.Listen) -> bool:
    return listen.tls is not None and listen.tls.client_ca_file is not None


def build_authentication(
    route: models.Route,
    settings: models.Settings,
    verifiers: dict[bool, Verifier],
    proofs: Proofs | None,
    clock: Clock,
) -> Authentication | None:
    """None where the route needs no user."""
    if route.grant not in models.NEEDS_USER:
        return None
    bound = proofs is not None or sees_certificates(settings.listen)
    require = build_demands(route, clock)
    join = build_join(route, lambda kind: verifiers[kind == "id_token"])
    return Authentication(
        take_token=build_take_token(route, dpop=proofs is not None),
        verifier=verifiers[route.subject_token_type == "id_token"],
        require=_demand_nothing if join and not require else require,
        join=join,
        possession=Possession(proofs if takes_proofs(route) else None) if bound else None,
    )


def build_demands(route: models.Route, clock: Clock) -> Callable[[SubjectToken], None] | None:
    """What the route asks of a user's token beyond being accepted; None where it asks nothing."""
    if not (route.required_scopes or route.acr_values or route.max_age is not None):
        return None

    def require(subject_token: SubjectToken) -> None:
        require_scopes(subject_token, route.required_scopes)
        require_authentication(subject_token, route.acr_values, route.max_age, clock.time())

    return require


def _demand_nothing(_: SubjectToken) -> None:
    """For a route that asks for more than an accepted token, but nothing of that."""
