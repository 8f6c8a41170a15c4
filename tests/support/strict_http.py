"""HTTP/1.1 messages as RFC 9112 reads them, and in no other way: the judge of what was said on a connection.

Written against the RFC's grammar alone, on purpose without any of the proxy's parsers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[\x21-\x7e\x80-\xff]"
_REQUEST_LINE = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/(1\.[01])" % _TOKEN)
# llhttp takes GET and a few more from RTSP as well: read as HTTP of that version, there is one meaning to it.
_TOLERANT_REQUEST_LINE = re.compile(rb"(%b) +([\x21-\x7e]+) +(?:HTTP|RTSP)/(1\.[01])" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"(%b):[ \t]*((?:%b(?:[ \t]*%b)*)?)[ \t]*" % (_TOKEN, _TEXT, _TEXT))
_CHUNK = re.compile(rb"0*([0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*%b[\t\x20-\x7e\x80-\xff]*)?" % _TOKEN)
_LENGTH = re.compile(rb"[0-9]{1,18}")

Fields = Sequence[tuple[bytes, bytes]]


class Malformed(Exception):
    """Not what the grammar allows."""


class Incomplete(Exception):
    """The message goes on where the bytes end."""


@dataclass(frozen=True)
class Message:
    """``start`` is the start line's parts; ``fields`` have lower-case names."""

    start: tuple[bytes, ...]
    fields: Fields
    body: bytes
    trailers: Fields = ()

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]

    def options(self) -> set[bytes]:
        """What stands in ``Connection``."""
        return {one.strip().lower() for value in self.values(b"connection") for one in value.split(b",")}


class Request(Message):
    @property
    def method(self) -> bytes:
        return self.start[0]

    @property
    def target(self) -> bytes:
        return self.start[1]

    @property
    def persistent(self) -> bool:
        """Whether another request may follow (RFC 9112 §9.3)."""
        return self.start[2] == b"1.1" and b"close" not in self.options()


class Response(Message):
    @property
    def status(self) -> int:
        return int(self.start[0])


class Cursor:
    """A place in ``data``."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def line(self) -> bytes:
        end = self.data.find(b"\r\n", self.at)
        if end < 0:
            raise Incomplete
        line, self.at = self.data[self.at : end], end + 2
        return line

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) < size:
            raise Incomplete
        self.at += size
        return piece

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def fields(self) -> Fields:
        fields = []
        while line := self.line():
            match = _FIELD.fullmatch(line)
            if match is None:
                raise Malformed(f"field line {line[:80]!r}")
            fields.append((match[1].lower(), match[2]))
        return fields

    def chunks(self) -> bytes:
        body = b""
        while True:
            line = self.line()
            match = _CHUNK.fullmatch(line)
            if match is None:
                raise Malformed(f"chunk line {line[:80]!r}")
            if not (size := int(match[1], 16)):
                return body
            body += self.take(size)
            if self.take(2) != b"\r\n":
                raise Malformed("a chunk that does not end where it says")


def read_request(cursor: Cursor, *, tolerant: bool = False) -> Request:
    """The next request. ``tolerant``: of line ends before it and of several spaces (RFC 9112 §2.2, §3)."""
    while tolerant and cursor.data[cursor.at : cursor.at + 1] in {b"\r", b"\n"}:
        cursor.at += 1
    line = cursor.line()
    match = (_TOLERANT_REQUEST_LINE if tolerant else _REQUEST_LINE).fullmatch(line)
    if match is None:
        raise Malformed(f"request line {line[:80]!r}")
    start, fields = match.groups(), cursor.fields()
    framing = _framing(fields)
    if framing == b"chunked":
        if start[2] == b"1.0":
            raise Malformed("Transfer-Encoding in HTTP/1.0")
        return Request(start, fields, cursor.chunks(), cursor.fields())
    return Request(start, fields, cursor.take(int(framing)))


def read_response(cursor: Cursor, method: bytes) -> Response:
    """The next response; without a length its body is all that is left."""
    line = cursor.line()
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Malformed(f"status line {line[:80]!r}")
    status, fields = int(match[1]), cursor.fields()
    framing = _framing(fields, otherwise=b"")
    trailers: Fields = ()
    if method == b"HEAD" or status in {204, 304} or status < 200:
        body = b""
    elif framing == b"chunked":
        body = cursor.chunks()
        trailers = cursor.fields()
    else:
        body = cursor.take(int(framing)) if framing else cursor.rest()
    return Response(match.groups(), fields, body, trailers)


def read_requests(data: bytes, *, tolerant: bool = False) -> tuple[list[Request], Exception | None]:
    """The valid requests at the beginning of ``data``, up to one that is the last on its connection; and what
    is wrong with the next one."""
    cursor = Cursor(data)
    found: list[Request] = []
    try:
        while cursor.at < len(data):
            found.append(read_request(cursor, tolerant=tolerant))
            if not found[-1].persistent:
                break
    except (Malformed, Incomplete) as error:
        return found, error
    return found, None


def read_responses(data: bytes, methods: Sequence[bytes]) -> Iterator[Response]:
    """The final responses to requests of these methods. Raises Malformed, Incomplete."""
    cursor = Cursor(data)
    waiting = iter(methods)
    method = next(waiting, b"GET")
    while cursor.at < len(data):
        response = read_response(cursor, method)
        if response.status >= 200:
            method = next(waiting, b"GET")
            yield response


def _framing(fields: Fields, otherwise: bytes = b"0") -> bytes:
    """``chunked`` or the length (RFC 9112 §6.3); what could be read in two ways is malformed."""
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    lengths = [value for name, value in fields if name == b"content-length"]
    if codings:
        if codings != [b"chunked"] or lengths:
            raise Malformed(f"framing {codings} {lengths}")
        return b"chunked"
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise Malformed(f"lengths {lengths}")
    return lengths[0] if lengths else otherwise
