"""The sample API's guard: RFC 6750 and RFC 9068 §4 for bearers, RFC 9449 §7 for tokens bound to a key."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import httpx
import jwt
from starlette.requests import HTTPConnection

from .dpop_proofs import verify_proof
from .refusals import Refused
from .signing import encode_base64url

Keys = list[dict[str, Any]]
FetchKeys = Callable[[str], Awaitable[Keys]]


class Protection(NamedTuple):
    """Whose tokens are good for the paths below one prefix."""

    issuer: str
    audience: str


class AccessRefused(Exception):
    """A 401 with its challenge (RFC 6750 §3); without ``error`` where no token came at all."""

    def __init__(
        self, error: str | None, description: str, *, scheme: str = "Bearer", nonce: str | None = None
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self._scheme = scheme
        self._nonce = nonce

    def headers(self) -> dict[str, str]:
        """The challenge, and the nonce where one is demanded (RFC 9449 §9)."""
        error = "" if self.error is None else f' error="{self.error}", error_description="{self.description}"'
        nonce = {} if self._nonce is None else {"dpop-nonce": self._nonce}
        return {"www-authenticate": f"{self._scheme}{error}", "cache-control": "no-store", **nonce}


class Resource:
    """Verifies requests. ``protections`` go by first path segment; one that is not named there is open to all."""

    def __init__(self, protections: Mapping[str, Protection], fetch_keys: FetchKeys) -> None:
        self.protections = protections
        self.require_nonce = False  # ask for a nonce in DPoP proofs
        self.revoked: set[str] = set()  # jti of tokens that are no longer good here
        self._nonce = secrets.token_urlsafe(16)
        self._seen_proofs: set[str] = set()
        self._fetch_keys = fetch_keys
        self._keys: dict[str, dict[object, jwt.PyJWK]] = {}  # by issuer and kid

    async def verify(self, connection: HTTPConnection, method: str) -> dict[str, Any] | None:
        """The claims of the request's token; None on an open path. Raises ``AccessRefused``."""
        protection = self.protections.get(connection.url.path.split("/", 2)[1])
        if protection is None:
            return None
        scheme, token = _read_authorization(connection)
        claims = await self._verify_token(token, protection)
        self._check_binding(connection, method, scheme, token, claims)
        return claims

    async def _verify_token(self, token: str, protection: Protection) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._find_key(protection.issuer, kid)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                ["RS256"],
                issuer=protection.issuer,
                audience=protection.audience,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise AccessRefused("invalid_token", f"The access token is not good here: {error}.") from None
        if claims.get("jti") in self.revoked:
            raise AccessRefused("invalid_token", "The access token was revoked.")
        return claims

    async def _find_key(self, issuer: str, kid: object) -> jwt.PyJWK:
        if kid not in self._keys.get(issuer, {}):
            self._keys[issuer] = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in await self._fetch_keys(issuer)}
        try:
            return self._keys[issuer][kid]
        except KeyError:
            raise jwt.InvalidKeyError("unknown kid") from None

    def _check_binding(
        self, connection: HTTPConnection, method: str, scheme: str, token: str, claims: Mapping[str, Any]
    ) -> None:
        """A bound token needs its certificate (RFC 8705 §3), or the scheme DPoP and a proof by its key.

        Another must not pretend to be one (RFC 9449 §7.1).
        """
        _check_certificate(connection, claims)
        jkt = claims.get("cnf", {}).get("jkt")
        if (jkt is not None) != (scheme == "dpop"):
            raise AccessRefused("invalid_token", "The scheme does not fit the token.", scheme="DPoP")
        if jkt is None:
            return
        try:
            thumbprint = verify_proof(
                connection.headers.getlist("dpop"),
                method=method,
                url=_build_htu(connection),
                now=time.time(),
                seen=self._seen_proofs,
                nonces=[self._nonce] if self.require_nonce else [],
                access_token=token,
            )
        except Refused as refused:
            nonce = self._nonce if refused.name == "use_dpop_nonce" else None
            raise AccessRefused(refused.error, refused.description, scheme="DPoP", nonce=nonce) from None
        if thumbprint != jkt:
            raise AccessRefused("invalid_dpop_proof", "The proof is by another key.", scheme="DPoP")


def _check_certificate(connection: HTTPConnection, claims: Mapping[str, Any]) -> None:
    bound_to = claims.get("cnf", {}).get("x5t#S256")
    shown = connection.scope.get("demo.certificate") or b""
    if bound_to is not None and bound_to != encode_base64url(hashlib.sha256(shown).digest()):
        raise AccessRefused("invalid_token", "The access token is bound to another certificate.")


async def fetch_keys(issuer: str) -> Keys:
    """The issuer's keys over HTTP, from where Okta has them; none while they cannot be had."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            answer = await http.get(f"{issuer}/v1/keys")
        return list(answer.raise_for_status().json()["keys"])
    except (httpx.HTTPError, ValueError, KeyError):
        return []


def _read_authorization(connection: HTTPConnection) -> tuple[str, str]:
    values = connection.headers.getlist("authorization")
    if not values:
        raise AccessRefused(None, "An access token is needed.")
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() not in ("bearer", "dpop") or not token:
        raise AccessRefused("invalid_request", "Exactly one access token is needed.")
    return scheme.lower(), token


def _build_htu(connection: HTTPConnection) -> str:
    """The request's URL without query (RFC 9449 §4.2); a websocket's handshake is an http request too."""
    scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
    return f"{scheme}://{connection.url.netloc}{connection.scope['raw_path'].decode('ascii')}"
