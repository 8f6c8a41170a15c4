"""The official MCP SDK at both ends: its streamable HTTP is HTTP with server-sent events, and passes as such."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.demo.listener import Listener
from tests.support.demo import decode
from tests.support.proxy import running

if os.environ.get("CI") != "true":
    pytest.importorskip("mcp")

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer

STEPS = 5


class Tools:
    """An MCP server with one tool; ``seen`` are the authorizations of its requests."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.step = asyncio.Event()
        self.server = MCPServer("orders")
        self.server.tool()(self.count)
        self._app: Any = self.server.streamable_http_app()

    async def count(self, to: int, ctx: Context) -> str:
        """Tells each step, and goes on once the caller has heard of it."""
        for number in range(to):
            await ctx.report_progress(number, to)
            await self.step.wait()
            self.step.clear()
        return f"counted to {to}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(dict(scope["headers"])[b"authorization"].decode())
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL while it serves."""
        async with self._app.router.lifespan_context(self._app), Listener(lambda _: self) as listener:
            yield listener.url


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_tool_tells_its_progress(demo: Demo, mode: Any):
    """H-65: each event is heard before the next is sent, and every call has the exchanged token."""
    tools = Tools()
    heard = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total))
        tools.step.set()

    raw = demo.settings()
    token = demo.mint("alice")
    async with tools.serving() as url:
        raw["routes"] = [raw["routes"][0] | {"upstream": url, "path": "/mcp"}]
        async with running(raw) as proxy:
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
                transport = streamable_http_client(proxy.url + "/mcp", http_client=http)
                async with Client(transport, mode=mode) as client:
                    assert [tool.name for tool in (await client.list_tools()).tools] == ["count"]
                    result = await client.call_tool("count", {"to": STEPS}, progress_callback=hear)
    assert result.content[0].text == f"counted to {STEPS}"
    assert heard == [(number, STEPS) for number in range(STEPS)]
    assert len(set(tools.seen)) == 1
    claims = decode(tools.seen[0].removeprefix("Bearer "))
    assert (claims["sub"], claims["aud"]) == ("alice", "api://orders")
    assert demo.calls["token_exchange"] == 1
