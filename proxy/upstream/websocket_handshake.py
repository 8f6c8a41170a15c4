"""Our handshake with an upstream (RFC 6455 §4.1), by the ``websockets`` library."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.http11 import Request
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from ..errors import UpstreamError, UpstreamProtocolError, UpstreamUnreachable
from ..http.headers import Field
from ..websockets.allowance import MAX_MESSAGE

# The library would write whole handshakes at DEBUG, with the token, and tracebacks of broken connections.
_silence = logging.getLogger(f"{__name__}.library")
_silence.setLevel(logging.CRITICAL)


class Handshake(ClientProtocol):
    """Asks for ``target`` with ``fields``; what the library adds are the fields that make a handshake."""

    def __init__(self, target: bytes, fields: Iterable[Field], subprotocols: Sequence[str]) -> None:
        offered = [Subprotocol(name) for name in subprotocols]
        # The URI would only say what ``connect`` replaces.
        super().__init__(
            WebSocketURI(secure=False, host="upstream", port=80, path="/", query=""),
            subprotocols=offered or None,
            max_size=MAX_MESSAGE,
            logger=_silence,
        )
        self._target = target
        self._fields = fields

    def connect(self) -> Request:
        request = super().connect()
        request.path = self._target.decode("ascii")
        del request.headers["Host"]
        for name, value in self._fields:
            request.headers[name.decode("ascii")] = value.decode("latin-1")
        return request


def explain_failure(error: Exception | None) -> UpstreamError | None:
    """What the library says of a handshake, which takes a refusal for an error; None where there is an answer."""
    if isinstance(error, InvalidStatus):
        interim = error.response.status_code < 200
        return UpstreamProtocolError("an interim answer to a handshake") if interim else None
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return UpstreamUnreachable("the upstream ended the connection instead of answering the handshake")
    return None if error is None else UpstreamProtocolError(f"the handshake failed: {type(error).__name__}")
