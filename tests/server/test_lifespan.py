"""ASGI's lifespan: an application's start and end."""

from __future__ import annotations

import pytest

from proxy.server.lifespan import Lifespan


async def test_a_lifespan_that_fails_says_why():
    """The application's own error comes out; one that knows no lifespan is served all the same."""

    async def failing(scope, receive, send):
        raise LookupError("no keys")

    async def refusing(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no keys"})

    async def ignorant(scope, receive, send):
        return

    with pytest.raises(LookupError, match="no keys"):
        await Lifespan(failing).startup()
    with pytest.raises(RuntimeError, match="no keys"):
        await Lifespan(refusing).startup()
    lifespan = Lifespan(ignorant)
    await lifespan.shutdown()
    await lifespan.startup()
    await lifespan.shutdown()
