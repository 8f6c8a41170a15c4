"""What is said of the hop behind us."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from proxy.http.forwarding import Forwarding

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("::1/128"))
SPOOFED = [
    (b"x-forwarded-for", b"6.6.6.6"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil"),
    (b"forwarded", b"for=6.6.6.6"),
]


def said(forwarding: Forwarding, peer: str, fields, version: str = "1.1") -> dict[bytes, bytes]:
    kept, ended = forwarding.split(peer, fields)
    return dict([*kept, *forwarding.build_fields(peer, "http", version, b"api.example", ended)])


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.168.1.1", "::2", ""])
def test_an_untrusted_peer_is_overwritten(peer):
    """H-50, H-51: the upstream sees the socket's peer alone."""
    found = said(Forwarding(TRUSTED), peer, SPOOFED)
    assert found.pop(b"via").startswith(b"1.1 obo-proxy-")
    assert found == {
        b"x-forwarded-for": peer.encode(),
        b"x-forwarded-proto": b"http",
        b"x-forwarded-host": b"api.example",
    }


@pytest.mark.parametrize("peer", ["10.1.2.3", "::1"])
def test_a_trusted_peer_is_believed_and_appended_to(peer):
    """H-50: what a trusted proxy says stays, and it is named after it."""
    found = said(Forwarding(TRUSTED), peer, SPOOFED)
    assert found[b"x-forwarded-for"] == b"6.6.6.6, " + peer.encode()
    assert found[b"x-forwarded-proto"] == b"https"
    assert found[b"x-forwarded-host"] == b"evil"
    assert found[b"forwarded"] == b"for=6.6.6.6"


def test_a_trusted_peer_that_says_nothing():
    """Where the trusted peer is silent, what we see is said."""
    found = said(Forwarding(TRUSTED), "10.0.0.1", [])
    assert found[b"x-forwarded-for"] == b"10.0.0.1"
    assert found[b"x-forwarded-proto"] == b"http"
    assert found[b"x-forwarded-host"] == b"api.example"


def test_nobody_is_trusted_by_default():
    """H-50: the trust list is empty unless configured, so loopback is nothing special."""
    assert said(Forwarding(), "127.0.0.1", SPOOFED)[b"x-forwarded-for"] == b"127.0.0.1"


def test_via_is_appended_with_a_pseudonym_of_ones_own():
    """H-37: two processes can be told apart in Via."""
    one, other = Forwarding(), Forwarding()
    assert one.pseudonym != other.pseudonym
    assert said(one, "::2", [(b"via", b"1.0 a")])[b"via"] == b"1.0 a, 1.1 " + one.pseudonym


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
@pytest.mark.parametrize("peer", ["::1", "::2"])
def test_via_names_the_version_that_was_received(peer: str, version: str):
    """RFC 9110 §7.6.3."""
    one = Forwarding(TRUSTED)
    ours = version.encode() + b" " + one.pseudonym
    assert said(one, peer, [], version)[b"via"] == ours
    assert said(one, peer, [(b"via", b"1.1 a")], version)[b"via"] == b"1.1 a, " + ours


@pytest.mark.parametrize("proto", ["http", "https"])
def test_an_untrusted_peer_is_told_of_by_the_way_it_came(proto: str):
    assert (b"x-forwarded-proto", proto.encode()) in Forwarding().build_fields("::2", proto, "1.1", b"a", {})


@pytest.mark.parametrize(
    ("peer", "proto", "host", "origin"),
    [
        ("10.0.0.1", b"https", b"mcp.example:8443", "https://mcp.example:8443"),
        ("10.0.0.1", b"HTTPS", b"[::1]", "https://[::1]"),
        ("192.168.1.1", b"https", b"evil", "http://api.example"),
        ("10.0.0.1", b"https, http", b"one, two", "http://api.example"),
        ("10.0.0.1", b"javascript", b"a/b", "http://api.example"),
    ],
)
def test_the_origin_is_the_one_that_the_caller_used(peer, proto, host, origin):
    """A-05: documents name the address in front of a trusted proxy, where that says it plainly."""
    fields = [(b"x-forwarded-proto", proto), (b"x-forwarded-host", host)]
    forwarding = Forwarding(TRUSTED)
    _, ended = forwarding.split(peer, fields)
    assert forwarding.find_origin(peer, "http", b"api.example", ended) == origin


def test_the_origin_where_a_trusted_peer_says_nothing():
    """What we see ourselves is said."""
    assert Forwarding(TRUSTED).find_origin("10.0.0.1", "https", b"api.example", {}) == "https://api.example"


@pytest.mark.parametrize(
    ("peer", "fields", "caller"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", [b"198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6", b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"\xff"], "\xff"),
        ("", [b"198.51.100.1"], ""),
    ],
)
def test_the_caller_is_whom_a_trusted_peer_names_last(peer, fields, caller):
    """F-25: the entries before it are the caller's own word."""
    forwarding = Forwarding([ip_network("10.0.0.0/8")])
    assert forwarding.find_caller(peer, {b"x-forwarded-for": fields} if fields else {}) == caller
