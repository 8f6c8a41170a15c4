"""RFC 9113 §8.2, §8.3.2: the fields of a response, and what its body may be.

The end of a body is told by a flag; what the application says of connections and framing is not sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from ...http.headers import Field
from ...http2.field_rules import CONNECTION_FIELDS
from ..response_head import BODILESS

_STATUSES = {status: (b":status", b"%d" % status) for status in range(200, 600)}


class Extent(Enum):
    """How long a response's body is."""

    NONE = 0  # there is no body, whatever the application gives
    KNOWN = 1
    OPEN = 2


# By names of their own: before Python 3.12 asking the class for a member takes as long as a call.
NONE, KNOWN, OPEN = Extent

# The fields, and the body's length in bytes where that is ``KNOWN``.
ResponseHead = tuple[list[Field], Extent, int]


def build_response_head(status: int, headers: Iterable[Field], *, method: str) -> ResponseHead:
    """Raises ValueError for a head that cannot be sent without harm."""
    fields = [_STATUSES[status]]
    length: int | None = None
    for name, value in headers:
        if name in CONNECTION_FIELDS:
            continue
        if name == b"content-length":
            if status == 204:  # RFC 9110 §8.6
                continue
            if length is not None or not value.isdigit():
                raise ValueError("Content-Length is not one number")
            length = int(value)
        fields.append((name, value))
    _refuse_line_breaks(fields)
    if method == "HEAD" or status in BODILESS:
        return fields, NONE, 0
    return (fields, OPEN, 0) if length is None else (fields, KNOWN, length)


def _refuse_line_breaks(fields: list[Field]) -> None:
    """Whoever passes the response on by HTTP/1.1 would take them for the end of a line (RFC 9113 §10.3)."""
    for name, value in fields:
        text = name + value
        if b"\n" in text or b"\r" in text or b"\0" in text:
            raise ValueError("a line break or NUL in a header field")
