"""What the transport does not offer: cutting with a reset, asking whether the peer is there and takes anything."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Literal

from ..runtime import count_untaken

_TCP_ESTABLISHED = 1  # linux/tcp_states.h


def find_address(
    transport: asyncio.Transport, side: Literal["sockname", "peername"]
) -> tuple[str, int | None] | None:
    """Host and port; of a unix socket our side alone is told, as its path and None. None where nobody knows."""
    try:
        found = transport.get_extra_info(side)
    except OSError:  # closed by now
        return None
    if isinstance(found, tuple | list):
        return str(found[0]), int(found[1])
    return (found, None) if isinstance(found, str) and side == "sockname" else None


def reset(transport: asyncio.Transport) -> None:
    """Cut with a TCP reset: the one sign a peer cannot take for the end of a close-delimited body."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def has_left(transport: asyncio.Transport) -> bool:
    """Whether the peer has closed or reset, told without reading; False where the system cannot tell."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
        return False
    info: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] != _TCP_ESTABLISHED


def is_behind(transport: asyncio.Transport, untaken: int, least: float) -> bool:
    """Whether data waits for a peer that has taken fewer than ``least`` bytes since it had not taken ``untaken``."""
    return transport.get_write_buffer_size() > 0 and untaken - count_untaken(transport) < least
