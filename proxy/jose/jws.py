"""RFC 7515: a JWS in compact serialization, read strictly, and its signature.

The token is read once, here: the signature is checked over the very bytes that were read, so that no second
reader can see another token. Keys that a header brings along (``jwk``, ``jku``,
``x5u``, ``x5c``) are never looked at (RFC 8725 §3.10).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from mypy_extensions import mypyc_attr

from ..errors import SubjectTokenInvalid
from .encoding import decode_base64url, parse_json_object, parse_small_json_object, peek_json_object
from .jwk import MAX_KID, SigningKey
from .signatures import holds

MAX_SIZE = 16 * 1024  # characters; looked at before anything else, so that size buys an attacker no work
MAX_HEADER_VALUES = 64  # a dozen are many; what a header has more of only costs time
# We understand no extension: crit (§4.1.11), b64 (RFC 7797), zip and enc (RFC 7516).
REFUSED_MEMBERS = ("crit", "b64", "zip", "enc")


@mypyc_attr(native_class=False)
@dataclass(slots=True)
class UnverifiedJws:
    """Well-formed, and nothing more: nobody vouches for it yet."""

    header: Mapping[str, Any] = field(repr=False)
    payload: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    alg: str
    kid: str | None


def parse_jws(value: str) -> UnverifiedJws:
    """SubjectTokenInvalid for whatever is not three canonical base64url parts under a plain header."""
    if len(value) > MAX_SIZE:
        raise SubjectTokenInvalid(f"the token is longer than {MAX_SIZE} characters")
    parts = value.split(".", 3)
    if len(parts) != 3:
        raise SubjectTokenInvalid("the token does not have the three parts of a JWS")
    try:
        header = _parse_header(parts[0])
        payload = decode_base64url(parts[1])
        signature = decode_base64url(parts[2])
    except ValueError:
        raise SubjectTokenInvalid("the token is not strictly encoded") from None
    _refuse_extensions(header)
    signing_input = value.rpartition(".")[0].encode()
    return UnverifiedJws(header, payload, signing_input, signature, _parse_alg(header), _parse_kid(header))


def parse_small_claims(jws: UnverifiedJws) -> dict[str, Any] | None:
    """The claims, read as strictly as by ``verify_payload``; None where reading so many is worth a signature first.

    SubjectTokenInvalid for a payload that is no JSON object, or that two readers could read in two ways.
    """
    try:
        return parse_small_json_object(jws.payload)
    except ValueError:
        raise _not_strict() from None


def peek_claims(jws: UnverifiedJws) -> dict[str, Any]:
    """The claims, for choosing whose key must have signed them, and for nothing else.

    SubjectTokenInvalid for a payload that is no JSON object. That it reads in one way only is for
    ``verify_payload`` to say, once the signature holds: before that it would cost an attacker nothing, and us a lot.
    """
    try:
        return peek_json_object(jws.payload)
    except ValueError:
        raise _not_strict() from None


def read_claims(value: str) -> dict[str, Any]:
    """The claims of a token that was verified before."""
    return peek_json_object(decode_base64url(value.split(".", 2)[1]))


def verify_payload(jws: UnverifiedJws) -> None:
    """SubjectTokenInvalid for a payload that two readers could read in two ways (RFC 8725 §2.4)."""
    try:
        parse_json_object(jws.payload)
    except ValueError:
        raise _not_strict() from None


def verify_signature(jws: UnverifiedJws, key: SigningKey, algorithms: Collection[str]) -> None:
    """SubjectTokenInvalid unless ``key`` made the signature, by an ``alg`` that we and the key allow."""
    if jws.alg not in algorithms:
        raise SubjectTokenInvalid("the token's alg is not allowed")
    if jws.alg not in key.algorithms:
        raise SubjectTokenInvalid("the token's alg does not fit the key")
    if not holds(jws.alg, key.public_key, jws.signing_input, jws.signature):
        raise SubjectTokenInvalid("the signature does not hold")


@lru_cache(maxsize=64)  # all tokens of one key have the same
def _parse_header(part: str) -> Mapping[str, Any]:
    data = decode_base64url(part)
    if sum(map(data.count, (b",", b"{", b"["))) > MAX_HEADER_VALUES:
        raise ValueError("too many values in the header")
    return MappingProxyType(parse_json_object(data))


def _not_strict() -> SubjectTokenInvalid:
    return SubjectTokenInvalid("the token's payload is not a strictly formed JSON object")


def _refuse_extensions(header: Mapping[str, Any]) -> None:
    for name in REFUSED_MEMBERS:
        if name in header:
            raise SubjectTokenInvalid(f"the token's header has {name}")


def _parse_alg(header: Mapping[str, Any]) -> str:
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise SubjectTokenInvalid("the token's header has no alg")
    return alg


def _parse_kid(header: Mapping[str, Any]) -> str | None:
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID):
        raise SubjectTokenInvalid("the token's kid is not a short text")
    return kid
