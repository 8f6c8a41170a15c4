"""What may stand behind a body."""

from __future__ import annotations

import pytest

from proxy.http.trailers import filter_trailers


@pytest.mark.parametrize(
    "name",
    [
        b":status", b":path", b"connection", b"transfer-encoding", b"content-length", b"te", b"trailer", b"host",
        b"authorization", b"proxy-authorization", b"cookie", b"set-cookie", b"www-authenticate", b"dpop",
        b"content-type", b"content-encoding", b"cache-control", b"expect", b"max-forwards", b"upgrade",
    ],
)  # fmt: skip
def test_what_belongs_in_a_head_does_not_pass(name):
    """RFC 9110 §6.5.1: a reader may merge trailers into the header."""
    assert filter_trailers([(b"a", b"1"), (name, b"x"), (b"b", b"2")]) == [(b"a", b"1"), (b"b", b"2")]


def test_the_others_pass_as_they_are():
    """In their order, repeats kept, and byte for byte."""
    trailers = [
        (b"grpc-status", b"0"), (b"x", b"\xff\xfe"), (b"grpc-message", b"a%20b"), (b"x", b"2"),
        (b"grpc-status-details-bin", b"CAUSAQ"), (b"digest", b"sha-256=x"),
    ]  # fmt: skip
    assert filter_trailers(trailers) == trailers
