"""What a request shape is, and how tables of oddities are spread over requests.

A shape is only bytes: what must become of them is decided by ``tests.support.strict_http``, which reads the same
bytes as RFC 9112 does. ``refused`` says more where the proxy is stricter than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TOKEN = b"<TOKEN>"  # where the caller's token goes
AUTHORIZATION = b"Authorization: Bearer " + TOKEN
HOST = b"Host: proxy.example"
# What is hidden behind a request for a reader that frames it differently.
SMUGGLED = b"\r\n".join([b"GET /orders/smuggled HTTP/1.1", HOST, AUTHORIZATION, b"", b""])


@dataclass(frozen=True)
class Shape:
    """``refused``: no request of it may go upstream, though the RFC would let some."""

    name: str
    data: bytes
    refused: bool = False

    def __str__(self) -> str:
        return self.name[:80]


def request(
    line: bytes = b"POST /orders/shape HTTP/1.1", *fields: bytes, body: bytes = b"", host: bool = True
) -> bytes:
    """A request with its own ``Host`` and token, then ``fields``."""
    lines = [line, *([HOST] if host else []), AUTHORIZATION, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def name_of(*parts: bytes) -> str:
    """Bytes as a readable test name."""
    return " | ".join(repr(part[:48])[2:-1] for part in parts)


def each(title: str, lines: Iterable[tuple[bytes, ...]], *, refused: bool = False) -> list[Shape]:
    """A GET with each group of field lines."""
    return [
        Shape(f"{title}: {name_of(*group)}", request(b"GET /orders/shape HTTP/1.1", *group), refused)
        for group in lines
    ]
