"""Who asks at the token endpoint: by secret, by ``private_key_jwt``, or as a public client.

RFC 6749 §2.3, RFC 7521 §4.2, RFC 7523 §3. Okta's own bounds: ``exp`` at most an hour away, ``jti`` once. Beyond what
Okta takes there are assertions of workloads (RFC 7523, SPIFFE) and certificates (RFC 8705).
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote_plus

import httpx
import jwt
from cryptography import x509

from .certificates import AUTHORITY
from .refusals import Refused
from .signing import UNCHECKED
from .tenant import Client, Tenant

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SPIFFE_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_BY_CERTIFICATE = ("tls_client_auth", "self_signed_tls_client_auth")
_MAX_LIFETIME = 3600  # s
_TOLERANCE = 5  # s


async def authenticate_client(
    tenant: Tenant,
    authorization: str | None,
    form: Mapping[str, str],
    endpoint_url: str,
    certificate: bytes | None = None,
) -> Client:
    """The client that made the request, or ``Refused``; ``certificate`` is what its connection shows (DER)."""
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
    if client.auth in _BY_CERTIFICATE:
        _check_certificate(client, certificate)
    else:
        _check_secret(client, secret)
    return client


def _check_certificate(client: Client, certificate: bytes | None) -> None:
    """RFC 8705 §2.1: the subject that our authority has vouched for; §2.2: the registered one itself."""
    if certificate is None:
        raise Refused("missing_client_credentials")
    if client.auth == "self_signed_tls_client_auth":
        known = hashlib.sha256(certificate).hexdigest()
    else:
        shown = x509.load_der_x509_certificate(certificate)
        issued = shown.issuer.rfc4514_string() == f"CN={AUTHORITY}"
        known = shown.subject.rfc4514_string() if issued else ""
    if client.certificate != known:
        raise Refused("invalid_client_certificate")


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
    assertion, assertion_type = form["client_assertion"], form.get("client_assertion_type")
    if assertion_type not in (ASSERTION_TYPE, SPIFFE_ASSERTION_TYPE):
        raise Refused("client_assertion_type_invalid")
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Refused("client_assertion_invalid_jwt") from None
    if assertion_type == SPIFFE_ASSERTION_TYPE or claims.get("iss") == tenant.workloads.issuer:
        return _by_workload(tenant, form, endpoint_url)
    client = tenant.client_of(claims.get("iss"))
    if client is None:
        raise Refused("client_assertion_invalid_issuer")
    if claims.get("sub") != client.id:
        raise Refused("client_assertion_invalid_subject")
    _check_signature(assertion, header, await _fetch_jwks(client))
    _check_claims(tenant, claims, endpoint_url)
    return client


def _by_workload(tenant: Tenant, form: Mapping[str, str], endpoint_url: str) -> Client:
    """The client for which a workload's issuer vouches; the assertion may come again, and alone names the client."""
    claims = tenant.workloads.verify(form["client_assertion"])
    if claims is None:
        raise Refused("client_assertion_invalid_signature")
    svid = claims["sub"].startswith("spiffe:")
    if svid != (form["client_assertion_type"] == SPIFFE_ASSERTION_TYPE):
        raise Refused("client_assertion_type_invalid")
    client = next((one for one in tenant.clients.values() if claims["sub"] in one.subjects), None)
    if client is None or form.get("client_id", client.id) != client.id:
        raise Refused("client_assertion_invalid_subject")
    issuers = {tenant.issuer(server) for server in tenant.servers}
    if not {*issuers, endpoint_url, tenant.url} & set(_as_list(claims["aud"])):
        raise Refused("client_assertion_invalid_audience")
    if claims["exp"] <= tenant.now():
        raise Refused("client_assertion_expired_token")
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
    name = "x5t#S256" if "x5t#S256" in header else "kid"  # as Entra ID finds the key, or as Okta does
    jwk = next((jwk for jwk in jwks if header.get(name) in (None, jwk.get(name))), None)
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
