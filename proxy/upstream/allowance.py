"""Memory for the responses of all streams together, until they are taken."""

from __future__ import annotations

from ..websockets.allowance import Allowance

# Of this process. By HTTP/2 an API fills a window for each: 512 readers who stall, of whom a connection carries at most
# 100. By HTTP/1.1 it may be three times as much, which counts where one connection of a caller's has many readers.
RESPONSES = Allowance(64 * 1024 * 1024)
