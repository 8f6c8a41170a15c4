"""Strip, then set: what of a caller's fields goes on, what of an upstream's comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ExpectationFailed, LoopDetected
from proxy.http.headers import (
    HOP_BY_HOP,
    RequestFilter,
    append,
    build_request_head,
    count_down,
    is_last_stop,
    is_preflight,
    refuse_expectation,
    refuse_loop,
    strip_response,
)

STRICT = RequestFilter(trusted=False)
TRUSTING = RequestFilter(trusted=True)


def kept_by(which: RequestFilter, fields):
    return which.split(fields)[0]


@pytest.mark.parametrize(
    "name",
    [
        *sorted(HOP_BY_HOP),
        *(b"authorization", b"dpop", b"content-length", b"expect", b"host", b"via", b"x-request-id"),
        *(b"x-forwarded-user", b"x_forwarded_user", b"x-forwarded_user", b"x-forwarded-email"),
        *(b"x-forwarded-groups", b"x-forwarded-access-token", b"x-forwarded-preferred-username"),
        *(b"x-auth-request-user", b"x_auth_user", b"x-remote-user", b"remote_user", b"x-okta-user"),
        *(b"x_forwarded_for", b"content_length", b"transfer_encoding", b"x_request_id"),
        *(b"x.forwarded.user", b"x.forwarded-for", b"x!forwarded~user", b"x-forwarded|user", b"remote.user"),
        *(b"authorization", b"proxy-authorization", b"proxy.authorization", b"dpop"),
        *(b"proxy", b"x-webauth-user", b"x_webauth_groups", b"x-amzn-oidc-data", b"x-amzn-oidc-accesstoken"),
        *(b"x-ms-client-principal", b"x-ms-client-principal-name", b"x-ms-token-aad-access-token"),
        *(b"x-goog-authenticated-user-email", b"x-goog-iap-jwt-assertion", b"x_goog.iap_jwt_assertion"),
        *(b"sec-websocket-protocol", b"sec-websocket-key", b"sec_websocket_protocol"),
    ],
)
@pytest.mark.parametrize("which", [STRICT, TRUSTING], ids=["strict", "trusting"])
def test_fields_that_end_here_are_stripped(which, name):
    """H-28, H-32: hop-by-hop, credentials, framing and identity, in both spellings, from any peer."""
    assert which.split([(name, b"x"), (b"accept", b"*/*")]) == ([(b"accept", b"*/*")], {name: [b"x"]})


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (b"forwarded", True), (b"x-forwarded-port", True), (b"x-real-ip", True), (b"x-original-url", True),
        (b"x-forwarded-client-cert", True), (b"client-cert", True), (b"client-cert-chain", True),
        (b"client_cert", True), (b"ssl-client-s-dn", True), (b"ssl_client_verify", True), (b"x-ssl-client-cert", True),
        (b"x-client-cert", True), (b"x-arr-clientcert", True), (b"true-client-ip", True), (b"cf-connecting-ip", True),
        (b"cf-connecting-ipv6", True), (b"client-ip", True), (b"x-client-ip", True), (b"x-cluster-client-ip", True),
        (b"x-forwarded-for", False), (b"x-forwarded-proto", False), (b"x-forwarded-host", False),
    ],
)  # fmt: skip
def test_only_a_trusted_peer_says_who_came_before(name, kept):
    """H-50: others' forwarding fields are dropped; ours replace those that we append to."""
    assert kept_by(STRICT, [(name, b"x")]) == []
    assert bool(kept_by(TRUSTING, [(name, b"x")])) is kept


@pytest.mark.parametrize(
    "connection",
    [b"X-Secret", b"close, x-secret", b" , X-SECRET ,", b"keep-alive,x-secret", b", Authorization, x-secret"],
)
def test_nominated_fields_are_stripped(connection):
    """H-28: every name in Connection goes, in any case, with empty elements about."""
    fields = [(b"x-secret", b"1"), (b"connection", connection), (b"accept", b"a"), (b"X-Other".lower(), b"b")]
    assert kept_by(STRICT, fields) == [(b"accept", b"a"), (b"x-other", b"b")]
    assert strip_response(fields) == [(b"accept", b"a"), (b"x-other", b"b")]


def test_several_connection_lines_nominate():
    """H-28: a first, empty Connection line hides nothing (Go's CVE-2021-33197)."""
    fields = [
        (b"connection", b""),
        (b"connection", b"x-a"),
        (b"connection", b"x-b"),
        (b"x-a", b""),
        (b"x-b", b""),
    ]
    assert kept_by(STRICT, fields) == []


def test_further_credential_fields_are_stripped():
    """H-29: the field that a route takes its token from never goes on."""
    assert kept_by(RequestFilter(trusted=True, also=[b"x-user-token"]), [(b"x_user_token", b"t")]) == []


@pytest.mark.parametrize(
    "name", [b"x-corp-user", b"x_corp_user", b"x.corp.user", b"x-corp-", b"cookie", b"cookie2x"]
)
def test_names_of_the_configuration_are_stripped(name):
    """H-32: further names, in every spelling, and all that begin as one with a ``*`` behind it does."""
    also = [b"x-corp-*", b"cookie"]
    for trusted in (True, False):
        kept = kept_by(RequestFilter(trusted=trusted, also=also), [(name, b"x")])
        assert bool(kept) is (name == b"cookie2x")


@pytest.mark.parametrize(
    "name", [b"accept", b"x-user", b"proxy-status", b"client", b"x-clients", b"ssl", b"x-webauth"]
)
def test_other_names_go_on(name):
    """H-31: what only looks alike stays."""
    assert kept_by(STRICT, [(name, b"x")]) == [(name, b"x")]


def test_a_preflight_is_seen_among_all_fields():
    """A name of the configuration may be one that tells a preflight."""
    asked = {b"origin": [b"https://app.example"]}
    method = (b"access-control-request-method", b"GET")
    assert is_preflight("OPTIONS", [method], asked)
    assert not is_preflight("GET", [method], asked)
    assert not is_preflight("OPTIONS", [method], {})


def test_repeats_and_order_are_kept():
    """H-31: repeated fields stay separate and in order, both ways."""
    fields = [(b"cookie", b"a"), (b"link", b"1"), (b"cookie", b"b"), (b"link", b"2, 3")]
    assert kept_by(STRICT, fields) == fields
    assert strip_response(fields) == fields


def test_the_memo_is_bounded():
    """A caller that invents names fills no memory."""
    own = RequestFilter(trusted=False)
    for number in range(6000):
        assert kept_by(own, [(b"x-%d" % number, b"")])
    assert len(own._memo) == 4096
    assert kept_by(own, [(b"y" * 1000, b"")])


def test_head_is_fields_then_ours():
    """H-34: nothing but what was given stands in the head."""
    head = build_request_head("GET", b"/a?b", [(b"accept", b"\xff\xe9"), (b"host", b"h:1")])
    assert head == b"GET /a?b HTTP/1.1\r\naccept: \xff\xe9\r\nhost: h:1\r\n\r\n"


def test_append_joins_what_was_there():
    """RFC 9110 §5.3: one field holds all lines in order."""
    assert append({b"via": [b"1.0 a", b"1.1 b"]}, b"via", b"1.1 c") == (
        b"via",
        b"1.0 a, 1.1 b, 1.1 c",
    )


def test_a_loop_is_seen():
    """H-37: our pseudonym in any Via line is a loop."""
    refuse_loop({b"via": [b"1.1 other"]}, b"obo-1")
    with pytest.raises(LoopDetected):
        refuse_loop({b"via": [b"1.1 a", b"1.1 b, 1.1 obo-1 (x)"]}, b"obo-1")


@pytest.mark.parametrize(
    ("value", "refused"), [(b"100-continue", False), (b"100-Continue ", False), (b"x", True)]
)
def test_only_one_expectation_can_be_met(value, refused):
    """H-27: anything but 100-continue is a 417."""
    if not refused:
        assert refuse_expectation({b"expect": [value]}) is None
        return
    with pytest.raises(ExpectationFailed):
        refuse_expectation({b"expect": [value]})


@pytest.mark.parametrize(
    ("method", "given", "last", "sent"),
    [
        ("OPTIONS", [b"0"], True, [b"0"]),
        ("OPTIONS", [b"1"], False, [b"0"]),
        ("OPTIONS", [b"10"], False, [b"9"]),
        ("OPTIONS", [b"x"], False, [b"x"]),
        ("OPTIONS", [b"3", b"4"], False, [b"3", b"4"]),
        ("GET", [b"0"], False, [b"0"]),
    ],
)
def test_max_forwards(method, given, last, sent):
    """H-38: OPTIONS counts down, and is answered here at nought; other methods pass it on."""
    ended = {b"max-forwards": given}
    assert is_last_stop(method, ended) is last
    assert count_down(method, ended) == [(b"max-forwards", value) for value in sent]


NAMES = st.from_regex(rb"\A[a-z0-9_-]{1,20}\Z")


@given(st.lists(st.tuples(NAMES, st.binary(max_size=8))))
def test_what_is_kept_is_a_subsequence(fields):
    """Stripping only ever removes, and never lets a credential by."""
    kept = kept_by(STRICT, fields)
    rest = iter(fields)
    assert all(field in rest for field in kept)
    assert not {b"authorization", b"dpop"} & {name.replace(b"_", b"-") for name, _ in kept}
