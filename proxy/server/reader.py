"""Reads requests off one connection with llhttp: bounded, and never misled by an upgrade or a trailer."""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn, Protocol

import httptools

from ..errors import (
    BadRequest,
    HeaderTooLarge,
    NotImplementedHere,
    ProxyError,
    TargetTooLong,
    VersionNotSupported,
)
from ..http.headers import Field
from ..http.pieces import SMALL, Pieces, gather
from ..http.request_head import FEWER_FIELDS, SHORTER_LINES
from .head import ANY_SIZE, CHUNKED, FIELD_NAMES, METHOD_NAMES, names_websocket, read_head
from .limits import Limits

_METHOD_LIKE: Final = re.compile(rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]+ ")
_CHUNK_OVERHEAD: Final = 16  # bytes of framing granted for each byte of a chunked body
_GONE: Final[Any] = None  # in place of what refers back to us
_VERSION_1_1: Final = b" HTTP/1.1\r\n"
_SPACE: Final = ord(" ")
_IN_BODY: Final = -1  # in place of the size of trailers, while there is more of the body


class Sink(Protocol):
    """Who is told of requests; what it raises comes out of ``RequestReader.feed``."""

    def on_request(self) -> None:
        """A head has arrived and may be served: it stands in the reader's attributes."""
        ...

    def on_body_piece(self, data: bytes) -> None:
        """A piece of its body: all of it that one read has brought."""
        ...

    def on_end(self) -> None:
        """It is whole."""
        ...


class RequestReader:
    """Feeds a ``Sink``.

    ``in_head`` and ``in_body`` tell what must follow, if anything. Once ``done``, whatever still arrives is not
    read. A ``websocket`` handshake (RFC 6455 §4.1) ends the reading and has no ``on_end``. ``headers`` have
    lower-case names, ``head_size`` is how many bytes the head has at the most; ``keep_alive`` is the peer's wish.

    llhttp gathers a field line by copying it at each read, and keeps it until it ends. So no line may grow
    beyond ``max_field_bytes``, and neither a head nor the trailers beyond ``max_header_bytes``, ended or not.
    """

    __slots__ = (
        "_behind",
        "_being_read",
        "_framing_bytes",
        "_head_bytes",
        "_left",
        "_limits",
        "_line_bytes",
        "_muted",
        "_parser",
        "_pieces",
        "_refusal",
        "_sink",
        "_trailer_bytes",
        "_upgrade_ahead",
        "done",
        "expects_continue",
        "head_size",
        "headers",
        "in_body",
        "in_head",
        "keep_alive",
        "method",
        "target",
        "version",
        "websocket",
    )

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self.in_head = False
        self.in_body = False
        self.done = False
        self.websocket = False
        self.expects_continue = False
        self.method = ""
        self.version = ""
        self.target = b""
        self.headers: list[Field] = []
        self.keep_alive = True
        self._sink = sink
        self._limits = limits
        self._pieces: Pieces = []  # of a body, by this read
        self._left = 0  # of the body being read, in bytes; or ``CHUNKED``
        self._framing_bytes = 0  # more than the body so far accounts for
        self._trailer_bytes = _IN_BODY
        self._line_bytes = 0  # of a line that has not ended
        self._head_bytes = 0  # of a head that has not ended
        self._behind = False  # whether this read brought an earlier request too, or its end
        self._being_read = b""  # by the parser, now
        self._upgrade_ahead = False
        self._muted = False
        self._refusal: ProxyError | None = None  # what a callback has raised: llhttp passes on that one did
        self._parser = httptools.HttpRequestParser(self)

    def close(self) -> None:
        """Read no more. Sink and parser refer to us: only the garbage collector would end these circles."""
        self.done = True
        self._sink = self._parser = _GONE

    def feed(self, data: bytes) -> None:
        """Read ``data``. Raises ProxyError for what is not served; nothing may be fed after that."""
        if self._left > 0:
            data = self._pass_body(data)
        self._behind = body_before = self.in_body
        self.head_size = ANY_SIZE if self._head_bytes else len(data)
        rest = data
        while rest and not self.done:
            rest = self._parse(rest)
        if self.in_head:
            self._bound_head(data)
        elif self._left:
            self._tell_body()
            if self._left == CHUNKED:
                self._bound_framing(len(data) if body_before else 0)
                if self._trailer_bytes != _IN_BODY:
                    self._bound_trailers(data)

    def _pass_body(self, data: bytes) -> bytes:
        """What is left of a body whose length is known is not parsed, nor copied. Returns what stands behind it."""
        piece = data if len(data) <= self._left else data[: self._left]  # compiled, a slice of all is a copy
        self._left -= len(piece)
        self._sink.on_body_piece(piece)
        if not self._left:
            self._parser = httptools.HttpRequestParser(self)  # the last one still waits for the body
            self.on_message_complete()
        return data[len(piece) :]

    def _parse(self, data: bytes) -> bytes:
        """Returns what stands behind an upgrade that is ignored."""
        self._being_read = data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._pass_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            refusal, self._refusal = self._refusal, None
            if not self.done:
                raise (refusal or _explain(error, data)) from None
        finally:
            self._being_read = b""
        return b""

    def _pass_upgrade(self, rest: bytes) -> bytes:
        """An upgrade may be ignored (RFC 9110 §7.8), which llhttp cannot: a new parser never hears of it."""
        if self.websocket:
            self.done = True
            return b""
        self._upgrade_ahead = False
        self._parser = httptools.HttpRequestParser(self)
        self._muted = True
        framing = (
            b"transfer-encoding: chunked" if self._left == CHUNKED else b"content-length: %d" % self._left
        )
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
        return rest

    def _bound_head(self, data: bytes) -> None:
        if self._behind:  # where in ``data`` it begins is not told: from the next read on it counts
            self._head_bytes = 1
            self._line_bytes = 0
        else:
            self._head_bytes += len(data)
            self._count_line(data, len(data))
        if len(self.headers) > self._limits.max_header_fields:
            raise HeaderTooLarge("too many header fields", remedy=FEWER_FIELDS)
        if self._line_bytes > self._limits.max_field_bytes:
            raise HeaderTooLarge("a field line does not end", remedy=SHORTER_LINES)
        if self._head_bytes > self._limits.max_header_bytes + self._limits.max_target_bytes:
            raise HeaderTooLarge("the head does not end")

    def _bound_framing(self, size: int) -> None:
        """What a body accounts for is not saved up from one read to the next. Trailers count here as well."""
        self._framing_bytes = max(0, self._framing_bytes + size)
        if self._framing_bytes > 2 * self._limits.max_header_bytes:
            raise BadRequest("more chunk framing than body")

    def _bound_trailers(self, data: bytes) -> None:
        """``on_header`` tells of a line only when the next one begins: until then its end does not count."""
        self._count_line(data, len(data) - 1)
        if self._line_bytes > self._limits.max_field_bytes:
            raise BadRequest("a line of trailers or chunk framing does not end")
        if self._trailer_bytes + self._line_bytes > self._limits.max_header_bytes:
            raise BadRequest("the trailers do not end")

    def _count_line(self, data: bytes, size: int) -> None:
        """``data`` has come; an end of a line counts within its first ``size`` bytes."""
        start = data.rfind(b"\n", 0, size) + 1
        self._line_bytes = len(data) - start if start else self._line_bytes + len(data)

    # What llhttp calls

    def on_message_begin(self) -> None:
        if not self._muted:
            self.in_head = True
            self.method = ""
            self.target = b""
            self.headers = []

    def on_url(self, part: bytes) -> None:
        if self._muted:
            return
        self.target += part
        if len(self.target) > self._limits.max_target_bytes:
            self._refuse(TargetTooLong("the target does not end"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            self._drop_trailer(len(name) + len(value) + 4)
            return
        if value and value[-1] <= _SPACE:
            value = value.rstrip(b" \t")
        lower = FIELD_NAMES.get(name)
        if lower is None:
            lower = name.lower()
        self.headers.append((lower, value))

    def _drop_trailer(self, size: int) -> None:
        """RFC 9110 §6.5.1: it may be discarded."""
        if self._muted:  # what the new parser is told of the framing
            return
        self._line_bytes = 0
        self._trailer_bytes += size
        if self._trailer_bytes > self._limits.max_header_bytes:
            self._refuse(BadRequest("too large trailers"))

    def on_headers_complete(self) -> None:
        if self._muted:
            self._muted = False
            return
        try:
            self._begin_request()
        except ProxyError as error:
            self._refuse(error)

    def _begin_request(self) -> None:
        parser = self._parser
        self.method = METHOD_NAMES.get(parser.get_method()) or parser.get_method().decode("ascii")
        self.version = "1.1" if self._says_1_1() else parser.get_http_version()
        self.target, self._left, self.expects_continue, may_upgrade = read_head(
            self.method, self.target, self.version, self.headers, self._limits, size=self.head_size
        )
        self.keep_alive = self.version == "1.1" and parser.should_keep_alive()
        if parser.should_upgrade():
            self._upgrade_ahead = True
            self.websocket = may_upgrade and self._limits.websockets and names_websocket(self.headers)
        self.in_head = False
        self.in_body = not self.websocket
        self._head_bytes = self._line_bytes = self._framing_bytes = 0
        self._sink.on_request()

    def _says_1_1(self) -> bool:
        """Whether the request line plainly ends so. The parser, if it is asked, makes a text of two numbers.

        Looked at is what stands behind method, space and target, where this read begins with them. Where empty
        lines or more spaces shift them, it is what stands before the target or in it. That is no version, but for
        a line of HTTP/0.9 whose target reads like one: it is no path, and refused as such.
        """
        if self._behind or self._head_bytes:
            return False
        end = len(self.method) + 1 + len(self.target)
        return self._being_read[end : end + len(_VERSION_1_1)] == _VERSION_1_1

    def _refuse(self, error: ProxyError) -> NoReturn:
        self._refusal = error
        raise error

    def on_chunk_header(self) -> None:
        """Of the last chunk, too, which no body follows."""
        self._trailer_bytes = 0

    def on_body(self, data: bytes) -> None:
        self._trailer_bytes = _IN_BODY
        if self._pieces and len(data) < SMALL:
            gather(self._pieces, data)
        else:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        if self._upgrade_ahead:
            return
        if self._left:
            self._tell_body()
            self._left = 0
            self._trailer_bytes = _IN_BODY
        self.in_body = False
        self._behind = True
        self.done = not self.keep_alive
        self._sink.on_end()

    def _tell_body(self) -> None:
        if not self._pieces:
            return
        data: bytes = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        if self._left == CHUNKED:
            self._framing_bytes -= len(data) * (1 + _CHUNK_OVERHEAD)
        else:
            self._left -= len(data)
        self._sink.on_body_piece(data)


def _explain(error: httptools.HttpParserError, data: bytes) -> ProxyError:
    """What llhttp means; its texts quote nothing."""
    reason = str(error)
    if reason == "Invalid HTTP version":
        return VersionNotSupported(reason)
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _METHOD_LIKE.match(data):
        return NotImplementedHere(reason)
    return BadRequest(reason)
