"""RFC 9112 §4, §6: the head of a response, and how its body is framed."""

from __future__ import annotations

import pytest

from proxy.server.response_head import STATUS_LINES, Framing, build_response_head

LENGTH = (b"content-length", b"5")


def build(
    status: int = 200,
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    version: str = "1.1",
    keep_alive: bool = True,
):
    return build_response_head(status, list(headers), method=method, version=version, keep_alive=keep_alive)


@pytest.mark.parametrize(
    ("answer", "framing", "length", "kept", "lines"),
    [
        (build(200, LENGTH), "LENGTH", 5, True, [b"content-length: 5"]),
        (build(200), "CHUNKED", 0, True, [b"transfer-encoding: chunked"]),
        (build(200, version="1.0"), "CLOSE", 0, False, [b"connection: close"]),
        (build(200, LENGTH, version="1.0"), "LENGTH", 5, True, [b"content-length: 5"]),
        (build(200, LENGTH, method="HEAD"), "NONE", 5, True, [b"content-length: 5"]),
        (build(200, method="HEAD"), "NONE", 0, True, []),
        (build(204, LENGTH), "NONE", 0, True, []),
        (build(304, LENGTH), "NONE", 5, True, [b"content-length: 5"]),
        (build(200, LENGTH, keep_alive=False), "LENGTH", 5, False, [b"content-length: 5", b"connection: close"]),
        (
            build(200, LENGTH, (b"connection", b"Close")), "LENGTH", 5, False,
            [b"content-length: 5", b"connection: close"],
        ),
        (build(200, LENGTH, (b"connection", b"keep-alive")), "LENGTH", 5, True, [b"content-length: 5"]),
        (
            build(200, (b"transfer-encoding", b"gzip"), (b"keep-alive", b"timeout=9")), "CHUNKED", 0, True,
            [b"transfer-encoding: chunked"],
        ),
    ],
)  # fmt: skip
def test_framing_is_ours(answer, framing: str, length: int, kept: bool, lines: list[bytes]):
    """H-07, H-21, H-41: one framing, or none where there is no body; RFC 9110 §8.6: a 204 has no length."""
    head, *found = answer
    assert found == [Framing[framing], length, kept]
    assert head.endswith(b"\r\n\r\n")
    assert head.split(b"\r\n")[1:-2] == lines


def test_fields_go_out_in_their_order():
    """H-31: repeats too, byte for byte."""
    fields = [(b"set-cookie", b"a=1"), (b"x", b"caf\xe9"), (b"set-cookie", b"b=2")]
    head, *_ = build(200, *fields, LENGTH)
    assert (
        head
        == b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nx: caf\xe9\r\nset-cookie: b=2\r\ncontent-length: 5\r\n\r\n"
    )


@pytest.mark.parametrize(
    "headers",
    [
        [LENGTH, LENGTH],
        [(b"content-length", b"")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"5, 5")],
        [(b"x", b"a\r\nset-cookie: b")],
        [(b"x", b"a\nb")],
        [(b"x", b"a\rb")],
        [(b"x", b"a\0b")],
        [(b"x\r\n", b"a")],
    ],
)
def test_what_would_do_harm_is_not_written(headers: list[tuple[bytes, bytes]]):
    """H-33: no field breaks its line, and no length is ambiguous."""
    with pytest.raises(ValueError, match=r"one number|line break"):
        build(200, *headers)


@pytest.mark.parametrize(("status", "line"), [(200, b"OK"), (404, b"Not Found"), (299, b""), (599, b"")])
def test_status_lines(status: int, line: bytes):
    """H-43: every status has one; an unknown one has no phrase."""
    assert STATUS_LINES[status] == b"HTTP/1.1 %d %s" % (status, line)
