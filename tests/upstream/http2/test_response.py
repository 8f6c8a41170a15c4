"""A response as its stream feeds it; what it does over connections is shown by the tests of streams."""

from __future__ import annotations

import pytest

from proxy.errors import UpstreamBroken, UpstreamProtocolError
from proxy.http.headers import Field
from proxy.upstream.http2.response import Response


class Stream:
    """Counts the credit that a response gives back."""

    def __init__(self) -> None:
        self.given = 0
        self.response = Response(self, bodiless=False)
        self.aborted = False

    def expect_body(self) -> None: ...

    def resume(self) -> None:
        self.given += self.response.take_credit()

    def abort(self, error: Exception | None = None) -> None:
        self.aborted = True


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"content-type", b"a")],
        [(b":status", b"101")],
        [(b":status", b"200"), (b":status", b"200")],
        [(b"a", b"b"), (b":status", b"200")],
        [(b":status", b"20")],
        [(b":status", b"200"), (b":path", b"/")],
        [(b":status", b"200"), (b"a", b" b")],
        [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
        [(b":status", b"200"), (b"", b"a")],
    ],
)
def test_a_head_that_is_malformed(fields: list[Field]) -> None:
    """RFC 9113 §8.1.1."""
    with pytest.raises(UpstreamProtocolError):
        Stream().response.begin(fields)


def test_credit_is_given_for_what_is_taken() -> None:
    """H2-10: and padding that has come with it."""
    stream = Stream()
    response = stream.response
    response.begin([(b":status", b"200")])
    response.feed(b"a" * 1000, 1010)
    response.feed(b"b" * 10, 10)
    response.feed(b"c" * 10, 10)
    assert (response.buffered, stream.given) == (1020, 0)
    assert response.take() == (b"a" * 1000 + b"b" * 10 + b"c" * 10, False)
    assert (response.buffered, stream.given) == (0, 1030)
    assert response.take() == (b"", False)
    assert stream.given == 1030


def test_what_is_whole_gives_nothing_back() -> None:
    """Its stream is over."""
    stream = Stream()
    stream.response.begin([(b":status", b"200")])
    stream.response.feed(b"a", 1)
    stream.response.end([(b"a", b"b")])
    assert stream.response.take() == (b"a", True)
    stream.response.close()
    assert (stream.given, stream.aborted) == (0, False)
    assert stream.response.trailers == [(b"a", b"b")]


@pytest.mark.parametrize("trailers", [[(b":status", b"200")], [(b"A", b"b")], [(b"a", b"\n")]])
def test_trailers_that_are_malformed(trailers: list[Field]) -> None:
    response = Stream().response
    response.begin([(b":status", b"200")])
    with pytest.raises(UpstreamBroken):
        response.end(trailers)
    assert not response.whole
