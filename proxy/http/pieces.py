"""Bytes that come in pieces, kept in hardly more memory than they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

SMALL: Final = 512  # bytes; as an object of its own in a list, a piece takes some 45 more

Pieces = list[Any]  # of bytes, and behind the first one bytearrays of small pieces


class Writer(Protocol):
    """What is asked of a transport."""

    def is_closing(self) -> bool: ...

    def write(self, data: bytes | bytearray) -> None: ...

    def writelines(self, list_of_data: Iterable[bytes | bytearray]) -> None: ...


def gather(pieces: Pieces, data: bytes) -> None:
    """Add ``data``, which is ``SMALL`` and not the first, to the piece before it if that was small too.

    The first stays as it came: most bodies are one piece, which is not to be copied.
    """
    last = pieces[-1]
    if isinstance(last, bytearray):
        last += data
    else:
        pieces.append(bytearray(data))


def write_parts(transport: Writer, parts: Sequence[bytes | bytearray]) -> None:
    """Write what is too large to be joined.

    The last one by itself: ``writelines`` of asyncio in 3.12 and 3.13.0 never pauses the writer. Nor does it see that
    the connection is lost, which is not told before the next turn.
    """
    if len(parts) > 1 and not transport.is_closing():
        transport.writelines(parts[:-1])
    if parts:
        transport.write(parts[-1])
