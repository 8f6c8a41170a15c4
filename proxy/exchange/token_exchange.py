"""RFC 8693 and the sibling grants (RFC 6749 §4.4, RFC 7523 §2.1): what is asked for, and the form that asks.

Not here: what the answer means (``token_response``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from mypy_extensions import mypyc_attr

from ..authentication.subject_token import SubjectToken
from .actors import MOST, ActorToken
from .first_leg import FirstLeg
from .token_types import (
    FEDERATED_TOKEN,
    TokenType,
    build_uri,
)

Form = list[tuple[str, str]]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Auth0's Token Vault: a token exchange in all but the name.
AUTH0_TOKEN_VAULT = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"


@mypyc_attr(native_class=False)
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
    extra_parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization_details: str | None = field(default=None, repr=False)
    leg: Literal[1, 2] | None = None
    first_leg: FirstLeg | None = None
    sends_scope: bool = True


@mypyc_attr(native_class=False)
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
    return "&".join(
        [_encode_asked(name, value) if name in _ASKED else _encode_field(name, value) for name, value in form]
    ).encode()


def encode_component(text: str) -> str:
    """All but RFC 3986's unreserved characters (§2.3) as ``%XX`` of their UTF-8."""
    if not text.encode().translate(None, _UNRESERVED):  # most often: a token
        return text
    return text.translate(_SPELLINGS) if text.isascii() else quote(text, safe="")


def _encode_field(name: str, value: str) -> str:
    return f"{encode_component(name)}={encode_component(value)}"


@lru_cache(maxsize=1024)  # a few for each route
def _encode_asked(name: str, value: str) -> str:
    """What is the same for all users; nobody's token may come here, for it would be kept."""
    return _encode_field(name, value)


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


# What the configuration says, or this file.
_ASKED = frozenset(
    {
        "grant_type",
        "subject_token_type",
        "requested_token_type",
        "requested_token_use",
        "actor_token_type",
        "audience",
        "resource",
        "scope",
    }
)
_SPELLINGS = [quote(chr(code), safe="") for code in range(128)]
_UNRESERVED = bytes(code for code, spelling in enumerate(_SPELLINGS) if len(spelling) == 1)
_BUILDERS = {
    "token_exchange": _build_token_exchange,
    "client_credentials": _build_client_credentials,
    "jwt_bearer": _build_jwt_bearer,
    "assertion": _build_assertion,
}
