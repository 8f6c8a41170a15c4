"""RFC 9449 §4.3: a proof, made for one request, that its maker holds the key that a token is bound to.

Not checked here: whether it was used before, and whether its nonce is ours. Proofs of our own are ``exchange``'s.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ProofInvalid, SubjectTokenInvalid
from ..http.uri import normalise_uri
from ..jose.encoding import encode_base64url, parse_json_object
from ..jose.jwk import SECRET_MEMBERS, SigningKey, build_thumbprint, parse_jwk
from ..jose.jws import UnverifiedJws, parse_jws, verify_signature
from .binding import Binding
from .claims import is_number

TYPE = "dpop+jwt"
# In the order in which callers are told of them (§5.1, §7.1): the ones that cost us least come first.
ALGORITHMS = (
    *("ES256", "EdDSA", "Ed25519", "PS256", "RS256"),
    *("ES384", "ES512", "PS384", "PS512", "RS384", "RS512"),
)
MAX_SIZE = 4096  # characters: one by an RSA key of 4096 bits, with its key in it, takes half
MAX_TOKEN_ID = 256  # characters of jti, for we remember them
# What makes a key: its kid, alg or use are for others.
_KEY_MEMBERS = frozenset({"kty", "crv", "x", "y", "n", "e"})


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified proof; ``token_id`` (``jti``) occurs once with its key, ``issued_at`` is epoch seconds."""

    token_id: str = field(repr=False)
    issued_at: float
    nonce: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Presented:
    """The request that a token came with: its method, its URL as the caller used it, the token's SHA-256.

    ``origin`` is scheme and authority, ``path`` what follows, as received.
    """

    method: str
    origin: str
    path: str
    token_digest: bytes = field(repr=False)


def verify_proof(values: Sequence[bytes], binding: Binding, request: Presented, now: float) -> Proof:
    """The proof in the one ``DPoP`` field of a request whose token is bound by ``binding``; ``now`` is epoch seconds.

    Raises ProofInvalid, or SubjectTokenInvalid where the token is bound to another key.
    """
    if len(values) != 1:
        raise ProofInvalid(
            "the request brings more than one proof" if values else "the request brings no proof"
        )
    jws = _parse(values[0])
    key = _find_key(jws.header, binding)
    try:
        verify_signature(jws, key, ALGORITHMS)
        claims = parse_json_object(jws.payload)
    except SubjectTokenInvalid as error:
        raise ProofInvalid(_tell(error)) from None
    except ValueError:
        raise ProofInvalid("the proof's payload is not a strictly formed JSON object") from None
    _require_request(claims, request)
    return _read_proof(claims, binding.window, now)


def _parse(value: bytes) -> UnverifiedJws:
    if len(value) > MAX_SIZE:
        raise ProofInvalid(f"the proof is longer than {MAX_SIZE} characters")
    try:
        jws = parse_jws(value.decode("latin-1").strip(" \t"))
    except SubjectTokenInvalid as error:
        raise ProofInvalid(_tell(error)) from None
    if jws.header.get("typ") != TYPE:
        raise ProofInvalid("the proof's typ is not dpop+jwt")
    return jws


def _find_key(header: Mapping[str, Any], binding: Binding) -> SigningKey:
    """The key that the token is bound to. It is read once: a proof for the same token brings the same one."""
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise ProofInvalid("the proof's header has no jwk")
    if SECRET_MEMBERS & jwk.keys():
        raise ProofInvalid("the proof's jwk holds a private or symmetric key")
    try:
        if build_thumbprint(jwk) != binding.key:
            raise SubjectTokenInvalid("the token is bound to another key than the proof's")
        if binding.public_key is None:
            binding.public_key = parse_jwk({name: jwk[name] for name in _KEY_MEMBERS & jwk.keys()})
    except ValueError as error:
        raise ProofInvalid(f"the proof's jwk: {error}") from None
    return binding.public_key


def _require_request(claims: Mapping[str, Any], request: Presented) -> None:
    if claims.get("htm") != request.method:
        raise ProofInvalid("the proof's htm is another method")
    if not _is_same(claims.get("htu"), request.origin + request.path):
        raise ProofInvalid(
            f"the proof's htu is not the URL that was asked for, at {request.origin}",
            remedy="Compare listen.external_url, or what the trusted proxy says, with the URL that callers use.",
        )
    ath = claims.get("ath")
    if not isinstance(ath, str) or not _is_equal(ath, encode_base64url(request.token_digest)):
        raise ProofInvalid("the proof's ath is not the hash of the token")


def _read_proof(claims: Mapping[str, Any], window: float, now: float) -> Proof:
    token_id, nonce = claims.get("jti"), claims.get("nonce")
    if not is_number(claims.get("iat")):
        raise ProofInvalid("the proof's iat is missing or not a time")
    issued_at: float = claims["iat"]
    if not now - window <= issued_at <= now + window:
        raise ProofInvalid(f"the proof's iat is {now - issued_at:.0f} s ago", remedy="Compare the clocks.")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= MAX_TOKEN_ID:
        raise ProofInvalid(f"the proof's jti is not a text of 1 to {MAX_TOKEN_ID} characters")
    if not isinstance(nonce, str | None):
        raise ProofInvalid("the proof's nonce is not a text")
    return Proof(token_id, issued_at, nonce)


def _is_same(htu: Any, url: str) -> bool:
    """§4.3: by RFC 3986 §6.2, without query and fragment."""
    if htu == url:
        return True
    try:
        return isinstance(htu, str) and normalise_uri(htu) == normalise_uri(url)
    except ValueError:
        return False


def _is_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def _tell(error: Exception) -> str:
    """The same of a proof that ``jose`` says of a token."""
    return str(error).replace("the token", "the proof")
