"""Bytes that come in pieces, kept in hardly more memory than they hold."""

from __future__ import annotations

from typing import Any, Final

SMALL: Final = 512  # bytes; as an object of its own in a list, a piece takes some 45 more

Pieces = list[Any]  # of bytes, and behind the first one bytearrays of small pieces


def gather(pieces: Pieces, data: bytes) -> None:
    """Add ``data``, which is ``SMALL`` and not the first, to the piece before it if that was small too.

    The first stays as it came: most bodies are one piece, which is not to be copied.
    """
    last = pieces[-1]
    if isinstance(last, bytearray):
        last += data
    else:
        pieces.append(bytearray(data))
