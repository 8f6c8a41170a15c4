"""RFC 7517 and 7518 §6: public keys for checking signatures, from a JWK set.

Each key stands or falls alone: one that is unfit is left out and named, the others serve. Not checked
here: where the set came from.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from .encoding import decode_base64url, encode_base64url, parse_json_object

MAX_KEYS = 100
MAX_KID = 256  # characters; Okta's have 43
MAX_EXPONENT = 2**32  # a huge exponent makes each verification slow; 65537 is what everyone uses
RSA_BITS = range(2048, 4096 + 1)  # RFC 7518 §3.3 below; above, a signature takes too long for the event loop
RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES: Mapping[str, tuple[EllipticCurve, str]] = {
    "P-256": (SECP256R1(), "ES256"),
    "P-384": (SECP384R1(), "ES384"),
    "P-521": (SECP521R1(), "ES512"),
}
# "oth", "d" and their like make a key private (RFC 7518 §6.2.2, §6.3.2), "k" symmetric (§6.4).
SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# RFC 7638 §3.2, RFC 8037 §2: in the order of their names.
_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the ``alg`` values it may verify; equal when ``kid``, key and ``alg`` values are."""

    kid: str | None
    algorithms: frozenset[str]
    thumbprint: str = field(repr=False)
    public_key: PublicKey = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a JWK set, and why the others are not."""

    keys: tuple[SigningKey, ...]
    refusals: tuple[str, ...]


def parse_jwk_set(body: bytes) -> KeySet:
    """ValueError where there is no JWK set, or not one usable key in it."""
    entries = parse_json_object(body).get("keys")
    if not isinstance(entries, list):
        raise ValueError("no JWK set: 'keys' is not a list")  # noqa: TRY004
    if len(entries) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys")
    shared = _find_shared_kids(entries)
    keys, refusals = [], []
    for number, entry in enumerate(entries):
        try:
            key = parse_jwk(entry)
            if key.kid in shared:
                raise ValueError("several keys have its kid")
            keys.append(key)
        except ValueError as error:
            refusals.append(f"keys[{number}]: {error}")
    if not keys:
        raise ValueError("; ".join(["no usable key", *refusals]))
    return KeySet(tuple(keys), tuple(refusals))


def parse_jwk(entry: Any) -> SigningKey:
    """ValueError for a key that is not fit for verifying signatures (RFC 8725 §3.2, §3.5)."""
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004
    if SECRET_MEMBERS & entry.keys():
        raise ValueError("holds a private or symmetric key")
    _require_for_verifying(entry)
    public_key, algorithms = _get_parser(entry.get("kty"))(entry)
    alg = entry.get("alg")
    if alg is not None:
        algorithms &= {alg} if isinstance(alg, str) else set()
    if not algorithms:
        raise ValueError("alg does not fit the key")
    return SigningKey(_parse_kid(entry), algorithms, build_thumbprint(entry), public_key)


def build_thumbprint(entry: Mapping[str, Any]) -> str:
    """RFC 7638: SHA-256 over the members that make the key, base64url. Raises ValueError for no key."""
    kty = entry.get("kty")
    names = _THUMBPRINT_MEMBERS.get(kty, ()) if isinstance(kty, str) else ()
    members = {name: entry.get(name) for name in names}
    if not members or not all(isinstance(value, str) for value in members.values()):
        raise ValueError("not a public key")
    canonical = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    return encode_base64url(hashlib.sha256(canonical).digest())


def _find_shared_kids(entries: list[Any]) -> frozenset[str | None]:
    """Without one key for one kid there is no choice to be trusted; keys without kid share having none."""
    kids = [entry.get("kid") for entry in entries if isinstance(entry, dict)]
    counts = Counter(kid for kid in kids if kid is None or isinstance(kid, str))
    return frozenset(kid for kid, count in counts.items() if count > 1)


def _require_for_verifying(entry: Mapping[str, Any]) -> None:
    if entry.get("use", "sig") != "sig":
        raise ValueError("use is not sig")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("key_ops lacks verify")


def _parse_kid(entry: Mapping[str, Any]) -> str | None:
    kid = entry.get("kid")
    if kid is None:
        return None
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise ValueError(f"kid is not a text of 1 to {MAX_KID} characters")
    return kid


def _parse_rsa(entry: Mapping[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    modulus = int.from_bytes(_decode_member(entry, "n"))
    exponent = int.from_bytes(_decode_member(entry, "e"))
    if modulus.bit_length() not in RSA_BITS:
        raise ValueError(f"an RSA key of {modulus.bit_length()} bits; 2048 to 4096 are accepted")
    if exponent > MAX_EXPONENT:
        raise ValueError("the RSA exponent is too large")
    if _is_roca(modulus):
        raise ValueError("the RSA key can be factored (ROCA, CVE-2017-15361)")
    return RSAPublicNumbers(exponent, modulus).public_key(), RSA_ALGORITHMS


def _parse_ec(entry: Mapping[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    name = entry.get("crv")
    if not isinstance(name, str) or name not in CURVES:
        raise ValueError("crv is not one of P-256, P-384 and P-521")
    curve, alg = CURVES[name]
    x, y = _decode_member(entry, "x"), _decode_member(entry, "y")
    if {len(x), len(y)} != {(curve.key_size + 7) // 8}:  # RFC 7518 §6.2.1.2
        raise ValueError("a coordinate of the wrong length")
    numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    return numbers.public_key(), frozenset({alg})


def _parse_okp(entry: Mapping[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    x = _decode_member(entry, "x")
    match entry.get("crv"):
        case "Ed25519":
            return Ed25519PublicKey.from_public_bytes(x), frozenset({"EdDSA", "Ed25519"})
        case "Ed448":
            return Ed448PublicKey.from_public_bytes(x), frozenset({"EdDSA", "Ed448"})
        case _:
            raise ValueError("crv is neither Ed25519 nor Ed448")


_PARSERS = {"RSA": _parse_rsa, "EC": _parse_ec, "OKP": _parse_okp}


def _get_parser(kty: Any) -> Callable[[Mapping[str, Any]], tuple[PublicKey, frozenset[str]]]:
    if not isinstance(kty, str) or kty not in _PARSERS:
        raise ValueError("kty is not one of RSA, EC and OKP")
    return _PARSERS[kty]


def _decode_member(entry: Mapping[str, Any], name: str) -> bytes:
    text = entry.get(name)
    if not isinstance(text, str):
        raise ValueError(f"{name} is not a text")  # noqa: TRY004
    return decode_base64url(text)


def _is_roca(modulus: int) -> bool:
    """Whether the modulus has the fingerprint of Infineon's faulty generator: a power of 65537 modulo each prime."""
    return all(powers >> modulus % prime & 1 for prime, powers in _ROCA_POWERS.items())


# The primes from 3 to 167 that the published detection uses.
_ROCA_PRIMES = tuple(n for n in range(3, 168) if all(n % divisor for divisor in range(2, n)))
# By prime, each a set of numbers as bits.
_ROCA_POWERS = {
    prime: sum(1 << number for number in {pow(65537, power, prime) for power in range(prime)})
    for prime in _ROCA_PRIMES
}
