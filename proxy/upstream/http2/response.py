"""A response as the gateway relays it, on a stream (RFC 9113 §8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...errors import UpstreamBroken, UpstreamProtocolError
from ...http.headers import Field, Fields, strip_response
from ...http.pieces import SMALL, Pieces, gather
from ...http2.messages import BodyLength, read_response, read_trailers
from ..reading import Reading, Source
from ..response_head import MAX_FIELDS
from ..response_parser import BODILESS, MAX_HEAD_BYTES

_NOTHING: Final[list[Field]] = []


@dataclass(frozen=True)
class _Bounds:
    """Those of a response by HTTP/1.1."""

    max_header_bytes: int = MAX_HEAD_BYTES
    max_header_fields: int = MAX_FIELDS
    max_field_bytes: int = MAX_HEAD_BYTES
    max_target_bytes: int = 0


_BOUNDS: Final = _Bounds()


class Response(Reading):
    """``headers`` are those that go on: lower-case names, repeats kept, values as received.

    Interim responses are not seen.
    Its stream feeds it, and is over as soon as the response is whole, even before that is taken: nothing here
    touches it from then on. ``trailers`` are complete once ``whole``.
    """

    status = 0
    headers: list[Field]
    trailers: Fields = ()
    http2 = True
    counted = True
    credit = 0

    def __init__(self, source: Source, *, bodiless: bool) -> None:
        """``bodiless``: the request was a HEAD (RFC 9110 §9.3.2)."""
        self._source = source
        self._bodiless = bodiless
        self.headers = _NOTHING
        self._length = BodyLength(None)
        self._pieces: Pieces = []

    def take(self) -> tuple[bytes, bool]:
        """What is here of the body without waiting, and whether that was the last of it."""
        pieces = self._pieces
        data: bytes = b""
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._let_go()
        if not self.whole and self.credit:
            self._source.resume()
        return data, self.whole

    # -- what the stream feeds

    def begin(self, fields: Fields) -> None:
        """The head has come. Raises UpstreamProtocolError."""
        self.status, received, length = read_response(fields, _BOUNDS)
        self.headers = strip_response(received)
        self._length = BodyLength(0 if self._bodiless or self.status in BODILESS else length)

    def feed(self, data: bytes, size: int) -> None:
        """A piece of the body, which took ``size`` bytes of credit. Raises UpstreamBroken."""
        self.credit += size
        if not data:
            return
        if not self._length.count(len(data)):
            raise UpstreamBroken("the response body is longer than its Content-Length")
        if self._pieces and len(data) < SMALL:
            gather(self._pieces, data)
        else:
            self._pieces.append(data)
        self.buffered += len(data)

    def end(self, trailers: Fields) -> None:
        """All has come. Raises UpstreamBroken."""
        if not self._length.end():
            raise UpstreamBroken("the response body ended before its Content-Length")
        try:
            self.trailers = read_trailers(trailers, _BOUNDS, UpstreamProtocolError)
        except UpstreamProtocolError as error:
            raise UpstreamBroken(f"malformed trailers: {error}") from None
        self.whole = True

    def take_credit(self) -> int:
        """Bytes of what was taken, for the peer to send as many more."""
        credit, self.credit = self.credit, 0
        return credit
