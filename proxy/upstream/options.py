"""What is asked of the connections to an upstream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """``connect``, ``response`` and ``idle`` are seconds: to connect, until a response begins, between two reads."""

    connect: float
    response: float
    idle: float
    max_connections: int


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """PEM files: whom we trust (None is the system's authorities) and what we show; the name that is expected.

    ``http2``: connections may speak that, too.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    http2: bool = False
