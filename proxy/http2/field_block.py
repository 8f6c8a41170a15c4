"""Field blocks as we write them (RFC 7541): no dynamic table, so nothing is kept of what was sent.

Whoever shares the connection cannot guess at another's secret by the length of a block (§7.1), the peer cannot
make us keep a table of its choice, and no table is searched. Literals are all marked as never indexed, which an
intermediary must keep up for those that came so (§6.2.3).
"""

from __future__ import annotations

from ..http.headers import Field, Fields

NO_TABLE = b"\x20"  # §6.3: a dynamic table of 0 bytes, whatever the peer would allow
_NEVER_INDEXED = 0x10  # §6.2.3
_MEMO_SIZE = 1024  # names
_MEMO_NAME = 64  # bytes of a name worth remembering

# Appendix A, from index 1 on.
_STATIC: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", status) for status in (b"200", b"204", b"206", b"304", b"400", b"404", b"500")),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *(
        (name, b"")
        for name in (
            b"accept-language",
            b"accept-ranges",
            b"accept",
            b"access-control-allow-origin",
            b"age",
            b"allow",
            b"authorization",
            b"cache-control",
            b"content-disposition",
            b"content-encoding",
            b"content-language",
            b"content-length",
            b"content-location",
            b"content-range",
            b"content-type",
            b"cookie",
            b"date",
            b"etag",
            b"expect",
            b"expires",
            b"from",
            b"host",
            b"if-match",
            b"if-modified-since",
            b"if-none-match",
            b"if-range",
            b"if-unmodified-since",
            b"last-modified",
            b"link",
            b"location",
            b"max-forwards",
            b"proxy-authenticate",
            b"proxy-authorization",
            b"range",
            b"referer",
            b"refresh",
            b"retry-after",
            b"server",
            b"set-cookie",
            b"strict-transport-security",
            b"transfer-encoding",
            b"user-agent",
            b"vary",
            b"via",
            b"www-authenticate",
        )
    ),
)


def _encode_integer(number: int, bits: int, marks: int) -> bytes:
    """§5.1: ``number`` behind ``marks``, in a prefix of ``bits``."""
    most = (1 << bits) - 1
    if number < most:
        return bytes((marks | number,))
    encoded = bytearray((marks | most,))
    number -= most
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_INDEXED = {field: bytes((0x80 | index,)) for index, field in enumerate(_STATIC, 1) if field[1]}
_LENGTHS = [_encode_integer(length, 7, 0) for length in range(2048)]
_names = {
    name: _encode_integer(index, 4, _NEVER_INDEXED)
    for index, (name, _) in reversed(list(enumerate(_STATIC, 1)))
}


def encode(fields: Fields) -> bytes:
    """One block, without Huffman coding: a token is longer so, but what costs us is the coding."""
    parts: list[bytes] = []
    for field in fields:
        indexed = _INDEXED.get(field)
        if indexed is not None:
            parts.append(indexed)
            continue
        name, value = field
        parts.append(_names.get(name) or _encode_name(name))
        parts.append(_encode_length(value))
        parts.append(value)
    return b"".join(parts)


def _encode_name(name: bytes) -> bytes:
    encoded = b"%c%b%b" % (_NEVER_INDEXED, _encode_length(name), name)
    if len(_names) < _MEMO_SIZE and len(name) <= _MEMO_NAME:
        _names[name] = encoded
    return encoded


def _encode_length(text: bytes) -> bytes:
    length = len(text)
    return _LENGTHS[length] if length < len(_LENGTHS) else _encode_integer(length, 7, 0)
