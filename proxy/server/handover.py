"""Connections handed from the supervisor, which accepts them, to a worker, which serves them (unix(7), SCM_RIGHTS).

One side accepts, and deals in turn: left to the kernel, 32 keep-alive connections arriving at once at one shared
socket all went to one of four workers, and of 8 over SO_REUSEPORT one worker in two trials got none.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping

SUPERVISOR_ADDRESS = b"x-obo-supervisor-address"  # a field line: where the supervisor's admin side was called
DATA, ADMIN, AUTHORIZER = b"d", b"a", b"z"  # which of a worker's listeners a connection is for


class Outlet:
    """The supervisor's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.setblocking(False)

    def hand_over(self, connection: socket.socket, kind: bytes) -> bool:
        """Give ``connection`` away; False, and it is still ours, where the worker is gone or takes no more now."""
        try:
            socket.send_fds(self._end, [kind], [connection.fileno()])
        except OSError:
            return False
        connection.close()
        return True

    def close(self) -> None:
        self._end.close()


class Inlet:
    """The worker's end: ``start`` passes what comes to the listener of its kind, until ``stop``."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._adopt: Mapping[bytes, Callable[[socket.socket], None]] = {}
        end.setblocking(False)

    def start(self, adopt: Mapping[bytes, Callable[[socket.socket], None]]) -> None:
        self._adopt = adopt
        asyncio.get_running_loop().add_reader(self._end, self._receive)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end)
        self._end.close()

    def _receive(self) -> None:
        try:
            kind, descriptors, _, _ = socket.recv_fds(self._end, 1, 1)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            kind, descriptors = b"", []
        if not kind:  # the supervisor is gone
            asyncio.get_running_loop().remove_reader(self._end)
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            self._adopt[kind](connection)
