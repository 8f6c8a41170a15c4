"""A port bound once, and its connections dealt: to several workers in turn, or to the listener that speaks TLS."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from ..config.models import Authorizer

BACKLOG = 2048
_AT_ONCE = 64  # connections accepted in one turn of the loop
_ANSWER_TIMEOUT = 1.0  # s: for whoever may listen at a path already
_PAUSE = 0.05  # s: until it is tried again where no worker takes a connection, or no descriptor is left


async def bind(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of ``host``. Raises OSError, and keeps none, where one is not to be had."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
    except OSError:
        for one in sockets:
            one.close()
        raise
    for one in sockets:
        one.setblocking(False)
        # Connections inherit it. asyncio would set it, but not where a socket's protocol is told as 0, as theirs is.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sockets


async def bind_authorizer(authorizer: Authorizer) -> list[socket.socket]:
    """Listening sockets where gateways ask. Raises OSError."""
    if authorizer.socket_path is not None:
        return [bind_path(Path(authorizer.socket_path))]
    return await bind(authorizer.host, authorizer.port)


def bind_path(path: Path) -> socket.socket:
    """A listening unix socket, which our account and group may use. Raises OSError where another listens there."""
    _remove_disused(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o117)
    try:
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(umask)
    listening.setblocking(False)
    return listening


def _remove_disused(path: Path) -> None:
    """What a process left there that has ended; nothing else is ever removed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(_ANSWER_TIMEOUT)
            caller.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return
    raise OSError(errno.EADDRINUSE, f"{path}: another process listens there")


class Acceptor:
    """``deal`` takes a connection and says whether somebody has it now.

    While nobody does, connections wait, one here and the others in the system's queue: none is refused because
    workers are starting again.
    """

    def __init__(self, sockets: Sequence[socket.socket], deal: Callable[[socket.socket], bool]) -> None:
        self._sockets = sockets
        self._deal = deal
        self._held: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._sockets[0].getsockname()[:2]
        return host, port

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._pause = None
        if self._held is not None and not self._deal(self._held):
            self._pause = loop.call_later(_PAUSE, self.start)
            return
        self._held = None
        for one in self._sockets:
            loop.add_reader(one, self._accept, one)

    def stop(self) -> None:
        """Accept no more; the port is free. Twice is no harm."""
        self._stop_reading()
        if self._pause is not None:
            self._pause.cancel()
        for one in self._sockets:
            one.close()
        self._sockets = ()
        if self._held is not None:
            self._held.close()

    def _stop_reading(self) -> None:
        for one in self._sockets:
            asyncio.get_running_loop().remove_reader(one)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # out of descriptors
                self._wait()
                return
            if not self._deal(connection):
                self._held = connection
                self._wait()
                return

    def _wait(self) -> None:
        self._stop_reading()
        self._pause = asyncio.get_running_loop().call_later(_PAUSE, self.start)
