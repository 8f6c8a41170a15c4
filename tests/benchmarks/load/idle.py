"""Connections that made one request and then stay open."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def idle_connections(port: int, path: str, token: str, count: int) -> Iterator[None]:
    """Holds ``count`` of them."""
    head = f"GET {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.sendall(head)
            answer = connection.recv(65536)
            if b" 200 " not in answer[:20]:
                raise OSError(f"answered {answer[:40]!r} … {answer[-120:]!r}")
        yield
