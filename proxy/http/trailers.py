"""Trailer fields (RFC 9110 §6.5): what of them goes on, from either side.

Whoever reads them late may still merge them into the header (§6.5.1). So nothing passes that a header would not pass,
and nothing that means something only ahead of the body.
"""

from __future__ import annotations

from .headers import HOP_BY_HOP, Field, Fields

# §6.5.1: framing, routing, authentication, request modifiers, control data, and how to read the content.
_HEAD_ONLY = frozenset(
    {
        b"age",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"dpop",
        b"dpop-nonce",
        b"expect",
        b"expires",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"location",
        b"max-forwards",
        b"pragma",
        b"range",
        b"retry-after",
        b"set-cookie",
        b"vary",
        b"www-authenticate",
    }
)
_NEVER = _HEAD_ONLY | HOP_BY_HOP


def filter_trailers(trailers: Fields) -> list[Field]:
    """Those that may stand in a trailer and do not end at this hop, in their order."""
    return [field for field in trailers if field[0] not in _NEVER and not field[0].startswith(b":")]
