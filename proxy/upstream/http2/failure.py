"""Why requests on a connection fail, as a value: each of them raises an error of its own.

An error that is raised keeps the frames that it went through, so that of several none may be the same.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import ProxyError, UpstreamBroken, UpstreamError, UpstreamUnreachable, clear_tracebacks

TURN_OFF = "Take http2 off the route, or let the upstream speak HTTP/2: by ALPN (h2), without TLS from the first byte."


class Unanswered(UpstreamUnreachable):
    """The connection ended before any byte of a response."""


class NotProcessed(UpstreamUnreachable):
    """The upstream has not acted on the request, and says so (RFC 9113 §8.7)."""


class Failure(NamedTuple):
    """``kind`` is what it means where no response had begun."""

    kind: type[ProxyError]
    reason: str
    remedy: str = ""
    cause: BaseException | None = None

    def build(self, status: int = 0) -> Exception:
        """The error of a request whose response had ``status``, 0 where it had none."""
        if status:
            error: Exception = UpstreamBroken(f"within the response body: {self.reason}")
        else:
            error = self.kind(self.reason, remedy=self.remedy)
        error.__cause__ = self.cause
        return error


def describe(error: UpstreamError) -> Failure:
    """What ``error`` says, without its frames."""
    clear_tracebacks(error)
    return Failure(type(error), str(error), error.own_remedy, error.__cause__)
