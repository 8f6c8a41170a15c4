"""What the connections of one listener share."""

from __future__ import annotations

from typing import Protocol, cast

from uvicorn.server import ServerState

from ..http.asgi import ASGIApp
from .limits import Limits

_SHEDDING = 256  # connections beyond the limit that are told so; more are cut without a word


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


class State(ServerState):
    """uvicorn's, and: the application, the limits, and whether no request is to follow on a connection."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        super().__init__()
        self.app = app
        self.limits = limits
        self.draining = False
        self.running = 0  # requests that the application has not returned from

    def live(self) -> tuple[LiveConnection, ...]:
        """The connections there are now."""
        return tuple(cast("set[LiveConnection]", self.connections))

    @property
    def overloaded(self) -> bool:
        return len(self.connections) > self.limits.max_connections

    def is_flooded(self, *, beside: int = 0) -> bool:
        """``beside``: connections that are not counted yet, such as those in a TLS handshake."""
        return len(self.connections) + beside > self.limits.max_connections + _SHEDDING
