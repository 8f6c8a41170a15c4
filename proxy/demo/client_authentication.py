"""Who asks at the token endpoint: client_secret_basic, client_secret_post, private_key_jwt, or a public client.

RFC 6749 §2.3, RFC 7521 §4.2, RFC 7523 §3. Okta's own bounds: ``exp`` at most an hour away, ``jti`` once.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote_plus

import httpx
import jwt

from .refusals import Refused
from .signing import UNCHECKED
from .tenant import Client, Tenant

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
_MAX_LIFETIME = 3600  # s
_TOLERANCE = 5  # s


async def authenticate_client(
    tenant: Tenant, authorization: str | None, form: Mapping[str, str], endpoint_url: str
) -> Client:
    """The client that made the request, or ``Refused``."""
    if sum(("client_assertion" in form, authorization is not None, "client_secret" in form)) > 1:
        raise Refused("multiple_client_credentials")
    if "client_assertion" in form:
        return await _by_assertion(tenant, form, endpoint_url)
    client_id, secret = form.get("client_id", ""), form.get("client_secret")
    if authorization is not None:
        client_id, secret = _parse_basic(authorization)
    if not client_id:
        raise Refused("missing_client_credentials")
    client = tenant.client_of(client_id)
    if client is None:
        raise Refused("invalid_client_id")
    _check_secret(client, secret)
    return client


def _check_secret(client: Client, secret: str | None) -> None:
    if client.auth == "none":
        if secret is not None:
            raise Refused("invalid_client_secret")
        return
    if secret is None:
        raise Refused("missing_client_credentials")
    if client.secret is None or not compare_digest(client.secret.encode(), secret.encode()):
        raise Refused("invalid_client_secret")


def _parse_basic(authorization: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: both halves are form-encoded before they are put together."""
    scheme, _, value = authorization.partition(" ")
    try:
        client_id, colon, secret = b64decode(value, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("missing_client_credentials") from None
    if scheme.lower() != "basic" or not colon:
        raise Refused("missing_client_credentials")
    return unquote_plus(client_id), unquote_plus(secret)


async def _by_assertion(tenant: Tenant, form: Mapping[str, str], endpoint_url: str) -> Client:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Refused("client_assertion_type_invalid")
    assertion = form["client_assertion"]
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Refused("client_assertion_invalid_jwt") from None
    client = tenant.client_of(claims.get("iss"))
    if client is None:
        raise Refused("client_assertion_invalid_issuer")
    if claims.get("sub") != client.id:
        raise Refused("client_assertion_invalid_subject")
    _check_signature(assertion, header, await _fetch_jwks(client))
    _check_claims(tenant, claims, endpoint_url)
    return client


async def _fetch_jwks(client: Client) -> list[dict[str, Any]]:
    """The client's keys: those registered, and those at its own URL, fetched each time."""
    if client.jwks_uri is None:
        return client.jwks
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            answer = await http.get(client.jwks_uri)
        return [*client.jwks, *answer.raise_for_status().json()["keys"]]
    except (httpx.HTTPError, ValueError, KeyError):
        return client.jwks


def _check_signature(assertion: str, header: Mapping[str, Any], jwks: list[dict[str, Any]]) -> None:
    if not jwks:
        raise Refused("client_assertion_jwks_not_configured")
    if header.get("alg") not in _ALGORITHMS:
        raise Refused("client_assertion_invalid_signature_algorithm")
    kid = header.get("kid")
    jwk = next((jwk for jwk in jwks if kid in (None, jwk.get("kid"))), None)
    if jwk is None:
        raise Refused("client_assertion_invalid_kid")
    try:
        # A registered RSA key signs with any of the RSA algorithms, whichever the JWK's alg names.
        key = jwt.PyJWK({name: value for name, value in jwk.items() if name != "alg"}, header["alg"])
        jwt.decode(assertion, key, _ALGORITHMS, options=UNCHECKED)
    except jwt.PyJWTError:
        raise Refused("client_assertion_invalid_signature") from None


def _check_claims(tenant: Tenant, claims: Mapping[str, Any], endpoint_url: str) -> None:
    now, exp, iat, jti = tenant.now(), claims.get("exp"), claims.get("iat"), claims.get("jti")
    if endpoint_url not in (claims.get("aud"), *_as_list(claims.get("aud"))):
        raise Refused("client_assertion_invalid_audience")
    if not isinstance(exp, int) or isinstance(exp, bool):
        raise Refused("client_assertion_expiration_required")
    if exp <= now - _TOLERANCE:
        raise Refused("client_assertion_expired_token")
    if exp > now + _MAX_LIFETIME + _TOLERANCE:
        raise Refused("client_assertion_expires_too_far_in_future")
    if isinstance(iat, int | float) and iat > now + _TOLERANCE:
        raise Refused("client_assertion_issued_at_in_future")
    if isinstance(jti, str):
        if jti in tenant.seen_assertions:
            raise Refused("client_assertion_already_used")
        tenant.seen_assertions.add(jti)


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
