"""What goes upstream of a request's head: the caller's without credentials, and ours."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.downstream.request import Downstream
from proxy.errors import AuthorizationMalformed, ExpectationFailed, LoopDetected
from proxy.gateway.request_fields import build_own_fields, withhold_credentials
from proxy.gateway.upstream_request import Route
from proxy.http.forwarding import Forwarding
from proxy.http.headers import Field
from proxy.http.withholding import CredentialNames
from tests.support.compiled import interpreted

FORWARDING = Forwarding(names=CredentialNames(headers=["X-Key"], parameters=["key"]))
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(*headers: Field, method: str = "OPTIONS", path: bytes = b"/a", query: bytes = b"") -> Downstream:
    scope = {
        "method": method, "scheme": "http", "http_version": "1.1", "raw_path": path, "query_string": query,
        "client": ("192.0.2.1", 5), "headers": [(b"host", b"a.example"), *headers],
    }  # fmt: skip
    return Downstream(scope, None, None, FORWARDING)  # type: ignore[arg-type]  # nothing is read or written


def own(downstream: Downstream, **changes: Any) -> dict[bytes, bytes]:
    fields: dict[str, Any] = dict.fromkeys(Route.__dataclass_fields__)
    route = Route(**fields | {"upstream_host": b"orders:80", "preserve_host": False} | changes)
    return dict(build_own_fields(route, FORWARDING, downstream, downstream.body()))


@pytest.mark.parametrize(
    ("headers", "changes", "name", "value"),
    [
        ([], {}, b"host", b"orders:80"),
        ([], {"preserve_host": True}, b"host", b"a.example"),
        ([(b"x-request-id", b"r-1")], {}, b"x-request-id", b"r-1"),
        ([], {}, b"x-forwarded-for", b"192.0.2.1"),
        pytest.param([], {}, b"via", b"1.1 " + FORWARDING.pseudonym, id="via"),  # another in each process
        ([(b"max-forwards", b"2")], {}, b"max-forwards", b"1"),
        ([(b"traceparent", TRACEPARENT)], {}, b"traceparent", TRACEPARENT),
        ([(b"traceparent", b"none")], {}, b"traceparent", None),
        ([(b"content-length", b"3")], {}, b"content-length", b"3"),
        ([(b"expect", b"100-continue")], {}, b"expect", None),
    ],
    ids=lambda value: None if isinstance(value, list | dict) else str(value),
)
@interpreted
def test_our_own_fields(headers: list[Field], changes: dict[str, Any], name: bytes, value: bytes | None):
    """H-52, H-50: set by us, whatever the caller sends."""
    assert own(request(*headers), **changes).get(name) == value


@pytest.mark.parametrize(
    ("header", "error"),
    [((b"via", b"1.1 " + FORWARDING.pseudonym), LoopDetected), ((b"expect", b"coffee"), ExpectationFailed)],
    ids=["loop", "expectation"],
)
@interpreted
def test_what_the_callers_own_fields_forbid(header: Field, error: type[Exception]):
    """H-37, H-27: a request that came through us before, or expects what nobody can meet, goes nowhere."""
    with pytest.raises(error):
        own(request(header))


def test_no_credential_goes_on():
    """H-29: not by its name, and no copy of its value."""
    secret = b"canary-secret-of-the-caller"
    downstream = request(
        (b"x-key", secret), (b"x-copy", b"a " + secret), (b"accept", b"*/*"), query=b"a=1&key=" + secret
    )
    fields, query_part, subprotocols = withhold_credentials(FORWARDING.names, None, downstream, [])
    assert (fields, query_part, tuple(subprotocols)) == ([(b"accept", b"*/*")], b"?a=1", ())


@pytest.mark.parametrize("place", ["path", "ours"])
def test_a_copy_that_cannot_be_left_out(place: str):
    """H-29: the request is refused rather than sent on."""
    secret = b"canary-secret-of-the-caller"
    downstream = request((b"x-key", secret), path=b"/" + secret if place == "path" else b"/a")
    ours = [(b"x-request-id", secret)] if place == "ours" else []
    with pytest.raises(AuthorizationMalformed):
        withhold_credentials(FORWARDING.names, None, downstream, ours)
