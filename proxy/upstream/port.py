"""The port of an upstream: what a route asks of the connections to its API, whatever version of HTTP they speak."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Iterable
from typing import Protocol

from ..http.headers import Field, Fields
from .body import RequestBody
from .options import Options
from .origin import Origin


class UpstreamResponse(Protocol):
    """A response; ``headers`` have lower-case names, repeats kept, values as received.

    ``http2`` is whether it came by HTTP/2. ``whole`` says that all of it has come; from then on ``trailers`` are there,
    if it has any.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> list[Field]: ...

    @property
    def http2(self) -> bool: ...

    @property
    def whole(self) -> bool: ...

    @property
    def trailers(self) -> Fields: ...

    def take(self) -> tuple[bytes, bool]:
        """What is here of the body without waiting, and whether that was the last of it."""
        ...

    async def read(self) -> bytes:
        """The next piece, empty at the end. Raises UpstreamBroken, and what the request's body raised."""
        ...

    def count_unread(self) -> None:
        """Have what is not taken counted, among what all readers of streams together do not take."""
        ...

    def close(self) -> None:
        """Be done with it, whether or not it is whole."""
        ...


class Places(Protocol):
    """The places for connections to an upstream, for what is opened beside those that carry requests."""

    @property
    def origin(self) -> Origin: ...

    @property
    def options(self) -> Options: ...

    async def enter(self, user: Hashable) -> None:
        """Take a place; ``leave`` gives it back. Raises Overloaded."""
        ...

    def leave(self, user: Hashable) -> None: ...


class UpstreamPool(Places, Protocol):
    """The connections to one upstream."""

    @property
    def active(self) -> int:
        """Requests under way, and connections that are used for something else."""
        ...

    @property
    def idle(self) -> int:
        """Connections that nobody uses."""
        ...

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        ...

    def send(
        self,
        method: str,
        target: bytes,
        fields: Iterable[Field],
        *,
        body: RequestBody | None,
        idempotent: bool,
        user: Hashable = None,
    ) -> Awaitable[UpstreamResponse]:
        """Send a request and wait for the head of its response. Raises UpstreamError, Overloaded, what ``body`` raises.

        ``fields`` frame ``body`` as HTTP/1.1 does. An ``idempotent`` request without a body may be sent once more.
        ``user`` is whose share of the places it counts in; None is the proxy itself.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; whoever waits for one is refused, whoever uses one sees it break."""
        ...
