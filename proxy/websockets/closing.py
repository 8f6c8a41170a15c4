"""RFC 6455 §7.4: how a websocket ends, and what the other side is told of it."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """§7.4.1, and those that IANA has registered since: what we say or understand of them."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013
    TLS_HANDSHAKE = 1015


# Told by a library, never sent (§7.4.1).
_NEVER_SENT = frozenset({CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE})


class Closed(Exception):
    """One side has ended; ``code`` and ``reason`` are for the other."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


def build_closed(code: int, reason: str, *, lost: CloseCode) -> Closed:
    """What a close with ``code`` means to the other side; ``lost`` is what a loss without a close is told as."""
    if code == CloseCode.NO_STATUS_RCVD:
        return Closed(CloseCode.NORMAL_CLOSURE, reason)
    return Closed(lost if code in _NEVER_SENT else code, reason)
