"""What the transport does not offer: cutting a connection with a reset, and asking whether the peer is there."""

from __future__ import annotations

import asyncio
import socket
import struct

_TCP_ESTABLISHED = 1  # linux/tcp_states.h


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
