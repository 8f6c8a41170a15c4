"""RFC 9112 §4, §5: the head of a response, strictly, and what of it is for this hop alone."""

from __future__ import annotations

import re
from typing import Final

from ..errors import UpstreamProtocolError
from ..http.field_lines import FieldLines
from ..http.headers import HOP_BY_HOP, Field, read_options, without_nominated

MAX_FIELDS: Final = 200

_CONTENT_LENGTH: Final = b"content-length"
_READ_HERE: Final = HOP_BY_HOP | {_CONTENT_LENGTH}
_MAX_DIGITS: Final = 18
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [\t -~\x80-\xff]*)?")
_MEMO_STATUS_LINES: Final = 256
_MEMO_STATUS_LINE: Final = 64  # bytes of one that is worth remembering

# The status, and whether it is of HTTP/1.0.
StatusLine = tuple[int, bool]

# These; the fields that go on, with lower-case names, repeats and order kept, values byte for byte; the
# ``Content-Length``; the values of ``Transfer-Encoding`` in lower case; whether another request may follow on the
# connection, as far as the head says (RFC 9112 §9.3). No class of its own: making one would cost as much as a field.
ResponseHead = tuple[int, bool, list[Field], int | None, list[bytes], bool]


class _StatusLines(dict[bytes, StatusLine]):
    """``read_status_line`` by look-up, a few of them remembered."""

    def __missing__(self, line: bytes) -> StatusLine:
        found = read_status_line(line)
        if len(self) < _MEMO_STATUS_LINES and len(line) <= _MEMO_STATUS_LINE:
            self[line] = found
        return found


_status_lines = _StatusLines()
_field_lines = FieldLines()


def read_response_head(head: bytes) -> ResponseHead:
    """``head`` ends with its empty line. Raises UpstreamProtocolError."""
    lines = head.split(b"\r\n")
    if len(lines) > MAX_FIELDS + 3:
        raise UpstreamProtocolError(f"the response has more than {MAX_FIELDS} header fields")
    status, http_1_0 = _status_lines[lines[0]]
    fields: list[Field] = []
    connection: list[bytes] = []
    codings: list[bytes] = []
    length: int | None = None
    try:
        for field in map(_field_lines.__getitem__, lines[1:-2]):
            name = field[0]
            if name not in _READ_HERE:
                fields.append(field)
            elif name == _CONTENT_LENGTH:
                length = _read_length(field[1], length)
                fields.append(field)
            elif name == b"connection":
                if http_1_0 or field[1] != b"keep-alive":  # else it says what holds anyhow
                    connection.append(field[1])
            elif name == b"transfer-encoding":
                codings.append(field[1].lower())
    except ValueError as error:
        raise UpstreamProtocolError(f"the response head is malformed: {error}") from None
    if not connection:
        return status, http_1_0, fields, length, codings, not http_1_0
    options = read_options(connection)
    persists = b"close" not in options and (not http_1_0 or b"keep-alive" in options)
    return status, http_1_0, without_nominated(fields, options), length, codings, persists


def read_status_line(line: bytes) -> StatusLine:
    """Raises UpstreamProtocolError."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise UpstreamProtocolError("the response does not begin with an HTTP/1 status line")
    return int(match[2]), match[1] == b"0"


def _read_length(value: bytes, before: int | None) -> int:
    if before is not None:
        raise ValueError("more than one Content-Length")
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise ValueError("Content-Length is not a number")
    return int(value)
