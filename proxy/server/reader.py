"""Reads requests off one connection with llhttp: bounded, and never misled by an upgrade or a trailer."""

from __future__ import annotations

import re
from typing import Protocol

import httptools

from ..errors import (
    BadRequest,
    HeaderTooLarge,
    NotImplementedHere,
    ProxyError,
    TargetTooLong,
    VersionNotSupported,
)
from .head import METHOD_NAMES, names_websocket, read_head
from .limits import Limits

_METHOD_LIKE = re.compile(rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]+ ")
_CHUNK_OVERHEAD = 16  # bytes of framing granted for each byte of a chunked body


class Sink(Protocol):
    """Who is told of requests; what it raises comes out of ``RequestReader.feed``."""

    def on_request(self) -> None:
        """A head has arrived and may be served: it stands in the reader's attributes."""
        ...

    def on_body_piece(self, data: bytes) -> None:
        """A piece of its body."""
        ...

    def on_end(self) -> None:
        """It is whole."""
        ...


class RequestReader:
    """Feeds a ``Sink``.

    ``in_head`` and ``in_body`` tell what must follow, if anything; ``head_bytes`` counts an unfinished head.
    Once ``done``, whatever still arrives is not read. A ``websocket`` handshake (RFC 6455 §4.1) ends the
    reading and has no ``on_end``. ``headers`` have lower-case names; ``keep_alive`` is the peer's wish.
    """

    __slots__ = (
        "_framing",
        "_framing_bytes",
        "_head_limit",
        "_limits",
        "_muted",
        "_parser",
        "_sink",
        "_upgrade_ahead",
        "done",
        "expects_continue",
        "head_bytes",
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
        self.head_bytes = 0
        self.done = False
        self.websocket = False
        self.expects_continue = False
        self.method = ""
        self.version = ""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = True
        self._sink = sink
        self._limits = limits
        self._framing = b""  # the field line of the body being read
        self._framing_bytes = 0
        self._head_limit = 0  # bytes that the head being read has at most
        self._upgrade_ahead = False
        self._muted = False
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Read ``data``. Raises ProxyError for what is not served; nothing may be fed after that."""
        body_before = self.in_body
        self._head_limit = self.head_bytes + len(data)
        rest = data
        while rest and not self.done:
            rest = self._parse(rest)
        if self.in_head:
            self._bound_head(len(data))
        elif body_before and self.in_body:
            self._bound_framing(len(data))

    def _parse(self, data: bytes) -> bytes:
        """Returns what stands behind an upgrade that is ignored."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._pass_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if not self.done:
                raise _explain(error, data) from None
        return b""

    def _pass_upgrade(self, rest: bytes) -> bytes:
        """An upgrade may be ignored (RFC 9110 §7.8), which llhttp cannot: a new parser never hears of it."""
        if self.websocket:
            self.done = True
            return b""
        self._upgrade_ahead = False
        self._parser = httptools.HttpRequestParser(self)
        self._muted = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % self._framing)
        return rest

    def _bound_head(self, size: int) -> None:
        self.head_bytes += size
        if self.head_bytes > self._limits.max_header_bytes + self._limits.max_target_bytes:
            raise HeaderTooLarge("the head does not end")
        if len(self.headers) > self._limits.max_header_fields:
            self.headers = []  # each takes many times the bytes that it came in
            raise HeaderTooLarge("too many header fields")

    def _bound_framing(self, size: int) -> None:
        """Chunk extensions and trailers have no bound of their own."""
        self._framing_bytes += size
        if self._framing_bytes > self._limits.max_header_bytes:
            raise BadRequest("more chunk framing than body")

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
            raise TargetTooLong("the target does not end")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:  # a trailer (RFC 9110 §6.5.1)
            return
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._muted:
            self._muted = False
            return
        parser = self._parser
        self.method = METHOD_NAMES.get(parser.get_method()) or parser.get_method().decode("ascii")
        self.version = parser.get_http_version()
        self.target, self._framing, self.expects_continue, may_upgrade = read_head(
            self.method, self.target, self.version, self.headers, self._limits, size=self._head_limit
        )
        self.keep_alive = self.version == "1.1" and parser.should_keep_alive()
        if parser.should_upgrade():
            self._upgrade_ahead = True
            self.websocket = may_upgrade and names_websocket(self.headers)
        self.in_head = False
        self.in_body = not self.websocket
        self.head_bytes = self._framing_bytes = 0
        self._sink.on_request()

    def on_body(self, data: bytes) -> None:
        self._framing_bytes -= len(data) * (1 + _CHUNK_OVERHEAD)
        self._sink.on_body_piece(data)

    def on_message_complete(self) -> None:
        if self._upgrade_ahead:
            return
        self.in_body = False
        self.done = not self.keep_alive
        self._sink.on_end()


def _explain(error: httptools.HttpParserError, data: bytes) -> ProxyError:
    """Our refusal, where a callback raised one, else what llhttp means; its texts quote nothing."""
    if isinstance(error.__context__, ProxyError):
        return error.__context__
    reason = str(error)
    if reason == "Invalid HTTP version":
        return VersionNotSupported(reason)
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _METHOD_LIKE.match(data):
        return NotImplementedHere(reason)
    return BadRequest(reason)
