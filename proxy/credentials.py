"""Where a route takes its subject token from: a header, a query parameter, a file of our own.

Wherever else in the request the token stands, it goes no further.
"""

from __future__ import annotations

from collections.abc import Callable

from .bearer import find_authorization, find_query_token
from .config.models import Route
from .config.secret_file import SecretFile
from .downstream import Downstream
from .errors import AuthorizationServerUnavailable
from .headers import Field, Fields

TakeToken = Callable[[Downstream], tuple[str, bytes]]


def build_take_token(route: Route) -> TakeToken:
    """How ``route`` takes what should be a request's subject token: its form is not looked at yet.

    With it comes the query part without the parameter that held it.
    """
    if route.subject_token_file is not None:
        return _from_file(SecretFile(route.subject_token_file))
    if route.token_in.query is not None:
        return _from_query(route.token_in.query)
    return _from_header(route.token_in.header or "Authorization", route.token_in.scheme)


def withhold(token: str, fields: Fields) -> Fields:
    """``fields`` without ``token``: a cookie that holds it goes, and so does any other field that does."""
    secret = token.encode("ascii")
    for _, value in fields:
        if secret in value:
            return [field for each in fields for field in _withhold(secret, each)]
    return fields


def _withhold(secret: bytes, field: Field) -> list[Field]:
    name, value = field
    if secret not in value:
        return [field]
    rest = _without(secret, value, b";").strip() if name == b"cookie" else b""
    return [(name, rest)] if rest else []


def withhold_from_query(token: str, query_part: bytes) -> bytes:
    """``query_part``, with its ``?``, without the parameters that hold ``token``."""
    secret = token.encode("ascii")
    if secret not in query_part:
        return query_part
    rest = _without(secret, query_part[1:], b"&")
    return b"?" + rest if rest else b""


def _without(secret: bytes, value: bytes, separator: bytes) -> bytes:
    return separator.join(part for part in value.split(separator) if secret not in part)


def _from_header(header: str, scheme: str) -> TakeToken:
    name, scheme = header.lower().encode("ascii"), scheme.lower()

    def take(downstream: Downstream) -> tuple[str, bytes]:
        return find_authorization(downstream.ended.get(name, ()), scheme), downstream.query_part

    return take


def _from_query(parameter: str) -> TakeToken:
    def take(downstream: Downstream) -> tuple[str, bytes]:
        token, rest = find_query_token(downstream.query, parameter)
        return token, b"?" + rest if rest else b""

    return take


def _from_file(file: SecretFile) -> TakeToken:
    def take(downstream: Downstream) -> tuple[str, bytes]:
        try:
            return file.read().decode("ascii"), downstream.query_part
        except (OSError, UnicodeDecodeError) as error:
            raise AuthorizationServerUnavailable(
                f"the subject token file cannot be read: {type(error).__name__}",
                remedy=f"see that {file.path} exists, is readable and holds one token",
            ) from error

    return take
