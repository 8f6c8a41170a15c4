"""RFC 8693 and the sibling grants (RFC 6749 §4.4, RFC 7523 §2.1): build the form, parse what came back.

The issued token's signature is not checked here: it came from the authorization server itself over TLS, and
whoever it is for will check it. What is checked is that it is the token that was asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from ..authentication.subject_token import SubjectToken
from ..errors import ExchangeResponseInvalid
from ..jose.certificates import parse_confirmation
from ..jose.encoding import decode_base64url, parse_json_object
from .actors import MOST, ActorToken
from .authorization_details import check_granted
from .first_leg import FirstLeg, check_first_token, refuse_first_token
from .token_types import (
    FEDERATED_TOKEN,
    TokenType,
    build_uri,
    check_issued_token_type,
    find_value,
    parse_token_type,
)

Form = list[tuple[str, str]]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Auth0's Token Vault: a token exchange in all but the name.
AUTH0_TOKEN_VAULT = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"

MAX_TOKEN_LENGTH = 16 * 1024  # characters; more would not fit into the headers that APIs accept
_LONGEST_LIFE = 10 * 365 * 86400.0  # s; beyond that a number is a mistake, not a time
_B68TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 §2.1


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a route asks a token URL for: everything that shapes the answer but the user.

    ``assertion`` redeems another server's token (RFC 7523 §2.1), ``jwt_bearer`` is what Entra ID makes of that.
    ``authorization_details`` are RFC 9396's, as JSON. ``actor`` sends our own token along, ``actor_type`` (a URI) the
    caller's or that of ``actor_file``; ``allowed_actors`` and ``max_actors`` are for those in the subject token.
    ``leg`` is 1 or 2 where the token takes two calls; ``first_leg`` says what the first one must bring. Without
    ``sends_scope`` the scopes are expected but not sent: those of the assertion are meant.
    """

    authorization_server: str
    grant: Literal["token_exchange", "client_credentials", "jwt_bearer", "assertion"]
    audience: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    subject_token_type: str = "access_token"
    requested_token_type: str | None = None
    actor: bool = False
    actor_type: str | None = None
    actor_file: str | None = None
    allowed_actors: tuple[str, ...] | None = None
    max_actors: int = MOST
    extra_parameters: tuple[tuple[str, str], ...] = ()
    authorization_details: str | None = None
    leg: Literal[1, 2] | None = None
    first_leg: FirstLeg | None = None
    sends_scope: bool = True


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What the exchange gave (RFC 8693 §2.2.1), kept as the field value that shows it to nearly all APIs.

    ``expires_at`` (epoch s) is the earliest of ``expires_in`` and the token's own ``exp``; None where neither
    was told. ``certificate`` is the thumbprint of the one that the token is bound to (RFC 8705 §3.1), if any;
    ``bound`` whether more than the token has to be shown.
    """

    authorization: bytes = field(repr=False)
    token_type: TokenType
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
    token_type: TokenType,
    expires_at: float | None,
    scopes: tuple[str, ...],
    certificate: str | None = None,
) -> AccessToken:
    bound = token_type == "DPoP" or certificate is not None
    scheme = "DPoP" if token_type == "DPoP" else "Bearer"
    return AccessToken(
        f"{scheme} {value}".encode("ascii"), token_type, expires_at, scopes, certificate, bound
    )


def build_form(
    request: TokenRequest, subject_token: SubjectToken | None, actor_token: ActorToken | None = None
) -> Form:
    """The form's fields, without those of client authentication. The grant says whether it needs a user."""
    form = _BUILDERS[request.grant](request, "" if subject_token is None else subject_token.value)
    form += [("audience", audience) for audience in request.audience]  # RFC 8693 §2.1: repeated
    form += [("resource", resource) for resource in request.resource]
    if request.scopes and request.sends_scope:
        form.append(("scope", " ".join(request.scopes)))
    if request.authorization_details is not None:
        form.append(("authorization_details", request.authorization_details))
    if subject_token is not None and subject_token.context is not None:
        form.append(("request_context", subject_token.context))
    if actor_token is not None:
        form += [("actor_token", actor_token.value), ("actor_token_type", actor_token.type)]
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


def _build_token_exchange(request: TokenRequest, subject_token: str) -> Form:
    requested = request.requested_token_type
    form = [
        ("grant_type", AUTH0_TOKEN_VAULT if requested == FEDERATED_TOKEN else TOKEN_EXCHANGE),
        ("subject_token", subject_token),
        ("subject_token_type", build_uri(request.subject_token_type)),
    ]
    if requested is not None:
        form.append(("requested_token_type", build_uri(requested)))
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


def _build_assertion(_request: TokenRequest, subject_token: str) -> Form:
    return [("grant_type", JWT_BEARER), ("assertion", subject_token)]


_BUILDERS = {
    "token_exchange": _build_token_exchange,
    "client_credentials": _build_client_credentials,
    "jwt_bearer": _build_jwt_bearer,
    "assertion": _build_assertion,
}


def _parse_value(value: Any, subject_token: SubjectToken | None) -> str:
    if not isinstance(value, str) or not value:
        raise ExchangeResponseInvalid("the answer has no access_token")
    if len(value) > MAX_TOKEN_LENGTH:
        raise ExchangeResponseInvalid(f"the access_token is longer than {MAX_TOKEN_LENGTH} characters")
    if not _B68TOKEN.fullmatch(value):
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
        header, claims = (parse_json_object(decode_base64url(segment)) for segment in segments[:2])
    except ValueError:
        return None
    return (header, claims) if "alg" in header else None


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
