"""ASGI's lifespan protocol: an application's start and end, with its own errors coming out."""

from __future__ import annotations

import asyncio
from typing import Any

from ..http.asgi import ASGIApp, Message


class Lifespan:
    """Starts and stops ``app``; ``state`` is what it hands to its requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Raises what the application raises; RuntimeError when it says that it cannot start."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = asyncio.create_task(self._run(scope), name="lifespan")
        await self._tell("startup")

    async def shutdown(self) -> None:
        await self._tell("shutdown")
        if self._task is not None:
            await self._task

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._events.get, self._answers.put)

    async def _tell(self, event: str) -> None:
        """Say it and wait for the answer, or for the application's end."""
        if self._task is None:
            return
        await self._events.put({"type": f"lifespan.{event}"})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await self._task
        elif answer.result()["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(answer.result().get("message") or f"the application failed at its {event}")
