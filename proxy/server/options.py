"""RFC 9110 §9.3.7: ``OPTIONS *`` asks the server itself, and is answered by it."""

from __future__ import annotations

from ..http.asgi import Receive, Scope, Send
from ..http.request_head import METHODS

ALLOW = (b"allow", ", ".join(sorted(METHODS)).encode())


async def answer_options(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app that names the methods known here."""
    await send({"type": "http.response.start", "status": 204, "headers": [ALLOW]})
    await send({"type": "http.response.body"})
