"""A worker process: what the single process is, but for its ports, signals and configuration.

It is handed its connections, and told by the supervisor what signals would tell it: signals that a terminal or
an init system sends to every process of a group come once that way. Without a supervisor it drains and ends.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace

from ...admin import build_admin
from ...app import App, build_app
from ...config.models import Settings
from ...http.asgi import ASGIApp, Receive, Scope, Send
from ...observability.logs import Logging, configure
from ..handover import SUPERVISOR_ADDRESS, Inlet
from ..process import calm_garbage_collection, find_loop_factory
from ..reload import Reload
from ..serve import Server, prepare_process
from .channel import Channel, News
from .fellows import FellowWorkers


def main(inlet: socket.socket, end: socket.socket) -> None:
    """Serve what comes over ``inlet``, as is said over the channel of which this is an ``end``."""
    with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        runner.run(_live(inlet, end))


async def _live(inlet: socket.socket, end: socket.socket) -> None:
    channel = await Channel.over(end)
    heard = await channel.hear()
    if heard is not None:
        number, settings, news, secret = heard[1]
        logs = configure(settings.log)
        _mark_lines(number)
        try:
            await _serve(settings, news, secret, Inlet(inlet), channel, logs)
        finally:
            logs.stop()
    channel.close()


async def _serve(
    settings: Settings, news: News, secret: bytes, inlet: Inlet, channel: Channel, logs: Logging
) -> None:
    fellows = FellowWorkers(channel)
    app = build_app(settings, fellows=fellows, secret=secret)

    def hear(news: News) -> None:
        app.hear(news.revocations, news.taken)

    hear(news)
    calm_garbage_collection()
    prepare_process()
    async with Server(_take_share(settings), app, _read_address(build_admin(app)), inlet=inlet) as server:
        channel.say("ready")
        reloads = _Reloads(app, server, logs)
        while (heard := await channel.hear()) is not None and heard[0] not in ("drain", "hurry"):
            word, value = heard
            if word in reloads.by_word:
                channel.say("answered", reloads.by_word[word](value))
            else:
                fellows.note(word, value, hear)
        app.draining = True
        hurrying = asyncio.create_task(_listen_while_draining(channel, server, fellows, hear))
        await server.drain()
        hurrying.cancel()


class _Reloads:
    """What the supervisor says of the next configuration: all workers go by it, or none does."""

    def __init__(self, app: App, server: Server, logs: Logging) -> None:
        self._app = app
        self._server = server
        self._logs = logs
        self._reload: Reload | None = None
        self.by_word: Mapping[str, Callable[[Settings], str | None]] = {
            "prepare": self._prepare,
            "commit": self._commit,
            "abandon": self._abandon,
        }

    def _prepare(self, settings: Settings) -> str | None:
        """Why these cannot be gone by, if so."""
        self._abandon(settings)
        try:
            self._reload = Reload(self._app, self._server, settings)
        except Exception as error:  # noqa: BLE001 whatever is wrong with the new one, the old one serves on
            return f"{type(error).__name__}: {error}"
        return None

    def _commit(self, settings: Settings) -> None:
        """Where this process has begun only since, and cannot, it ends: its successor begins with these settings."""
        reload = self._reload or Reload(self._app, self._server, settings)
        reload.commit()
        self._reload = None
        self._logs.apply(settings.log)

    def _abandon(self, _: Settings) -> None:
        if self._reload is not None:
            self._reload.abandon()
            self._reload = None


async def _listen_while_draining(
    channel: Channel, server: Server, fellows: FellowWorkers, hear: Callable[[News], None]
) -> None:
    while (heard := await channel.hear()) is not None:
        word, value = heard
        if word == "hurry":
            server.hurry()
        elif word in ("told", "revoke"):
            fellows.note(word, value, hear)


def _take_share(settings: Settings) -> Settings:
    """The connections of the one port are dealt evenly, and so is their bound."""
    listen = settings.listen
    share = -(-listen.max_connections // listen.workers)
    return replace(settings, listen=replace(listen, max_connections=share))


def _mark_lines(number: int) -> None:
    def mark(record: logging.LogRecord) -> bool:
        record.worker = number
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(mark)


def _read_address(admin: ASGIApp) -> ASGIApp:
    """``admin`` behind the supervisor: the server's address is the supervisor's, as rules on ``Host`` need it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == SUPERVISOR_ADDRESS:
                host, _, port = value.decode().rpartition(":")
                scope["server"] = (host, int(port))
        await admin(scope, receive, send)

    return app
