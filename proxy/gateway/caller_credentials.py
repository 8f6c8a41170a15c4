"""Where a route takes its subject token from: a header, a query parameter, a file of our own."""

from __future__ import annotations

from collections.abc import Callable

from ..config.models import Route
from ..config.secret_file import SecretFile
from ..downstream.request import Downstream
from ..errors import AuthorizationServerUnavailable
from ..http.bearer import find_authorization, find_query_token

TakeToken = Callable[[Downstream], str]


def build_take_token(route: Route) -> TakeToken:
    """How ``route`` takes what should be a request's subject token: its form is not looked at yet."""
    if route.subject_token_file is not None:
        return _from_file(SecretFile(route.subject_token_file))
    if route.token_in.query is not None:
        return _from_query(route.token_in.query)
    return _from_header(route.token_in.header or "Authorization", route.token_in.scheme)


def _from_header(header: str, scheme: str) -> TakeToken:
    name, scheme = header.lower().encode("ascii"), scheme.lower()

    def take(downstream: Downstream) -> str:
        return find_authorization(downstream.ended.get(name, ()), scheme)

    return take


def _from_query(parameter: str) -> TakeToken:
    def take(downstream: Downstream) -> str:
        return find_query_token(downstream.query, parameter)

    return take


def _from_file(file: SecretFile) -> TakeToken:
    def take(downstream: Downstream) -> str:
        try:
            return file.read().decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise AuthorizationServerUnavailable(
                f"the subject token file cannot be read: {type(error).__name__}",
                remedy=f"see that {file.path} exists, is readable and holds one token",
            ) from error

    return take
