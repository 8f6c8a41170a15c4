"""Bytes of one response to its values (RFC 9112 §4-§7), with no networking.

Of Transfer-Encoding and Content-Length the former wins (§6.1). A body of known length or up to the close is
passed on as it was read, uncopied; a chunked one is decoded by llhttp. One parser reads one response: no state
can be left from an earlier one, and every byte behind the response is noticed (``excess``), because it would
answer the next request.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final

import httptools

from ..errors import UpstreamBroken, UpstreamProtocolError
from ..http.headers import Field
from ..http.pieces import SMALL, Pieces, gather
from .response_head import ResponseHead, read_response_head

MAX_HEAD_BYTES: Final = 64 * 1024  # as much as we accept in a request
MAX_INTERIM: Final = 16  # 1xx answers to one request; servers send one or two
MAX_CHUNK_OVERHEAD: Final = 64 * 1024  # bytes of chunk extensions or trailers without any of the body
BODILESS: Final = frozenset({204, 304})
_CHUNKS_FOLLOW: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Framing(Enum):
    """What the next bytes are, and how their end is known."""

    HEAD = auto()
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


# By names of their own: before Python 3.12 asking the class for a member takes as long as a call.
_HEAD: Final = Framing.HEAD
_LENGTH: Final = Framing.LENGTH
_CHUNKED: Final = Framing.CHUNKED
_CLOSE: Final = Framing.CLOSE
_NOTHING: Final[list[Field]] = []


class ResponseParser:
    """Feed it what was read; take ``status``, ``headers`` and pieces of the body out.

    ``status`` is 0 until the head of the final response is there. ``headers`` are the fields that go on, with
    lower-case names and the values as received. ``buffered`` is what ``take_body`` would give, in bytes. ``whole``
    says that the body has ended where its framing says so, ``reusable`` that the connection may carry another
    request.
    """

    status = 0
    headers: list[Field]
    buffered = 0
    started = False
    whole = False
    excess = False
    _framing: Framing
    _head = b""
    _interim = 0
    _keep_alive = False
    _overhead = 0
    _parser: Any = None  # httptools knows no types; let go of as soon as possible, for it refers to us
    _remaining = 0
    _tail = b""

    def __init__(self, *, bodiless: bool) -> None:
        """``bodiless``: the request was a HEAD (RFC 9110 §9.3.2)."""
        self._bodiless = bodiless
        self._framing = _HEAD
        self.headers = _NOTHING
        self._pieces: Pieces = []

    @property
    def reusable(self) -> bool:
        return self.whole and self._keep_alive and not self.excess

    def feed(self, data: bytes) -> None:
        """Raises UpstreamProtocolError in the head and UpstreamBroken in the body."""
        self.started = True
        if self._framing is _HEAD:
            self._feed_head(data)
        else:
            self._feed_body(data)

    def end(self) -> bool:
        """The upstream has ended its side: whether that is the end of the body, where nothing else marks it."""
        self.whole = self.whole or self._framing is _CLOSE
        return self.whole

    def take_body(self) -> bytes:
        """What is here of the body."""
        pieces = self._pieces
        if not pieces:
            return b""
        data: bytes = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        self.buffered = 0
        return data

    # -- head

    def _feed_head(self, data: bytes) -> None:
        searched = 0
        if self._head:
            searched = max(0, len(self._head) - 3)
            data = self._head + data
        while (end := data.find(b"\r\n\r\n", searched)) >= 0:
            end += 4
            if end > MAX_HEAD_BYTES:
                break
            self._read_head(data if end == len(data) else data[:end])
            data = data[end:]
            if self._framing is not _HEAD:
                self._head = b""
                if data:
                    self._feed_body(data)
                return
            searched = 0
        if len(data) >= MAX_HEAD_BYTES:
            raise UpstreamProtocolError(f"the response head is larger than {MAX_HEAD_BYTES} bytes")
        self._head = data

    def _read_head(self, data: bytes) -> None:
        head = read_response_head(data)
        status = head[0]
        if 200 <= status <= 599:
            self._begin(head)
        elif 100 <= status < 200 and status != 101:
            self._skip_interim()
        else:
            raise UpstreamProtocolError(f"the response has status {status}")

    def _skip_interim(self) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise UpstreamProtocolError(f"more than {MAX_INTERIM} interim responses")

    def _begin(self, head: ResponseHead) -> None:
        status, http_1_0, self.headers, length, codings, persists = head
        if codings:
            # HTTP/1.0 knows no codings, and a length beside one may be an attempt to split: to be read, not to be
            # built on (§6.1, §6.3).
            self._begin_coded(codings, persists=persists and not http_1_0 and length is None)
        elif length is not None:
            self._framing = _LENGTH
            self._remaining = length
            self._keep_alive = persists
            self.whole = not length
        else:
            self._framing = _CLOSE
            self._keep_alive = persists and status in BODILESS
        if self._bodiless or status in BODILESS:
            self.whole = True
            self._parser = None
        self.status = status

    def _begin_coded(self, codings: list[bytes], *, persists: bool) -> None:
        if codings != [b"chunked"]:
            raise UpstreamProtocolError("the response has a transfer coding other than chunked")
        self.headers = [field for field in self.headers if field[0] != b"content-length"]
        self._framing = _CHUNKED
        self._keep_alive = persists
        self._parser = parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(lenient_chunked_length=True)  # of a trailer, which goes no further
        parser.feed_data(_CHUNKS_FOLLOW)

    # -- body

    def _feed_body(self, data: bytes) -> None:
        if self.whole:
            self.excess = True
        elif self._framing is _LENGTH:
            self._feed_length(data)
        elif self._framing is _CHUNKED:
            self._feed_chunked(data)
        else:
            self.on_body(data)

    def _feed_length(self, data: bytes) -> None:
        remaining = self._remaining - len(data)
        if remaining < 0:
            self.excess = True
            data = data[:remaining]
            remaining = 0
        self._remaining = remaining
        self.on_body(data)
        self.whole = not remaining

    def _feed_chunked(self, data: bytes) -> None:
        before = self.buffered
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.whole:
                raise UpstreamBroken(f"the response's chunks are malformed: {error}") from error
            self.excess = True
        self._overhead = self._overhead + len(data) if self.buffered == before else 0
        if self._overhead > MAX_CHUNK_OVERHEAD:
            raise UpstreamBroken("the response's chunk extensions or trailers have no end")
        self._tail = (self._tail + data)[-6:] if len(data) < 6 else data[-6:]
        if self.whole:
            self._parser = None
            # llhttp skips line ends behind a message without a word: a last empty line must be the only one.
            if not self._tail.endswith(b"\r\n\r\n") or self._tail == b"\r\n" * 3:
                self.excess = True

    # -- what httptools calls

    def on_body(self, data: bytes) -> None:
        if not self.whole:  # else it is the body of a response nobody asked for
            if self._pieces and len(data) < SMALL:
                gather(self._pieces, data)
            else:
                self._pieces.append(data)
            self.buffered += len(data)

    def on_message_begin(self) -> None:
        self.excess = self.excess or self.whole

    def on_message_complete(self) -> None:
        self.whole = self.whole or self._framing is _CHUNKED
