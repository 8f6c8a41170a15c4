"""Frames that a codec writes by itself, for peers of our own making."""

from __future__ import annotations

from proxy.http2.frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MAX_FRAME_SIZE,
    RST_STREAM,
    build_frame,
)


def build_block(stream_id: int, block: bytes, *, ended: bool) -> bytes:
    """HEADERS, and CONTINUATION behind it where the block is too large for one frame."""
    pieces = [block[at : at + MAX_FRAME_SIZE] for at in range(0, len(block) or 1, MAX_FRAME_SIZE)]
    flags = [END_STREAM if ended else 0, *(0 for _ in pieces[1:])]
    flags[-1] |= END_HEADERS
    kinds = [HEADERS, *(CONTINUATION for _ in pieces[1:])]
    return b"".join(
        build_frame(*one[:2], stream_id, one[2]) for one in zip(kinds, flags, pieces, strict=True)
    )


def build_reset(stream_id: int, code: int) -> bytes:
    """RST_STREAM."""
    return build_frame(RST_STREAM, 0, stream_id, code.to_bytes(4))
