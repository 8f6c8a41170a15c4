"""RFC 8693 and the sibling grants (RFC 6749 §4.4, RFC 7523 §2.1): build the form, parse what came back.

The issued token's signature is not checked here: it came from the authorization server itself over TLS, and
whoever it is for will check it. What is checked is that it is the token that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from ..authentication.subject_token import SubjectToken
from ..errors import ExchangeResponseInvalid
from ..http.bearer import is_b64token
from ..jose.certificates import parse_confirmation
from ..jose.encoding import decode_base64url, parse_json_object

Form = list[tuple[str, str]]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"

MAX_TOKEN_LENGTH = 16 * 1024  # characters; more would not fit into the headers that APIs accept
_LONGEST_LIFE = 10 * 365 * 86400.0  # s; beyond that a number is a mistake, not a time
_ISSUED_TOKEN_TYPES = (TOKEN_TYPE + "access_token", TOKEN_TYPE + "jwt")
_TOKEN_TYPES: Mapping[str, Literal["Bearer", "DPoP"]] = {"bearer": "Bearer", "dpop": "DPoP"}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a route asks a token URL for: everything that shapes the answer but the user."""

    authorization_server: str
    grant: Literal["token_exchange", "client_credentials", "jwt_bearer"]
    audience: str | None = None
    resource: str | None = None
    scopes: tuple[str, ...] = ()
    subject_token_type: str = "access_token"
    requested_token_type: str | None = None
    actor: bool = False
    extra_parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What the exchange gave (RFC 8693 §2.2.1), kept as the field value that shows it.

    ``expires_at`` (epoch s) is the earliest of ``expires_in`` and the token's own ``exp``; None where neither
    was told. ``certificate`` is the thumbprint of the one that the token is bound to (RFC 8705 §3.1), if any;
    ``bound`` whether more than the token has to be shown.
    """

    authorization: bytes = field(repr=False)
    token_type: Literal["Bearer", "DPoP"]
    expires_at: float | None
    scopes: tuple[str, ...]
    certificate: str | None = None
    bound: bool = False

    @property
    def value(self) -> str:
        """The token alone; made anew each time, for kept it would double what a user costs."""
        return self.authorization.partition(b" ")[2].decode("ascii")


def build_access_token(
    value: str,
    token_type: Literal["Bearer", "DPoP"],
    expires_at: float | None,
    scopes: tuple[str, ...],
    certificate: str | None = None,
) -> AccessToken:
    bound = token_type == "DPoP" or certificate is not None
    return AccessToken(
        f"{token_type} {value}".encode("ascii"), token_type, expires_at, scopes, certificate, bound
    )


def build_form(
    request: TokenRequest, subject_token: SubjectToken | None, actor_token: AccessToken | None = None
) -> Form:
    """The form's fields, without those of client authentication. The grant says whether it needs a user."""
    form = _BUILDERS[request.grant](request, "" if subject_token is None else subject_token.value)
    for name in ("audience", "resource"):
        if (value := getattr(request, name)) is not None:
            form.append((name, value))
    if request.scopes:
        form.append(("scope", " ".join(request.scopes)))
    if actor_token is not None:
        form += [("actor_token", actor_token.value), ("actor_token_type", TOKEN_TYPE + "access_token")]
    return [*form, *request.extra_parameters]


def encode_form(form: Form) -> bytes:
    """``application/x-www-form-urlencoded``; a space becomes ``%20``, which every decoder reads alike."""
    return "&".join([f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in form]).encode()


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
    value = _parse_value(answer.get("access_token"), subject_token)
    token_type = _parse_token_type(answer.get("token_type"))
    _check_issued_token_type(answer.get("issued_token_type"))
    claims = parse_claims(value)
    if claims is not None:
        _check_claims(claims, request, subject_token if check_subject else None, now)
    return build_access_token(
        value=value,
        token_type=token_type,
        expires_at=_find_end(answer, claims, now),
        scopes=_parse_scopes(answer.get("scope"), request),
        certificate=_find_certificate(claims),
    )


def parse_claims(value: str) -> Mapping[str, Any] | None:
    """The claims of a signed JWT, unverified; None where the token is anything else, and so opaque."""
    segments = value.split(".")
    if len(segments) != 3:
        return None
    try:
        header, claims = (parse_json_object(decode_base64url(segment)) for segment in segments[:2])
    except ValueError:
        return None
    return claims if "alg" in header else None


def _build_token_exchange(request: TokenRequest, subject_token: str) -> Form:
    form = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", subject_token),
        ("subject_token_type", TOKEN_TYPE + request.subject_token_type),
    ]
    if request.requested_token_type is not None:
        form.append(("requested_token_type", TOKEN_TYPE + request.requested_token_type))
    return form


def _build_client_credentials(_request: TokenRequest, _subject_token: str) -> Form:
    return [("grant_type", "client_credentials")]


def _build_jwt_bearer(_request: TokenRequest, subject_token: str) -> Form:
    # The on-behalf-of flow of Microsoft Entra ID: RFC 7523 §2.1 plus one parameter of its own.
    return [
        ("grant_type", JWT_BEARER),
        ("assertion", subject_token),
        ("requested_token_use", "on_behalf_of"),
    ]


_BUILDERS = {
    "token_exchange": _build_token_exchange,
    "client_credentials": _build_client_credentials,
    "jwt_bearer": _build_jwt_bearer,
}


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


def _parse_token_type(value: Any) -> Literal["Bearer", "DPoP"]:
    found = _TOKEN_TYPES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ExchangeResponseInvalid("the token_type is neither Bearer nor DPoP")
    return found


def _check_issued_token_type(value: Any) -> None:
    if value is not None and value not in _ISSUED_TOKEN_TYPES:
        raise ExchangeResponseInvalid("the issued_token_type is neither an access token's nor a JWT's")


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


def _check_claims(
    claims: Mapping[str, Any], request: TokenRequest, subject_token: SubjectToken | None, now: float
) -> None:
    """RFC 9700 §2.3: the audience asked for, the user's subject, and some life left."""
    if request.audience is not None and request.audience not in _listed(claims.get("aud")):
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
