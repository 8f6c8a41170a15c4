"""A response's head to what of it goes on and what is for this hop; ``test_response_parser`` has what is refused."""

from __future__ import annotations

import pytest

from proxy.errors import UpstreamProtocolError
from proxy.upstream.response_head import MAX_FIELDS, read_response_head, read_status_line


def read(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK"):
    return read_response_head(b"\r\n".join([start, *lines, b"", b""]))


def test_what_goes_on_and_what_ends_here():
    """H-28, H-31: the fields of this hop and those that it names do not go on; of the others order and bytes stay."""
    head = read(
        b"Set-Cookie: a=1",
        b"Connection: Keep-Alive, X-Hop",
        b"Keep-Alive: timeout=5",
        b"X-Hop: 1",
        b"Content-Length: 5",
        b"Transfer-Encoding: Chunked",
        b"set-cookie: b=2",
    )
    fields = [(b"set-cookie", b"a=1"), (b"content-length", b"5"), (b"set-cookie", b"b=2")]
    assert head == (200, False, fields, 5, [b"chunked"], True)


@pytest.mark.parametrize(
    ("start", "connection", "persists"),
    [
        (b"HTTP/1.1 200 OK", [], True),
        (b"HTTP/1.1 200 OK", [b"Connection: close"], False),
        (b"HTTP/1.1 200 OK", [b"Connection: x", b"Connection: y, CLOSE"], False),
        (b"HTTP/1.0 200 OK", [], False),
        (b"HTTP/1.0 200 OK", [b"Connection: Keep-Alive"], True),
        (b"HTTP/1.0 200 OK", [b"Connection: Keep-Alive", b"Connection: close"], False),
    ],
)
def test_whether_the_connection_persists(start: bytes, connection: list[bytes], persists: bool):
    """H-42: RFC 9112 §9.3."""
    head = read(*connection, start=start)
    assert head == (200, start.startswith(b"HTTP/1.0"), [], None, [], persists)


@pytest.mark.parametrize("reason", [b"", b" ", b" OK", b" \xe9t\xe9\t!"])
def test_reasons(reason: bytes):
    """RFC 9112 §4: it says nothing, and may be missing."""
    assert read_status_line(b"HTTP/1.1 404" + reason) == (404, False)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 a\0", b"HTTP/1.1 200 a\nb", b"HTTP/1.1  200", b"HTTP/1.1 200x"]
)
def test_what_is_no_status_line(start: bytes):
    """H-43."""
    with pytest.raises(UpstreamProtocolError, match="status line"):
        read(start=start)


def test_field_count():
    """H-39: as many pass, one more does not."""
    assert len(read(*[b"X: a"] * MAX_FIELDS)[2]) == MAX_FIELDS
    with pytest.raises(UpstreamProtocolError, match="fields"):
        read(*[b"X: a"] * (MAX_FIELDS + 1))
