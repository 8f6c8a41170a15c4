"""The fields of a request as it goes upstream: the caller's without any credential, and our own."""

from __future__ import annotations

from collections.abc import Sequence

from ..downstream.request import Body, Downstream
from ..http.forwarding import Forwarding
from ..http.headers import (
    EXPECT,
    MAX_FORWARDS,
    VIA,
    Field,
    Fields,
    count_down,
    refuse_expectation,
    refuse_loop,
)
from ..http.trace_context import TRACEPARENT, build_trace_fields
from ..http.withholding import (
    CredentialNames,
    refuse_copies,
    refuse_many,
    withhold,
    withhold_from_query,
    withhold_from_subprotocols,
)
from .upstream_request import Route


def build_own_fields(
    route: Route, forwarding: Forwarding, downstream: Downstream, body: Body | None
) -> list[Field]:
    """The fields that we set, without those that show the access token.

    Raises LoopDetected and ExpectationFailed for what the caller's own say.
    """
    ended, host = downstream.ended, downstream.host_field
    fields = [
        (b"host", host if route.preserve_host else route.upstream_host),
        (b"x-request-id", downstream.request_id.encode("ascii")),
        *forwarding.build_fields(downstream.peer, downstream.scheme, downstream.version, host, ended),
    ]
    if VIA in ended:
        refuse_loop(ended, forwarding.pseudonym)
    if EXPECT in ended:
        refuse_expectation(ended)
    if MAX_FORWARDS in ended:
        fields += count_down(downstream.method, ended)
    if TRACEPARENT in ended:
        fields += build_trace_fields(ended)
    if body is not None:
        fields.append(body.framing)
    return fields


def withhold_credentials(
    names: CredentialNames, token: str | None, downstream: Downstream, ours: Fields
) -> tuple[list[Field], bytes, Sequence[str]]:
    """The caller's fields, query part and subprotocols without any credential that it shows, on every route.

    Raises AuthorizationMalformed where one stands in what cannot be left out, or in what ``ours`` repeat.
    """
    fields, query_part, subprotocols = downstream.kept, downstream.query_part, downstream.subprotocols
    in_query: list[bytes] = []
    if names.parameters:
        in_query, query_part = names.split_query(query_part)
        fields = names.strip_referer(fields)
    known = None if token is None else token.encode("ascii")
    secrets = names.find_secrets(downstream.ended, in_query, known, size=downstream.head_size)
    if secrets:
        refuse_many(secrets)
        refuse_copies(secrets, downstream.raw_path, ours)
        fields = withhold(secrets, fields)
        query_part = withhold_from_query(secrets, query_part)
        subprotocols = withhold_from_subprotocols(secrets, subprotocols)
    return fields, query_part, subprotocols
