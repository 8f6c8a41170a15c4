"""Memory for what all connections of HTTP/2 hold together: bodies not yet passed on, parts that wait for room."""

from __future__ import annotations

from ...websockets.allowance import Allowance

# Of this process. Each connection may hold 1 MiB of requests, and of responses what its streams wait to send.
STREAMS = Allowance(64 * 1024 * 1024)
