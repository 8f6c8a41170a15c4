"""The fields of a response, and what its body may be."""

from __future__ import annotations

import pytest

from proxy.server.http2.response_head import KNOWN, NONE, OPEN, build_response_head

LENGTH = (b"content-length", b"4")
EXTENTS = {
    "open": (200, [], "GET", OPEN, 0),
    "known": (200, [LENGTH], "GET", KNOWN, 4),
    "empty": (200, [(b"content-length", b"0")], "GET", KNOWN, 0),
    "HEAD": (200, [LENGTH], "HEAD", NONE, 0),
    "204": (204, [], "GET", NONE, 0),
    "304": (304, [LENGTH], "GET", NONE, 0),
}


@pytest.mark.parametrize(("status", "headers", "method", "extent", "length"), EXTENTS.values(), ids=EXTENTS)
def test_how_long_a_body_is(status, headers, method, extent, length):
    fields, *rest = build_response_head(status, headers, method=method)
    assert fields == [(b":status", b"%d" % status), *headers]
    assert rest == [extent, length]


@pytest.mark.parametrize(
    "name", [b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection"]
)
def test_what_concerns_a_connection_is_not_sent(name):
    """RFC 9113 §8.2.2."""
    fields, extent, _ = build_response_head(200, [(name, b"a"), (b"x-a", b"b")], method="GET")
    assert fields == [(b":status", b"200"), (b"x-a", b"b")]
    assert extent is OPEN


def test_a_204_has_no_length():
    """RFC 9110 §8.6."""
    assert build_response_head(204, [LENGTH], method="GET")[0] == [(b":status", b"204")]


@pytest.mark.parametrize(
    "headers",
    [
        [LENGTH, LENGTH],
        [(b"content-length", b"-1")],
        [(b"content-length", b"")],
        [(b"content-length", b"1, 1")],
    ],
)
def test_a_length_is_one_number(headers):
    with pytest.raises(ValueError, match="Content-Length"):
        build_response_head(200, headers, method="GET")


@pytest.mark.parametrize("harm", [b"\r", b"\n", b"\0"])
@pytest.mark.parametrize("field", [(b"x-%b", b"a"), (b"x-a", b"a%bb")])
def test_what_would_be_another_line_is_refused(harm, field):
    name, value = (text.replace(b"%b", harm) for text in field)
    with pytest.raises(ValueError, match="line break"):
        build_response_head(200, [(name, value)], method="GET")
