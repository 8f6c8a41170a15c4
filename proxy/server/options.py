"""RFC 9110 §9.3.7: ``OPTIONS *`` asks the server itself, and is answered by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .head import METHODS

if TYPE_CHECKING:
    from .cycle import Receive, Scope, Send

ALLOW = (b"allow", ", ".join(sorted(METHODS)).encode())


async def answer_options(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app that names the methods known here."""
    await send({"type": "http.response.start", "status": 204, "headers": [ALLOW]})
    await send({"type": "http.response.body"})
