"""RFC 9112 §4, §5: the head of a response, strictly, and what of it is for this hop alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UpstreamProtocolError
from ..http.field_lines import FieldLines
from ..http.headers import HOP_BY_HOP, Field, read_options, without_nominated

MAX_FIELDS = 200

_CONTENT_LENGTH = b"content-length"
_READ_HERE = HOP_BY_HOP | {_CONTENT_LENGTH}
_MAX_DIGITS = 18
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [\t -~\x80-\xff]*)?")
_field_lines = FieldLines()


@dataclass(slots=True)
class ResponseHead:
    """``fields`` are those that go on: lower-case names, repeats and order kept, values byte for byte.

    ``length`` is the ``Content-Length``, ``codings`` are the values of ``Transfer-Encoding`` in lower case.
    ``persists`` is whether another request may follow on the connection, as far as the head says (RFC 9112 §9.3).
    """

    status: int
    http_1_0: bool
    fields: list[Field]
    length: int | None
    codings: list[bytes]
    persists: bool


def read_response_head(head: bytes) -> ResponseHead:
    """``head`` ends with its empty line. Raises UpstreamProtocolError."""
    lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise UpstreamProtocolError("the response does not begin with an HTTP/1 status line")
    if len(lines) > MAX_FIELDS + 3:
        raise UpstreamProtocolError(f"the response has more than {MAX_FIELDS} header fields")
    try:
        fields = list(map(_field_lines.__getitem__, lines[1:-2]))
    except ValueError as error:
        raise UpstreamProtocolError(f"the response head is malformed: {error}") from None
    minor, status = match.groups()
    return _sort(int(status), minor == b"0", fields)


def _sort(status: int, http_1_0: bool, fields: list[Field]) -> ResponseHead:
    kept: list[Field] = []
    connection: list[bytes] = []
    codings: list[bytes] = []
    length: int | None = None
    for field in fields:
        name = field[0]
        if name not in _READ_HERE:
            kept.append(field)
        elif name == b"connection":
            connection.append(field[1])
        elif name == b"transfer-encoding":
            codings.append(field[1].lower())
        elif name == _CONTENT_LENGTH:
            if length is not None:
                raise UpstreamProtocolError("the response has more than one Content-Length")
            length = _read_length(field[1])
            kept.append(field)
    options = read_options(connection)
    persists = b"keep-alive" in options if http_1_0 else b"close" not in options
    return ResponseHead(status, http_1_0, without_nominated(kept, options), length, codings, persists)


def _read_length(value: bytes) -> int:
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise UpstreamProtocolError("the response's Content-Length is not a number")
    return int(value)
