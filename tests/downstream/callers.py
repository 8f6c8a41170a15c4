"""The ASGI server's side of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from proxy.downstream.request import Downstream
from proxy.http.forwarding import Forwarding


class Caller:
    """The ASGI server's side: hands out ``messages``, then waits for ``gone``."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.sent: list[Any] = []
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


class OwnServer:
    """The connection that our own server offers."""

    def __init__(self) -> None:
        self.aborted = False
        self.callback: Any = None

    def abort(self) -> None:
        self.aborted = True

    def on_departure(self, callback: Any) -> None:
        self.callback = callback

    def cancel(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


def build(
    caller: Caller,
    headers: Iterable[tuple[bytes, bytes]] = (),
    connection: OwnServer | None = None,
    **scope: Any,
) -> Downstream:
    extensions = {"obo": connection} if connection else {}
    return Downstream(
        {
            "method": "POST", "raw_path": b"/", "query_string": b"", "scheme": "http", "http_version": "1.1",
            "headers": list(headers),
            "client": ("127.0.0.1", 5), "extensions": extensions, **scope,
        },
        caller.receive,
        caller.send,
        Forwarding(),
    )  # fmt: skip
