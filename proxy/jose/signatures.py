"""RFC 7518 §3 and RFC 8037 §3.1: whether a signature holds, by each ``alg`` that we verify.

Which ``alg`` a key may be used with is not looked at here.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from .jwk import PublicKey

_HASHES: dict[str, HashAlgorithm] = {
    "256": SHA256(),
    "384": SHA384(),
    "512": SHA512(),
}  # by the end of an alg


def holds(alg: str, key: PublicKey, signed: bytes, signature: bytes) -> bool:
    """Whether ``key`` made ``signature`` over ``signed`` by ``alg``, which is of the key's own kind."""
    try:
        if isinstance(key, RSAPublicKey):
            algorithm = _HASHES[alg[2:]]
            key.verify(signature, signed, _build_padding(alg, algorithm), algorithm)
        elif isinstance(key, EllipticCurvePublicKey):
            key.verify(_encode_ecdsa(signature, key), signed, ECDSA(_HASHES[alg[2:]]))
        else:
            key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _build_padding(alg: str, algorithm: HashAlgorithm) -> AsymmetricPadding:
    """RFC 7518 §3.5: the salt is as long as the hash."""
    return PSS(MGF1(algorithm), algorithm.digest_size) if alg.startswith("PS") else PKCS1v15()


def _encode_ecdsa(signature: bytes, key: EllipticCurvePublicKey) -> bytes:
    """From R and S, each as long as a coordinate (RFC 7518 §3.4), to DER, as it is checked."""
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
