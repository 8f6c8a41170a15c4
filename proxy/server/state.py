"""What the connections of one listener share."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from mypy_extensions import mypyc_attr

from ..errors import ProxyError
from ..http.asgi import ASGIApp, Receive, Scope, Send
from ..http.problem import Problem
from ..observability.refusals import answer_refusal
from .limits import Limits

_SHEDDING: Final = 256  # connections beyond the limit that are told so; more are cut without a word


class LiveConnection(Protocol):
    """What the listener does with a connection, be it HTTP's or a websocket's."""

    read_deadline: float
    write_deadline: float

    def expire(self, now: float) -> None:
        """A deadline has passed."""
        ...

    def shutdown(self) -> None:
        """Take no further request; end if there is none."""
        ...

    def abort(self) -> None:
        """End at once."""
        ...


class Refusing(Protocol):
    """Who answers what the server refuses by itself."""

    def refuse(
        self, error: ProxyError, *, method: str, request_id: str, begun: bool, grpc: bool = False
    ) -> Problem:
        """Log, count and note it; returns the answer. ``method`` is empty where it was not read.

        ``begun``: the application has been shown the request, and counts it. ``grpc``: it is a call of gRPC's.
        """
        ...

    def note_http2(self, *, grpc: bool) -> None:
        """A request has come by HTTP/2; ``grpc``: it is a call of gRPC's."""
        ...


class PublicApp(Refusing, Protocol):
    """The application of the public port."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        ...

    async def authorize(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Likewise, on the authorizer's port."""
        ...


@mypyc_attr(native_class=False)
class OnlyLogged:
    """``Refusing`` where nothing is counted, as on the admin side."""

    def refuse(
        self, error: ProxyError, *, method: str, request_id: str, begun: bool, grpc: bool = False
    ) -> Problem:
        return answer_refusal(error, "", request_id)

    def note_http2(self, *, grpc: bool) -> None:
        """Nothing is counted."""


class State:
    """What there is, the application, who refuses, the limits, and whether no request is to follow on a connection."""

    def __init__(self, app: ASGIApp, limits: Limits, refusing: Refusing) -> None:
        self.connections: set[Any] = set()  # of ``LiveConnection``s
        self.tasks: set[asyncio.Task[None]] = set()  # in which the application runs
        self.app = app
        self.limits = limits
        self.refusing = refusing
        self.draining = False
        self.running = 0  # requests that the application has not returned from
        self.accepted = 0  # of those by HTTP/2, also the ones that have yet to run: one read brings many

    def live(self) -> tuple[LiveConnection, ...]:
        """The connections there are now."""
        return tuple(self.connections)

    @property
    def overloaded(self) -> bool:
        return len(self.connections) > self.limits.max_connections

    def is_flooded(self, *, beside: int = 0) -> bool:
        """``beside``: connections that are not counted yet, such as those in a TLS handshake."""
        return len(self.connections) + beside > self.limits.max_connections + _SHEDDING
