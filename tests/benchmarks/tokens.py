"""Users' tokens as an issuer signs them, and the issuer's keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "http://127.0.0.1/oauth2/default"
AUDIENCE = "api://default"


class Issuer:
    """Signs tokens that look as Okta's access tokens do (RFC 9068 in spirit, about 900 bytes long)."""

    def __init__(self) -> None:
        self._keys = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
        }
        self.rsa_public_key = self._keys["RS256"].public_key()

    def jwks(self) -> str:
        """The public keys (RFC 7517)."""
        algorithms = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}
        keys = [
            algorithms[alg].to_jwk(key.public_key(), as_dict=True) | {"kid": alg, "alg": alg, "use": "sig"}
            for alg, key in self._keys.items()
        ]
        return json.dumps({"keys": keys})

    def mint(self, user: str, alg: str = "RS256", **more: object) -> str:
        """One user's token, good for a day, with ``more`` claims."""
        now = int(time.time())
        claims = {
            "ver": 1,
            "jti": f"AT.{user}.M9Pc7mVh3yQxT0bKf1rWz5nDg2sLj8aE",
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 86_400,
            "cid": "0oa9aw62CPUnXomeU9c5",
            "uid": f"00u{user}",
            "scp": ["openid", "profile", "orders:read"],
            "auth_time": now,
            "sub": user,
        }
        return jwt.encode(
            claims | more, self._keys[alg], algorithm=alg, headers={"kid": alg, "typ": "at+jwt"}
        )

    def mint_many(self, prefix: str, count: int, alg: str = "RS256") -> Iterator[str]:
        """A token for each of ``count`` users that no other prefix has."""
        return (self.mint(f"{prefix}{number}@example.com", alg) for number in range(count))
