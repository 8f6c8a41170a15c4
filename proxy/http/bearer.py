"""RFC 6750: the bearer token of a request, and the challenge where it does not suffice.

Also where else a route may look for it: a query parameter (§2.3), or the websocket subprotocol of
browsers, which can set no header. Not checked here: the token itself.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Final
from urllib.parse import unquote_to_bytes

from ..errors import (
    AuthorizationMalformed,
    ProxyError,
    ScopeInsufficient,
    StepUpRequired,
    SubjectTokenError,
    SubjectTokenMissing,
)
from ..jose.encoding import decode_base64url

SUBPROTOCOL: Final = "base64url.bearer.authorization.obo."

_B64TOKEN: Final = (ascii_letters + digits + "-._~+/").encode()
_NOT_QUOTABLE: Final = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # §3: what a quoted value may not hold


@dataclass(frozen=True)
class Schemes:
    """By which schemes callers may show their tokens; ``dpop`` are the algorithms of proofs, if any are taken."""

    bearer: bool = True
    dpop: tuple[str, ...] = ()


BEARER_ALONE: Final = Schemes()


def find_authorization(values: Sequence[bytes], schemes: Collection[str] = ("bearer",)) -> str:
    """What follows one of ``schemes`` (lower-case) in the one ``Authorization`` field value; all of it without any.

    Its form is ``check_token``'s to judge. SubjectTokenMissing where there is none or another scheme,
    AuthorizationMalformed where there is more than one.
    """
    if len(values) > 1:
        raise AuthorizationMalformed("the credentials stand in more than one field")
    text = values[0].decode("latin-1").strip(" \t") if values else ""
    if not text:
        raise SubjectTokenMissing("the request brings no credentials")
    if not schemes:
        return text
    name, _, token = text.partition(" ")
    if name.lower() not in schemes:
        raise SubjectTokenMissing(f"the credentials are not of the scheme {' or '.join(schemes)}")
    return token


def shows_proof(values: Sequence[bytes]) -> bool:
    """Whether the ``Authorization`` is of the scheme ``DPoP`` (RFC 9449 §7.1)."""
    return bool(values) and values[0].lstrip(b" \t")[:5].lower() == b"dpop "


def is_b64token(text: str) -> bool:
    """Whether ``text`` can be sent as a bearer token (RFC 6750 §2.1)."""
    start = text.rstrip("=")
    return start != "" and start.isascii() and not start.encode().translate(None, _B64TOKEN)


def check_token(token: str) -> None:
    """AuthorizationMalformed for what is not a ``b64token``."""
    if not is_b64token(token):
        raise AuthorizationMalformed("the credentials are not one well-formed token")


def split_query(query: bytes, names: Collection[bytes]) -> tuple[list[bytes], bytes]:
    """The values of the parameters of these names, decoded, and the query without them, otherwise byte for byte."""
    values: list[bytes] = []
    rest: list[bytes] = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name in names or (b"%" in name and _decode(name) in names):
            values.append(_decode(value))
        else:
            rest.append(pair)
    return values, b"&".join(rest)


def find_query_token(query: bytes, name: str) -> str:
    """What the parameter ``name`` holds.

    Its form is ``check_token``'s to judge. SubjectTokenMissing, or AuthorizationMalformed where there are two.
    """
    found, _ = split_query(query, {name.encode("ascii")})
    if not found:
        raise SubjectTokenMissing("the query brings no token")
    if len(found) > 1:
        raise AuthorizationMalformed("the query brings more than one token")
    return found[0].decode("latin-1")


def parse_subprotocol_token(values: Sequence[bytes]) -> tuple[str | None, list[str]]:
    """The token in ``Sec-WebSocket-Protocol``, if there is one, and the other subprotocols.

    AuthorizationMalformed for two tokens, one that is not canonical, or one without another subprotocol
    beside it, for then there would be none to agree on.
    """
    tokens, others = _split_subprotocols(values)
    if not tokens:
        return None, others
    if len(tokens) > 1 or not others:
        raise AuthorizationMalformed("the subprotocols must hold one token and one other at least")
    try:
        token = decode_base64url(tokens[0]).decode("latin-1")
    except ValueError:
        raise AuthorizationMalformed("the token among the subprotocols is not base64url") from None
    check_token(token)
    return token, others


def list_subprotocol_tokens(values: Sequence[bytes]) -> list[bytes]:
    """Every token in ``Sec-WebSocket-Protocol`` that can be read, however many there are and whatever they are."""
    found = []
    for encoded in _split_subprotocols(values)[0]:
        with suppress(ValueError):
            found.append(decode_base64url(encoded))
    return found


def build_challenges(
    error: ProxyError,
    *,
    schemes: Schemes = BEARER_ALONE,
    realm: str = "obo-proxy",
    resource_metadata: str | None = None,
    scopes: Sequence[str] = (),
) -> list[str]:
    """The ``WWW-Authenticate`` values (§3, RFC 9449 §7.1, RFC 9470 §3, RFC 9728 §5.1): one for each scheme.

    Empty where ``error`` has no challenge. ``scopes`` are those that a new token should have, told where there is no
    good one.
    """
    if error.challenge is None:
        return []
    parameters = [("realm", realm), *_describe(error)]
    if scopes and isinstance(error, SubjectTokenError) and error.status == 401:
        parameters += [("scope", " ".join(scopes))] if not isinstance(error, StepUpRequired) else []
    if resource_metadata is not None:
        parameters.append(("resource_metadata", resource_metadata))
    proven = [*parameters, ("algs", " ".join(schemes.dpop))]
    offered = [("Bearer", parameters)] if schemes.bearer else []
    offered += [("DPoP", proven)] if schemes.dpop else []
    return [_join(name, each) for name, each in offered if error.challenge_scheme in (None, name)]


def _join(scheme: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{scheme} " + ", ".join(f'{name}="{_NOT_QUOTABLE.sub("", text)}"' for name, text in parameters)


def _split_subprotocols(values: Sequence[bytes]) -> tuple[list[str], list[str]]:
    """What is offered as a token, still encoded, and the other subprotocols."""
    offered = [item.strip() for value in values for item in value.decode("latin-1").split(",")]
    tokens = [item.removeprefix(SUBPROTOCOL) for item in offered if item.startswith(SUBPROTOCOL)]
    return tokens, [item for item in offered if item and not item.startswith(SUBPROTOCOL)]


def _describe(error: ProxyError) -> Iterator[tuple[str, str]]:
    if not error.challenge:  # §3.1: a request without credentials is told no error
        return
    if isinstance(error, StepUpRequired) and error.claims:
        yield "error", "insufficient_claims"  # Entra ID's claims challenge
        yield "claims", b64encode(error.claims.encode()).decode()
        return
    yield "error", error.challenge
    yield "error_description", error.detail
    if isinstance(error, ScopeInsufficient) and error.scopes:
        yield "scope", " ".join(error.scopes)
    if isinstance(error, StepUpRequired) and error.acr_values:
        yield "acr_values", " ".join(error.acr_values)
    if isinstance(error, StepUpRequired) and error.max_age is not None:
        yield "max_age", str(error.max_age)


def _decode(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
