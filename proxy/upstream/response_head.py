"""RFC 9112 §4, §5: the head of a response, strictly, and what of it is for this hop alone."""

from __future__ import annotations

import re
from typing import Final

from ..errors import UpstreamProtocolError
from ..http.field_lines import FieldLines
from ..http.headers import HOP_BY_HOP, Field, read_options, values, without_nominated

MAX_FIELDS: Final = 200

_KEEP_ALIVE: Final = (b"connection", b"keep-alive")
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


class _Line:
    """A field line; ``length`` is the number of a ``Content-Length``. Raises ValueError where that is none."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.goes_on = field[0] not in HOP_BY_HOP
        self.length = _read_length(field[1]) if field[0] == b"content-length" else None


_status_lines: Final[dict[bytes, StatusLine]] = {}
_field_lines: Final = FieldLines(_Line)
_known_lines: Final = _field_lines.known


def read_response_head(head: bytes) -> ResponseHead:
    """``head`` ends with its empty line. Raises UpstreamProtocolError."""
    lines = head.split(b"\r\n")
    if len(lines) > MAX_FIELDS + 3:
        raise UpstreamProtocolError(f"the response has more than {MAX_FIELDS} header fields")
    status, http_1_0 = _find_status(lines[0])
    fields: list[Field] = []
    ending: list[Field] = []
    length: int | None = None
    try:
        for text in lines[1:-2]:
            line = _known_lines.get(text) or _field_lines.read(text)
            if line.goes_on:
                fields.append(line.field)
            elif http_1_0 or line.field != _KEEP_ALIVE:  # else it says what holds anyhow
                ending.append(line.field)
            if line.length is not None:
                if length is not None:
                    raise ValueError("more than one Content-Length")
                length = line.length
    except ValueError as error:
        raise UpstreamProtocolError(f"the response head is malformed: {error}") from None
    if not ending:
        return status, http_1_0, fields, length, [], not http_1_0
    codings = [value.lower() for value in values(ending, b"transfer-encoding")]
    options = read_options(values(ending, b"connection"))
    persists = b"close" not in options and (not http_1_0 or b"keep-alive" in options)
    return status, http_1_0, without_nominated(fields, options), length, codings, persists


def read_status_line(line: bytes) -> StatusLine:
    """Raises UpstreamProtocolError."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise UpstreamProtocolError("the response does not begin with an HTTP/1 status line")
    return int(match[2]), match[1] == b"0"


def _find_status(line: bytes) -> StatusLine:
    """``read_status_line`` by look-up, a few of them remembered."""
    found = _status_lines.get(line)
    if found is None:
        found = read_status_line(line)
        if len(_status_lines) < _MEMO_STATUS_LINES and len(line) <= _MEMO_STATUS_LINE:
            _status_lines[line] = found
    return found


def _read_length(value: bytes) -> int:
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise ValueError("Content-Length is not a number")
    return int(value)
