"""RFC 6750: the bearer token of a request, and the challenge where it does not suffice.

Also where else a route may look for it: a query parameter (§2.3), or the websocket subprotocol of
browsers, which can set no header. Not checked here: the token itself.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_to_bytes

from .errors import AuthorizationMalformed, ProxyError, ScopeInsufficient, StepUpRequired, SubjectTokenMissing
from .jose import decode_base64url

SUBPROTOCOL = "base64url.bearer.authorization.obo."

_TOKEN_CHARACTERS = string.ascii_letters.encode() + string.digits.encode() + b"-._~+/"  # §2.1, b64token
_NOT_QUOTABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # §3: what a quoted value may not hold


def parse_authorization(values: Sequence[bytes], scheme: str = "Bearer") -> str:
    """The token off all ``Authorization`` field values; an empty ``scheme`` means that the token stands alone.

    SubjectTokenMissing where there is none or another scheme, AuthorizationMalformed where there is more
    than one or it is not a ``b64token`` after one space.
    """
    if len(values) > 1:
        raise AuthorizationMalformed("the credentials stand in more than one field")
    value = values[0].strip(b" \t") if values else b""
    if not value:
        raise SubjectTokenMissing("the request brings no credentials")
    if not scheme:
        return _parse_token(value)
    name, _, token = value.partition(b" ")
    if name.lower() != scheme.lower().encode():
        raise SubjectTokenMissing(f"the credentials are not of the scheme {scheme}")
    return _parse_token(token)


def parse_query_token(query: bytes, name: str) -> tuple[str, bytes]:
    """The token in the parameter ``name``, and the query without it, otherwise byte for byte."""
    pairs = query.split(b"&")
    found = [pair for pair in pairs if _decode(pair.partition(b"=")[0]) == name.encode()]
    if not found:
        raise SubjectTokenMissing("the query brings no token")
    if len(found) > 1:
        raise AuthorizationMalformed("the query brings more than one token")
    token = _parse_token(_decode(found[0].partition(b"=")[2]))
    return token, b"&".join(pair for pair in pairs if pair is not found[0])


def parse_subprotocol_token(values: Sequence[bytes]) -> tuple[str | None, list[str]]:
    """The token in ``Sec-WebSocket-Protocol``, if there is one, and the other subprotocols.

    AuthorizationMalformed for two tokens, one that is not canonical, or one without another subprotocol
    beside it, for then there would be none to agree on.
    """
    offered = [item.strip() for value in values for item in value.decode("latin-1").split(",")]
    tokens = [item.removeprefix(SUBPROTOCOL) for item in offered if item.startswith(SUBPROTOCOL)]
    others = [item for item in offered if item and not item.startswith(SUBPROTOCOL)]
    if not tokens:
        return None, others
    if len(tokens) > 1 or not others:
        raise AuthorizationMalformed("the subprotocols must hold one token and one other at least")
    try:
        return _parse_token(decode_base64url(tokens[0])), others
    except ValueError:
        raise AuthorizationMalformed("the token among the subprotocols is not base64url") from None


def build_challenge(
    error: ProxyError, *, realm: str = "obo-proxy", resource_metadata: str | None = None
) -> str | None:
    """The ``WWW-Authenticate`` value (§3, RFC 9470 §3, RFC 9728 §5.1); None where ``error`` has no challenge."""
    if error.challenge is None:
        return None
    parameters = [("realm", realm), *_describe(error)]
    if resource_metadata is not None:
        parameters.append(("resource_metadata", resource_metadata))
    return "Bearer " + ", ".join(f'{name}="{_NOT_QUOTABLE.sub("", text)}"' for name, text in parameters)


def _describe(error: ProxyError) -> Iterator[tuple[str, str]]:
    if not error.challenge:  # §3.1: a request without credentials is told no error
        return
    yield "error", error.challenge
    yield "error_description", error.detail
    if isinstance(error, ScopeInsufficient) and error.scopes:
        yield "scope", " ".join(error.scopes)
    if isinstance(error, StepUpRequired) and error.acr_values:
        yield "acr_values", " ".join(error.acr_values)
    if isinstance(error, StepUpRequired) and error.max_age is not None:
        yield "max_age", str(error.max_age)


def _parse_token(value: bytes) -> str:
    text = value.rstrip(b"=")
    if not text or text.translate(None, _TOKEN_CHARACTERS):
        raise AuthorizationMalformed("the credentials are not one well-formed token")
    return value.decode()


def _decode(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
