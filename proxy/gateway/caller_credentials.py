"""Where a route takes its subject token from: a header, a query parameter, a file of our own."""

from __future__ import annotations

from collections.abc import Callable

from ..authentication.subject_token import SubjectToken
from ..authentication.verifier import Verifier
from ..config.models import Route
from ..config.secret_file import SecretFile
from ..downstream.request import Downstream
from ..errors import AuthorizationServerUnavailable, SubjectTokenMissing
from ..http.bearer import check_token, find_authorization, find_query_token
from .upstream_request import FindActor

TakeToken = Callable[[Downstream], str]


def build_take_token(route: Route) -> TakeToken:
    """How ``route`` takes what should be a request's subject token: its form is not looked at yet."""
    if route.subject_token_file is not None:
        return _from_file(SecretFile(route.subject_token_file))
    if route.token_in.query is not None:
        return _from_query(route.token_in.query)
    return _from_header(route.token_in.header or "Authorization", route.token_in.scheme)


def build_find_actor(header: str, verifier: Verifier) -> FindActor:
    """How the token of ``header`` is taken, verified as a user's is, and put beside the user's."""
    take = _from_header(header, "")

    async def find_actor(subject_token: SubjectToken, downstream: Downstream) -> SubjectToken:
        try:
            token = take(downstream)
        except SubjectTokenMissing as error:
            raise SubjectTokenMissing(
                "the request brings no actor's token",
                remedy=f"Let the caller send the actor's token in {header}.",
            ) from error
        check_token(token)
        return subject_token.act_by(verifier.recall(token) or await verifier.verify(token))

    return find_actor


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
