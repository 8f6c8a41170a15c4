"""A peer whose cable is pulled: it is open still, and nothing reaches it, so that its system acknowledges nothing."""

from __future__ import annotations

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: bytes to keep


def pull_cable(sock: socket.socket) -> None:
    """Drop whatever comes for ``sock``, of TCP."""
    program = ctypes.create_string_buffer(_DROP_ALL)
    described = struct.pack("HxxxxxxP", 1, ctypes.addressof(program))
    # asyncio's own wrapper of a socket shows no such method
    with socket.socket(fileno=socket.dup(sock.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
