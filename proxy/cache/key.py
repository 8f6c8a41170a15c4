"""The cache key: everything that could change what the authorization server answers, and nothing else.

The route's side (what is asked for, and as which client) and the user's side (who asks, with which claims)
are each encoded so that no two different values share an encoding, then hashed. ``build_cache_key`` joins
them; nobody else makes a key. Nothing here verifies anything: only verified claims may come in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from ..authentication.subject_token import SubjectToken
from ..exchange.token_exchange import TokenRequest

# They differ between two tokens of one session and say nothing about what the user may do.
PASSING_CLAIMS = frozenset({"exp", "iat", "nbf", "jti"})
NOBODY = bytes(32)  # the owner of tokens that are ours alone (client credentials)

# What is hashed begins with what it is, so that no part can stand in for another. Change the number with
# the encoding: replicas of two versions then share no entries.
_IDENTITY = b"obo-proxy identity 2\0"
_TOKEN = b"obo-proxy token 1\0"
_REQUEST = b"obo-proxy request 2\0"
_OWNER = b"obo-proxy owner 2\0"
_KEY = b"obo-proxy key 1\0"
# Escapes would make one text of a lone surrogate pair and the character that it stands for.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class CacheKey(NamedTuple):
    """``digest`` names the entry, ``owner`` whose it is; 32 bytes each.

    ``asker`` (64 bytes) is the request with one very subject token: what is refused to a bad token of somebody's must
    not shut out that somebody's good one. ``identifiers`` are by what events may mean the user, or who
    acts for the user; ``actor`` is that one's own name as an owner, empty where the user acts.
    """

    owner: bytes
    digest: bytes
    asker: bytes = b""
    identifiers: tuple[bytes, ...] = ()
    actor: bytes = b""


def build_identity(
    value: str, claims: Mapping[str, Any], *, by: Literal["subject", "token"], ignore: frozenset[str]
) -> bytes:
    """What the user's side contributes to the key (32 bytes).

    By ``subject``: all claims but ``PASSING_CLAIMS`` and those to ``ignore``, so that a claim nobody thought
    of changes the key by itself. By ``token``: the token as presented. TypeError for what JSON cannot hold.
    """
    if by == "token":
        return sha256(_TOKEN + value.encode()).digest()
    left_out = PASSING_CLAIMS | ignore
    kept = {name: claim for name, claim in claims.items() if name not in left_out}
    return sha256(_IDENTITY + _encode(kept)).digest()


def build_request_digest(request: TokenRequest, client_identity: Sequence[str]) -> bytes:
    """What the route's side contributes to the key (32 bytes); scopes are a set (RFC 6749 §3.3)."""
    asked = asdict(request) | {"scopes": sorted(set(request.scopes))}
    return sha256(_REQUEST + _encode([asked, list(client_identity)])).digest()


@lru_cache(maxsize=1024)  # asked for at every look-up; few, for the collector looks through all that are new
def build_owner(issuer: str, subject: str) -> bytes:
    """Whose entries these are (32 bytes), for purging."""
    # As ``_encode`` spells a list of both, in two thirds of the time.
    encoded = f"[{_CANONICAL.encode(issuer)},{_CANONICAL.encode(subject)}]"
    return sha256(_OWNER + encoded.encode("utf-8", "surrogatepass")).digest()


def build_cache_key(request_digest: bytes, subject_token: SubjectToken | None) -> CacheKey:
    """The only constructor. None is for grants without a user.

    Every part but the last has a fixed length, so no two keys are made of the same bytes.
    """
    if subject_token is None:
        digest = sha256(_KEY + request_digest).digest()
        return CacheKey(NOBODY, digest, request_digest + NOBODY)
    owner = build_owner(subject_token.issuer, subject_token.subject)
    return CacheKey(
        owner,
        sha256(
            _KEY
            + request_digest
            + owner
            + subject_token.identity
            + subject_token.authorization_server.encode()
        ).digest(),
        request_digest + subject_token.digest,
        _list_identifiers(subject_token),
        _find_actor(subject_token),
    )


def _list_identifiers(subject_token: SubjectToken) -> tuple[bytes, ...]:
    """What was made for an actor ends with the actor's access, too."""
    actor = subject_token.actor
    return subject_token.identifiers if actor is None else subject_token.identifiers + actor.identifiers


def _find_actor(subject_token: SubjectToken) -> bytes:
    actor = subject_token.actor
    return b"" if actor is None else build_owner(actor.issuer, actor.subject)


def _encode(value: Any) -> bytes:
    """A JSON value in its one spelling: members sorted, nothing between. Different values never encode alike."""
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")  # JSON may hold lone surrogates
