"""Where a route takes its subject token from: a header, a query parameter, a file of our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from ..authentication.subject_token import SubjectToken
from ..authentication.verifier import Verifier
from ..config.binding_rules import takes_proofs
from ..config.models import Route
from ..config.secret_file import SecretFile
from ..downstream.request import Downstream
from ..errors import SubjectTokenMissing
from ..http.bearer import check_token, find_authorization, find_query_token
from .upstream_request import Join

TakeToken = Callable[[Downstream], str]


def build_take_token(route: Route, *, dpop: bool = False) -> TakeToken:
    """How ``route`` takes what should be a request's subject token: its form is not looked at yet.

    With ``dpop`` also one that is shown with a proof, where proofs can be shown.
    """
    if route.subject_token_file is not None:
        return _from_file(SecretFile(route.subject_token_file))
    if route.token_in.query is not None:
        return _from_query(route.token_in.query)
    schemes = [route.token_in.scheme.lower()] if route.token_in.scheme else []
    if dpop and takes_proofs(route):
        schemes.append("dpop")
    return _from_header(route.token_in.header or "Authorization", tuple(schemes))


def build_join(route: Route, find_verifier: Callable[[str], Verifier]) -> Join | None:
    """What of a request goes along with the user's token; None where nothing does."""
    context = route.request_context
    act = None
    if route.actor is not None and route.actor.header is not None:
        act = _build_act(route.actor.header, find_verifier(route.actor.type))
    if act is None and not context:
        return None

    async def join(subject_token: SubjectToken, downstream: Downstream) -> SubjectToken:
        if act is not None:
            subject_token = await act(subject_token, downstream)
        return subject_token.within(describe_request(downstream, context)) if context else subject_token

    return join


def describe_request(downstream: Downstream, names: Sequence[str]) -> str:
    """The members of that name as JSON, in one spelling (draft-ietf-oauth-transaction-tokens)."""
    told = {
        "req_ip": downstream.caller,
        "method": downstream.method,
        "host": downstream.host_field.decode("latin-1"),
        "path": downstream.raw_path.decode("latin-1"),
    }
    return json.dumps({name: told[name] for name in names}, sort_keys=True, separators=(",", ":"))


def _build_act(header: str, verifier: Verifier) -> Join:
    """How the token of ``header`` is taken, verified as a user's is, and put beside the user's."""
    take = _from_header(header, ())

    async def find_actor(subject_token: SubjectToken, downstream: Downstream) -> SubjectToken:
        try:
            token = take(downstream)
        except SubjectTokenMissing as error:
            raise SubjectTokenMissing(
                "the request brings no actor's token",
                remedy=f"Let the caller send the actor's token in {header}.",
            ) from error
        check_token(token)
        actor = verifier.recall(token) or await verifier.verify(token)
        verifier.require_unrevoked(subject_token)
        return subject_token.act_by(actor)

    return find_actor


def _from_header(header: str, schemes: tuple[str, ...]) -> TakeToken:
    name = header.lower().encode("ascii")

    def take(downstream: Downstream) -> str:
        return find_authorization(downstream.ended.get(name, ()), schemes)

    return take


def _from_query(parameter: str) -> TakeToken:
    def take(downstream: Downstream) -> str:
        return find_query_token(downstream.query, parameter)

    return take


def _from_file(file: SecretFile) -> TakeToken:
    def take(downstream: Downstream) -> str:
        return file.read_token("the subject token file")

    return take
