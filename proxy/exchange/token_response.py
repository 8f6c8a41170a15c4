"""RFC 8693 §2.2.1 and RFC 6749 §5.1: what a token URL answered, if it is what was asked for.

The issued token's signature is not checked here: it came from the authorization server itself over TLS, and
whoever it is for will check it. What is checked is that it is the token that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ..authentication.subject_token import SubjectToken
from ..errors import ExchangeResponseInvalid
from ..http.bearer import is_b64token
from ..jose.confirmation import parse_confirmation
from ..jose.encoding import decode_base64url, parse_json_object
from .authorization_details import check_granted
from .first_leg import check_first_token, refuse_first_token
from .token_exchange import AccessToken, TokenRequest, build_access_token
from .token_types import build_uri, check_issued_token_type, find_value, parse_token_type

MAX_TOKEN_LENGTH = 16 * 1024  # characters; more would not fit into the headers that APIs accept
_LONGEST_LIFE = 10 * 365 * 86400.0  # s; beyond that a number is a mistake, not a time


def parse_token_response(
    answer: Mapping[str, Any],
    request: TokenRequest,
    subject_token: SubjectToken | None,
    *,
    now: float,
    check_subject: bool,
) -> AccessToken:
    """The token that ``answer`` (RFC 6749 §5.1, RFC 8693 §2.2.1) brings, if it is the one asked for.

    ``subject_token`` is the one sent. Raises ExchangeResponseInvalid.
    """
    requested = None if request.requested_token_type is None else build_uri(request.requested_token_type)
    value = _parse_value(find_value(answer, requested), subject_token)
    token_type = parse_token_type(answer.get("token_type"), requested)
    check_issued_token_type(answer.get("issued_token_type"), requested)
    if request.authorization_details is not None:
        check_granted(answer.get("authorization_details"), request.authorization_details, leg=request.leg)
    claims = _read_claims(value, request, subject_token if check_subject else None, now)
    return build_access_token(
        value=value,
        token_type=token_type,
        expires_at=_find_end(answer, claims, now),
        scopes=_parse_scopes(_find_scope(answer, claims, request), request),
        certificate=_find_certificate(claims),
    )


def parse_claims(value: str) -> Mapping[str, Any] | None:
    """The claims of a signed JWT, unverified; None where the token is anything else, and so opaque."""
    read = _parse_jwt(value)
    return None if read is None else read[1]


def _parse_value(value: Any, subject_token: SubjectToken | None) -> str:
    if not isinstance(value, str) or not value:
        raise ExchangeResponseInvalid("the answer has no access_token")
    if len(value) > MAX_TOKEN_LENGTH:
        raise ExchangeResponseInvalid(f"the access_token is longer than {MAX_TOKEN_LENGTH} characters")
    if not is_b64token(value):
        raise ExchangeResponseInvalid("the access_token has characters that no bearer token may have")
    if subject_token is not None and value == subject_token.value:
        raise ExchangeResponseInvalid("the access_token is the subject token itself")
    return value


def _find_scope(answer: Mapping[str, Any], claims: Mapping[str, Any] | None, request: TokenRequest) -> Any:
    """What the answer says of the scopes; the token itself is asked where none were named in the request."""
    if answer.get("scope") is None and not request.sends_scope and claims is not None:
        told = claims.get("scp", claims.get("scope"))
        return " ".join(map(str, told)) if isinstance(told, list) else told
    return answer.get("scope")


def _parse_scopes(value: Any, request: TokenRequest) -> tuple[str, ...]:
    """RFC 6749 §5.1: left out means as asked for. Fewer would be served as if they were all."""
    if value is None:
        return request.scopes
    if not isinstance(value, str):
        raise ExchangeResponseInvalid("the scope is not a text")
    scopes = tuple(value.split())
    # Entra ID, whose flow jwt_bearer is, answers in another spelling than it was asked in.
    if request.grant != "jwt_bearer" and not set(request.scopes) <= set(scopes):
        raise ExchangeResponseInvalid(
            "the token has fewer scopes than were asked for",
            remedy="Ask for those alone that the authorization server's policy gives to these users.",
        )
    return scopes


def _parse_jwt(value: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Header and claims."""
    segments = value.split(".")
    if len(segments) != 3:
        return None
    try:
        header, claims = _parse_header(segments[0]), parse_json_object(decode_base64url(segments[1]))
    except ValueError:
        return None
    return (header, claims) if "alg" in header else None


@lru_cache(maxsize=64)  # all tokens of one key have the same
def _parse_header(segment: str) -> Mapping[str, Any]:
    return MappingProxyType(parse_json_object(decode_base64url(segment)))


def _read_claims(
    value: str, request: TokenRequest, subject_token: SubjectToken | None, now: float
) -> Mapping[str, Any] | None:
    """The claims of what was issued, if they are those asked for; None where it is opaque."""
    read = _parse_jwt(value)
    if request.first_leg is not None:
        if read is None:
            raise ExchangeResponseInvalid("the first token is not a signed JWT")
        subject = None if subject_token is None else subject_token.subject
        check_first_token(*read, request.first_leg, subject=subject, now=now)
        return read[1]
    if read is None:
        return None
    header, claims = read
    refuse_first_token(header)
    _check_claims(claims, request, subject_token, now)
    return claims


def _check_claims(
    claims: Mapping[str, Any], request: TokenRequest, subject_token: SubjectToken | None, now: float
) -> None:
    """RFC 9700 §2.3: the audience asked for, the user's subject, and some life left."""
    if request.audience and not set(request.audience) <= set(map(str, _listed(claims.get("aud")))):
        raise ExchangeResponseInvalid(
            "audience_mismatch: the issued token's aud does not hold the audience asked for",
            remedy="Let the authorization server issue tokens for the route's audience, or correct the route.",
        )
    if request.grant != "client_credentials" and subject_token is not None:
        _check_subject(claims, subject_token)
    if "exp" in claims and _read_number(claims["exp"]) <= now:
        raise ExchangeResponseInvalid("the issued token's exp is no time to come")


def _check_subject(claims: Mapping[str, Any], subject_token: SubjectToken) -> None:
    if claims.get("sub") != subject_token.subject:
        raise ExchangeResponseInvalid(
            "subject_mismatch: the issued token's sub is not the subject token's",
            remedy="Where the authorization server gives users another sub by design, set check_subject: false.",
        )


def _find_certificate(claims: Mapping[str, Any] | None) -> str | None:
    try:
        return None if claims is None else parse_confirmation(claims)
    except ValueError as error:
        raise ExchangeResponseInvalid(f"the issued token is bound to nobody knows what: {error}") from None


def _listed(audience: Any) -> list[Any]:
    return audience if isinstance(audience, list) else [audience]


def _find_end(answer: Mapping[str, Any], claims: Mapping[str, Any] | None, now: float) -> float | None:
    ends = []
    if answer.get("expires_in") is not None:
        ends.append(now + _read_duration(answer["expires_in"]))
    if claims is not None and "exp" in claims:
        ends.append(_read_number(claims["exp"]))
    return min(ends, default=None)


def _read_duration(value: Any) -> float:
    """``expires_in`` in seconds, also from a text of digits; 0, use once, for what is no duration."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        value = int(value)
    return min(max(_read_number(value), 0.0), _LONGEST_LIFE)


def _read_number(value: Any) -> float:
    """A JSON number; 0, which no time to come is, for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    if isinstance(value, int):
        return float(min(max(value, 0), 2**53))
    return value if math.isfinite(value) else 0.0
