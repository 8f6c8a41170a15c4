"""Whether a peer that says nothing is still there: it is asked by PING (RFC 9113 §6.7), for a pulled cable says no end.

Looked at by the sweep, only while streams are open. Servers of gRPC's count PINGs as strikes and end the connection
with the third (ENHANCE_YOUR_CALM, "too_many_pings"): grpc-go (keepalive.EnforcementPolicy.MinTime, and
http2_server.go, handlePing), grpc-core (GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, MAX_PING_STRIKES) and
grpc-java (permitKeepAliveTime) want 5 minutes between two, if they have sent neither HEADERS nor DATA between them. The
first behind HEADERS or DATA is always borne. Their clients count nothing.
"""

from __future__ import annotations

import math

QUIET = 60.0  # s without a word of the peer's after which it is asked
ANSWER = 20.0  # s for any word of it to come, as gRPC has it (keepalive_timeout)
# s between two PINGs to a server that has sent no HEADERS or DATA in between; the first may have been on its way for
# longer than the second.
SERVERS_PAUSE = 310.0


class Liveness:
    """All times are the loop's; ``heard_at`` is that of the last bytes, ``untaken`` how many of ours are not taken.

    ``asked`` is whether an answer is due: no time tells, for an answer may come within the millisecond of its PING.
    ``pause`` is kept between two PINGs without ``hear_stream``. Of a peer that ``reads_later`` the acknowledgement by
    its system is word enough: a caller may read as slowly as it likes what it has already.
    """

    __slots__ = (
        "_answer_by",
        "_asked_at",
        "_pause",
        "_reads_later",
        "_since",
        "_spoke",
        "_untaken",
        "asked",
        "heard_at",
    )

    def __init__(self, now: float, *, pause: float = 0.0, reads_later: bool = False) -> None:
        self.asked = False
        self.heard_at = now
        self._pause = pause
        self._reads_later = reads_later
        self._since = now  # silence counts from then, or from the last word
        self._spoke = True  # of a stream, since it was asked
        self._asked_at = -math.inf
        self._answer_by = math.inf
        self._untaken = 0

    @property
    def deadline(self) -> float:
        """When to ``ask`` next; where that has been done, when to see whether the peer ``is_lost``."""
        if self.asked:
            return self._answer_by
        quiet = max(self.heard_at, self._since) + QUIET
        return quiet if self._spoke else max(quiet, self._asked_at + self._pause)

    def begin(self, now: float) -> None:
        """A stream is opened where there was none: nothing was to be heard before."""
        self._since = now

    def hear(self, now: float) -> None:
        """Bytes have come."""
        self.asked = False
        self.heard_at = now

    def hear_stream(self) -> None:
        """They were HEADERS or DATA.

        Those may have been sent before the last PING was read: then the next is one strike, and two are borne.
        """
        self._spoke = True

    def ask(self, now: float, untaken: int) -> None:
        """A PING is among the ``untaken`` bytes."""
        self.asked = True
        self._asked_at = now
        self._answer_by = now + ANSWER
        self._untaken = untaken
        self._spoke = False

    def is_lost(self, now: float, untaken: int) -> bool:
        """Whether no answer will come.

        On a slow link the PING may still wait behind others' bytes. What is taken may be written anew at once, so any
        change of ``untaken`` is a sign of life; where nothing is taken it ends, for what may wait is bounded.
        """
        if self._reads_later and not untaken:
            self.hear(now)
        elif untaken != self._untaken:
            self._untaken = untaken
            self._answer_by = now + ANSWER
        else:
            return True
        return False
