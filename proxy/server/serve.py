"""The data port, the admin port and the authorizer's of one process, from their start to a drained end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol, Self

from ..config.models import ListenTLS, Settings
from ..http.asgi import ASGIApp
from ..runtime import Background, Sweep
from .descriptors import affordable_connections, raise_limit
from .handover import ADMIN, AUTHORIZER, DATA, Inlet
from .lifespan import Lifespan
from .limits import LAST_CALL, Limits
from .listener import Listener
from .state import PublicApp

log = logging.getLogger(__name__)

_SHUTDOWN_TIMEOUT = 5.0  # s: for the application to put its things away


class Server:
    """Two listeners over one application, or three; an asynchronous context: inside, it serves.

    ``drain`` ends it gracefully; leaving the context cuts what is left. With an ``inlet`` it binds no port:
    it is handed its connections.
    """

    def __init__(
        self, settings: Settings, app: PublicApp, admin_app: ASGIApp, *, inlet: Inlet | None = None
    ) -> None:
        self._settings = settings
        self._inlet = inlet
        limits = Limits.of(settings.listen)
        each = 3 if settings.authorizer else 2  # as many may ask as call, and those need no other
        affordable = affordable_connections(limits.max_connections, each=each)
        self._limits = replace(limits, max_connections=affordable)
        self._lifespan = Lifespan(app)
        self._sweep = Sweep()
        http2 = settings.listen.http2
        self._data = Listener(app, self._limits, self._lifespan.state, app, http2=http2)
        self._admin = Listener(admin_app, self._limits)
        # Whoever asks whether a request may pass takes a 200 for yes, as refusals in gRPC's form have it.
        asked = replace(self._limits, websockets=False, grpc=False)
        self._authorizer = (
            Listener(app.authorize, asked, refusing=app, http2=http2) if settings.authorizer else None
        )
        self._public = [self._data, self._authorizer] if self._authorizer else [self._data]
        self._hurry = asyncio.Event()
        if any(route.websocket for route in settings.routes):
            prepare_websockets()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the data side."""
        return self._data.address

    @property
    def admin_address(self) -> tuple[str, int]:
        """Host and port of the admin side."""
        return self._admin.address

    @property
    def authorizer_address(self) -> tuple[str, int] | str | None:
        """Host and port where gateways ask, or the path of a socket; None where they may not."""
        if self._authorizer is None or self._settings.authorizer is None:
            return None
        return self._settings.authorizer.socket_path or self._authorizer.address

    async def __aenter__(self) -> Self:
        await self._lifespan.startup()
        try:
            await self._listen()
        except BaseException:
            await self._end()
            raise
        for listener in (*self._public, self._admin):
            self._sweep.add(listener.expire)
        self._sweep.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._end()

    async def _listen(self) -> None:
        listen, admin = self._settings.listen, self._settings.admin
        if self._inlet is not None:
            self._data.prepare(listen.tls)
            adopt = {DATA: self._data.adopt, ADMIN: self._admin.adopt}
            self._inlet.start(adopt | ({AUTHORIZER: self._authorizer.adopt} if self._authorizer else {}))
            return
        await self._admin.start(admin.host, admin.port)
        if self._authorizer is not None and self._settings.authorizer is not None:
            await self._authorizer.start_authorizer(self._settings.authorizer)
        await self._data.start(listen.host, listen.port, listen.tls)

    def prepare_certificate(self, tls: ListenTLS | None) -> Callable[[], None]:
        """As the listener's: what the files hold now, to be put to use by calling the result."""
        return self._data.prepare_certificate(tls)

    async def drain(self) -> None:
        """Stop accepting, finish what is running; at most ``drain_timeout``, and no more once hurried."""
        for listener in self._public:
            listener.announce_end()
        await self._unless_hurried(asyncio.sleep(LAST_CALL))
        for listener in self._public:
            listener.stop()
        await self._unless_hurried(self._quiet(), self._settings.listen.drain_timeout)
        if left := sum(listener.connections for listener in self._public):
            log.warning("connections cut", extra={"connections": left})

    def hurry(self) -> None:
        """A drain that is under way ends at once."""
        self._hurry.set()

    async def _quiet(self) -> None:
        for listener in self._public:
            await listener.quiet()

    async def _unless_hurried(self, work: Awaitable[None], seconds: float | None = None) -> None:
        tasks = {asyncio.ensure_future(work), asyncio.ensure_future(self._hurry.wait())}
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _end(self) -> None:
        if self._inlet is not None:
            self._inlet.stop()
        for listener in (*self._public, self._admin):
            listener.stop()
            await listener.abort()
        self._sweep.stop()
        try:
            async with asyncio.timeout(_SHUTDOWN_TIMEOUT):
                await self._lifespan.shutdown()
        except TimeoutError:
            log.warning("the application is not put away in time", extra={"seconds": _SHUTDOWN_TIMEOUT})


async def serve(
    settings: Settings,
    app: PublicApp,
    admin_app: ASGIApp,
    *,
    ready: Callable[[Server], None] | None = None,
    reload: Callable[[Server], Awaitable[None]] | None = None,
    drain: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends it at once. Main thread only.

    ``ready`` is called once the ports are open, ``reload`` on SIGHUP, ``drain`` before anything else when
    the end has come: readiness turns false there. Raises OSError for a port that is not to be had.
    """
    prepare_process()
    async with Server(settings, app, admin_app) as server:

        async def load_again() -> None:
            if reload is not None:
                await reload(server)

        def announce() -> None:
            if ready is not None:
                ready(server)

        def announce_end() -> None:
            if drain is not None:
                drain()

        await until_drained(server, ready=announce, reload=load_again, drain=announce_end)


class Drainable(Protocol):
    """What ends when a signal says so."""

    async def drain(self) -> None:
        """End gracefully."""
        ...

    def hurry(self) -> None:
        """A drain that is under way ends at once."""
        ...


def prepare_process() -> None:
    """What the loop complains of is logged, and there are as many descriptors as may be."""
    asyncio.get_running_loop().set_exception_handler(LoopComplaints())
    raise_limit()


async def until_drained(
    server: Drainable,
    *,
    ready: Callable[[], None],
    reload: Callable[[], Awaitable[None]],
    drain: Callable[[], None],
) -> None:
    """Obey the signals until SIGTERM or SIGINT has drained ``server``; a second one hurries. Main thread only."""
    ending = asyncio.Event()

    def end() -> None:
        if ending.is_set():
            server.hurry()
        ending.set()

    with _signals(end, Reloading(reload)):
        ready()
        await ending.wait()
        log.info("draining")
        drain()
        await server.drain()


class Reloading:
    """Runs ``reload`` once for each call, one after the other; a failure is reported and changes nothing."""

    def __init__(self, reload: Callable[[], Awaitable[None]]) -> None:
        self._reload = reload
        self._lock = asyncio.Lock()
        self._background = Background()

    def __call__(self) -> None:
        self._background.spawn(self._run(), name="reload")

    async def _run(self) -> None:
        async with self._lock:
            try:
                await self._reload()
            except Exception as error:  # noqa: BLE001 whatever is wrong with the new one, the old one serves on
                reason = {"error": type(error).__name__, "reason": str(error)}
                log.error("reload failed", extra=reason)  # noqa: TRY400 an event, not a traceback


@contextlib.contextmanager
def _signals(end: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def prepare_websockets() -> None:
    """Load what they take before the first handshake, which is not to wait for it; else nothing of it is in memory."""
    from ..upstream import websocket as _  # noqa: F401, PLC0415
    from . import websocket  # noqa: F401, PLC0415


class LoopComplaints:
    """What the loop complains of, without a traceback and once a second: out of descriptors, it repeats itself."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if loop.time() < self._next:
            return
        self._next = loop.time() + 1.0
        error = context.get("exception")
        log.error(
            "event loop",
            extra={"reason": context["message"], "error": type(error).__name__ if error else None},
        )
