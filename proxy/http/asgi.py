"""ASGI's types, once for the whole proxy, and what our own server adds to a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from ..errors import ProxyError
from .headers import Field, Fields

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Connection(Protocol):
    """What ``scope["extensions"]["obo"]`` offers beyond ASGI."""

    target: bytes
    """The request target in origin-form, byte for byte: also with a ``?`` that nothing follows."""

    head_size: int
    """Bytes that the request's head has at the most, as it was received."""

    http2: bool
    """Whether the request came by HTTP/2: its caller can be given trailers."""

    grpc: bool
    """Whether it is a call of gRPC's, on a port where those are refused in their own terms."""

    trailers: Fields
    """What came behind the request's body, once that is whole; empty where the protocol's do not go on."""

    refusal: ProxyError | None
    """What the server has answered in the application's place, because the rest of the request is faulty."""

    @property
    def client_certificate(self) -> str | None:
        """``x5t#S256`` (RFC 8705 §3.1) of the certificate that the peer has shown, of an issuer we know, if any."""
        ...

    def respond(self, status: int, headers: list[Field], body: bytes) -> bool:
        """Write a response that is whole; the same as ``send`` twice, in one step.

        False, and nothing is written, where the peer is behind and ``send`` would wait.
        """
        ...

    def end(self, trailers: Fields) -> None:
        """End the body of a response that was begun, with ``trailers`` where the protocol passes any on."""
        ...

    def abort(self) -> None:
        """Cut the connection, so that what was sent of a response cannot look whole (RFC 9112 §8)."""
        ...

    def cancel(self) -> None:
        """Cancel the task in which the application serves the request."""
        ...

    def on_departure(self, callback: Callable[[], None] | None) -> None:
        """Have ``callback`` called once, as soon as the connection is lost before the response is complete.

        If it is lost already, at once; None takes the callback back. Nobody needs to wait in ``receive()``.
        """
        ...
