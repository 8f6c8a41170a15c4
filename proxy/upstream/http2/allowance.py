"""Memory for the responses of all streams together, until they are taken; each by itself may fill its window."""

from __future__ import annotations

from ...websockets.allowance import Allowance

# Of this process: 512 readers who stall, of whom each connection to an API carries at most 100.
RESPONSES = Allowance(64 * 1024 * 1024)
