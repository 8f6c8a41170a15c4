"""Who may use what asks its callers for nothing: what browsers say of themselves."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from proxy.downstream.request import Downstream
from proxy.errors import CrossSiteRefused
from proxy.gateway.cross_site import CrossSiteGuard
from proxy.http.forwarding import Forwarding

TRUSTED = Forwarding((ip_network("10.0.0.0/8"),))


def ask(
    host: str, *fields: tuple[str, str], forwarding: Forwarding = TRUSTED, peer: str = "127.0.0.1"
) -> Downstream:
    headers = [(name.encode(), value.encode()) for name, value in [("host", host), *fields]]
    scope = {
        "method": "POST", "raw_path": b"/", "query_string": b"", "scheme": "http", "http_version": "1.1",
        "headers": headers,
        "client": (peer, 5),
    }  # fmt: skip
    return Downstream(scope, None, None, forwarding)  # type: ignore[arg-type]


def passes(guard: CrossSiteGuard, downstream: Downstream) -> bool:
    try:
        guard.check(downstream)
    except CrossSiteRefused:
        return False
    return True


SITE, ORIGIN = "sec-fetch-site", "origin"
PAGES = [
    ([], True),
    ([(SITE, "same-origin")], True),
    ([(SITE, "none")], True),
    (
        [(SITE, "same-origin"), (ORIGIN, "https://in-front.example")],
        True,
    ),  # a proxy in between changed the Host
    ([(SITE, "same-site")], False),
    ([(SITE, "cross-site")], False),
    ([(SITE, "Cross-Site")], False),
    ([(SITE, "")], False),
    ([(SITE, "same-origin"), (SITE, "cross-site")], False),
    ([(SITE, "same-origin, cross-site")], False),
    ([(SITE, "cross-site"), (ORIGIN, "http://api.example:8080")], False),
    ([(ORIGIN, "http://api.example:8080")], True),
    ([(ORIGIN, "https://api.example:8080")], True),
    ([(ORIGIN, "HTTP://API.example:8080")], True),
    ([(ORIGIN, "http://api.example")], False),
    ([(ORIGIN, "http://api.example:80800")], False),
    ([(ORIGIN, "http://api.example:8080.evil.example")], False),
    ([(ORIGIN, "http://evil.example")], False),
    ([(ORIGIN, "null")], False),
    ([(ORIGIN, "")], False),
    ([(ORIGIN, "http://api.example:8080"), (ORIGIN, "http://evil.example")], False),
    ([(ORIGIN, "https://app.example")], True),
    ([(ORIGIN, "https://APP.example")], True),
    ([(ORIGIN, "http://app.example")], False),
    ([(ORIGIN, "https://app.example:8443")], False),
    ([(ORIGIN, "https://app.example"), (SITE, "cross-site")], True),
    ([(ORIGIN, "https://app.example"), (ORIGIN, "https://evil.example"), (SITE, "cross-site")], False),
]


@pytest.mark.parametrize(("fields", "allowed"), PAGES)
def test_only_our_own_pages_and_those_allowed_may_call(fields, allowed):
    """H-62: a page of another site or origin may not, as its browser says; a program says nothing."""
    guard = CrossSiteGuard(allowed_origins=["https://app.example"])
    assert passes(guard, ask("api.example:8080", *fields)) is allowed


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("api.example", "https://api.example", True),
        ("api.example", "https://api.example:443", True),
        ("api.example:443", "https://api.example", True),
        ("api.example:80", "http://api.example", True),
        ("api.example:443", "http://api.example", False),
        ("API.example", "http://api.example", True),
        ("[::1]:8080", "http://[::1]:8080", True),
    ],
)
def test_an_origin_is_compared_by_host_and_port(host, origin, allowed):
    """RFC 6454 §4: default ports are not said; the scheme may be another where TLS ends in front of us."""
    assert passes(CrossSiteGuard(), ask(host, (ORIGIN, origin))) is allowed


@pytest.mark.parametrize(("peer", "allowed"), [("10.0.0.1", True), ("192.0.2.1", False)])
def test_a_trusted_proxy_says_what_was_asked_for(peer, allowed):
    """H-50: and nobody else does."""
    fields = [(ORIGIN, "https://api.example"), ("x-forwarded-host", "api.example")]
    assert passes(CrossSiteGuard(), ask("obo-proxy:8080", *fields, peer=peer)) is allowed


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True), ("localhost:8080", True), ("LocalHost:8080", True), ("localhost.", True),
        ("app.localhost:8080", True), ("127.0.0.1:8080", True), ("127.1.2.3", True), ("192.168.1.5:8080", True),
        ("[::1]:8080", True), ("[::1]", True), ("", True),
        ("evil.example", False), ("evil.example:8080", False), ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False), ("notlocalhost", False), ("evil.example.", False), ("1.2.3.4a", False),
        ("orders", False),
    ],
)  # fmt: skip
def test_a_name_that_anybody_may_point_here_is_not_ours(host, ours):
    """On a listener that only this machine reaches: DNS rebinding shows by the name. Elsewhere any may be ours."""
    assert passes(CrossSiteGuard(this_machine=True), ask(host)) is ours
    assert passes(CrossSiteGuard(this_machine=True), ask(host, (SITE, "same-origin"))) is ours
    assert passes(CrossSiteGuard(), ask(host))


def test_fields_count_that_end_here():
    """What the configuration strips is looked at all the same."""
    forwarding = Forwarding(strip_headers=["Origin", "Sec-Fetch-*"])
    for field in ((ORIGIN, "https://evil.example"), (SITE, "cross-site")):
        assert not passes(CrossSiteGuard(), ask("api.example", field, forwarding=forwarding))
