"""Several workers behind one port: started, replaced where they die, reloaded and drained together."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Self

from ...cache.user_revocations import UserRevocations
from ...config.fixed import keep_fixed
from ...config.models import Settings
from ...runtime import Background, Sweep, SystemClock
from ...signals.once import Once
from ..acceptor import Acceptor, bind, bind_authorizer
from ..handover import AUTHORIZER, DATA
from ..limits import LAST_CALL, Limits
from ..listener import Listener
from ..reload import report_reload
from ..serve import prepare_process, until_drained
from .admin import build_supervisor_admin
from .channel import News, Word
from .forking import Forks
from .place import Place
from .tally import Counts

_MARGIN = 8.0  # s over drain_timeout: for the last call, and for applications to put their things away
_HURRY = 6.0  # s: a worker that has not ended by then, although told to hurry, is killed


async def supervise(
    settings: Settings,
    *,
    load: Callable[[], Settings],
    ready: Callable[[Supervisor], None],
    loaded: Callable[[Settings], None],
) -> None:
    """Serve with ``listen.workers`` processes, by the signals that ``serve`` obeys. Main thread only.

    ``load`` reads and checks the configuration on SIGHUP, in a thread; ``loaded`` is called once all workers go
    by it. Raises OSError for a port that is not to be had, and where a worker cannot start.
    """
    prepare_process()
    async with Supervisor(settings, load, loaded) as supervisor:
        await until_drained(
            supervisor,
            ready=lambda: ready(supervisor),
            reload=supervisor.reload,
            drain=supervisor.announce_end,
        )


class Supervisor:
    """An asynchronous context: inside, the workers serve. Raises OSError where a port is not to be had.

    ``load`` reads and checks the configuration, and may block.
    """

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], loaded: Callable[[Settings], None]
    ) -> None:
        self.draining = False
        secret, forks = os.urandom(32), Forks()
        self.places = [
            Place(number + 1, self._read_settings, self._read_news, self._spread, secret=secret, forks=forks)
            for number in range(settings.listen.workers)
        ]
        self._users = UserRevocations(SystemClock())
        self._once = Once(SystemClock())
        self._background = Background()
        self._settings = settings
        self._load = load
        self._loaded = loaded
        self._reloads: Counter[str] = Counter()
        self._admin = Listener(build_supervisor_admin(self), Limits.of(settings.listen))
        self._sweep = Sweep()
        self._acceptor: Acceptor
        self._authorizer: Acceptor | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the data side."""
        return self._acceptor.address

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

    @property
    def serving(self) -> set[int]:
        """The numbers of the workers that serve now."""
        return {place.number for place in self.places if place.serving}

    async def __aenter__(self) -> Self:
        listen, admin = self._settings.listen, self._settings.admin
        self._acceptor = Acceptor(await bind(listen.host, listen.port), partial(self._deal, DATA))
        try:
            if self._settings.authorizer is not None:
                sockets = await bind_authorizer(self._settings.authorizer)
                self._authorizer = Acceptor(sockets, partial(self._deal, AUTHORIZER))
            await self._admin.start(admin.host, admin.port)
            self._sweep.add(self._admin.expire)
            self._sweep.start()
            self._tasks = {asyncio.create_task(place.run()) for place in self.places}
            await self._wait_until_served()
        except BaseException:
            await self._end()
            raise
        self._acceptor.start()
        if self._authorizer is not None:
            self._authorizer.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._end()

    async def reload(self) -> None:
        """All workers go by the configuration as it is now, or, where it is bad, by the one they have."""
        outcome = "failure"
        try:
            await self._reload()
            outcome = "success"
        finally:
            self._reloads[outcome] += 1

    def announce_end(self) -> None:
        """Readiness turns false."""
        self.draining = True

    async def drain(self) -> None:
        """Workers finish what is running; at most ``drain_timeout``, and no more once hurried."""
        for place in self.places:
            place.end()
        # Before the workers stop to take connections: none that was accepted is lost between.
        await self._wait(LAST_CALL / 2)
        self._stop_accepting()
        await self._wait(self._settings.listen.drain_timeout + _MARGIN)

    def hurry(self) -> None:
        """A drain that is under way ends at once."""
        for place in self.places:
            place.hurry()
        asyncio.get_running_loop().call_later(_HURRY, self._kill)

    def count(self) -> Counts:
        """What the supervisor itself counts."""
        restarts = {place.number: place.restarts for place in self.places}
        return Counts(self._reloads, restarts, len(self.serving))

    async def _reload(self) -> None:
        settings, waiting = keep_fixed(self._settings, await asyncio.to_thread(self._load))
        if refusals := await self._tell("prepare", settings):
            await self._tell("abandon", settings)
            raise RuntimeError("; ".join(refusals))
        self._settings = settings
        late = await self._tell("commit", settings)
        self._loaded(settings)
        report_reload(waiting)
        if late:
            raise RuntimeError("; ".join(late))

    async def _tell(self, word: Word, settings: Settings) -> list[str]:
        """Which workers do not do as they are told, and why."""
        answers = await asyncio.gather(*(place.tell(word, settings) for place in self.places))
        told = zip(self.places, answers, strict=True)
        return [f"worker {place.number}: {answer}" for place, answer in told if answer is not None]

    def _read_settings(self) -> Settings:
        return self._settings

    def _read_news(self) -> News:
        return News(tuple(self._users.all()), self._once.all())

    def _spread(self, origin: Place, number: int, news: News) -> None:
        """What one worker has heard, to all others, and to those that begin later."""
        self._users.hear(news.revocations)
        for name in news.taken:
            self._once.take(name)
        self._background.spawn(self._pass_on(origin, number, news), name="revocations")

    async def _pass_on(self, origin: Place, number: int, news: News) -> None:
        others = [place for place in self.places if place is not origin]
        heard = await asyncio.gather(*(place.pass_on(news) for place in others))
        origin.answer_news(number, heard=all(heard))

    def _deal(self, kind: bytes, connection: socket.socket) -> bool:
        """To the next worker in turn that takes it."""
        for _ in self.places:
            place = self.places[self._next]
            self._next = (self._next + 1) % len(self.places)
            if place.take(connection, kind):
                return True
        return False

    async def _wait_until_served(self) -> None:
        served = asyncio.gather(*(place.served.wait() for place in self.places))
        either: set[asyncio.Future[Any]] = {served, *self._tasks}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        served.cancel()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _wait(self, seconds: float) -> None:
        """Until all workers have ended."""
        await asyncio.wait(self._tasks, timeout=seconds)

    def _kill(self) -> None:
        for place in self.places:
            place.kill()

    def _stop_accepting(self) -> None:
        self._acceptor.stop()
        if self._authorizer is not None:
            self._authorizer.stop()

    async def _end(self) -> None:
        await self._background.aclose()
        self._stop_accepting()
        self._kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._admin.stop()
        await self._admin.abort()
        self._sweep.stop()
