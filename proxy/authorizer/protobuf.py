"""The wire format of Protocol Buffers (protobuf.dev: Encoding): as much as one service of three fields deep takes.

The library would be a dependency, compiled, for messages of which seven fields are read and eight written.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10  # bytes


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value, in order: a varint as int, anything else as bytes. Raises ValueError."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        size = _FIXED.get(kind, 0)
        if kind == _BYTES:
            size, at = _read_varint(message, at)
        elif not size:
            raise ValueError(f"a field of wire type {kind}")
        if at + size > len(message):
            raise ValueError("a field is longer than its message")
        yield number, message[at : at + size]
        at += size


def read_bytes(message: bytes, number: int) -> Iterator[bytes]:
    """The values of the field ``number``, of those that are a text, bytes or a message. Raises ValueError."""
    return (value for each, value in read_fields(message) if each == number and isinstance(value, bytes))


def read_one(message: bytes, number: int) -> bytes:
    """The value of a field that is not repeated, empty where there is none. Raises ValueError where there are two.

    Others would take the last, or merge them: what a reader and a writer may see differently is not read.
    """
    found = list(read_bytes(message, number))
    if len(found) > 1:
        raise ValueError("a field stands there twice")
    return found[0] if found else b""


def write_bytes(number: int, value: bytes) -> bytes:
    """A field that is a text, bytes or a message."""
    return b"%b%b%b" % (_write_varint(number << 3 | _BYTES), _write_varint(len(value)), value)


def write_number(number: int, value: int) -> bytes:
    """A field that is a number from 0 on, or an enumeration's."""
    return _write_varint(number << 3 | _VARINT) + _write_varint(value)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number has no end")


def _write_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
