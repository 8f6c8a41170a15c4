"""One worker's place: the process that is in it, and the next one where that has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from ...config.models import Settings
from ...http.headers import Field
from ..handover import ADMIN, Outlet
from .asking import Answer, WorkerUnavailable, ask
from .channel import Channel, News, Word, is_news
from .forking import Forks, Worker
from .tally import Tally

log = logging.getLogger(__name__)

_STEADY = 30.0  # s: a process that lived as long is replaced at once
_FIRST_DELAY = 0.5  # s: doubled for each that did not
_LONGEST_DELAY = 30.0  # s
_RELOAD_TIMEOUT = 30.0  # s
_MOST_UNHEARD = 4  # batches
_HEARING_TIMEOUT = 2.0  # s: less than the worker waits that has to tell something


class Place:
    """Keeps one process running from ``run`` until ``end``; ``tally`` is what all of them have counted.

    ``read_news`` is all that was ever revoked or taken, for a process that begins; ``on_news`` is given what one has
    heard, with the place and the number under which it waits for ``answer_news``. ``secret`` is what the processes of
    all places have in common, ``forks`` where they come from.
    """

    def __init__(
        self,
        number: int,
        read_settings: Callable[[], Settings],
        read_news: Callable[[], News] = News,
        on_news: Callable[[Place, int, News], None] = lambda *_: None,
        *,
        secret: bytes = b"",
        forks: Forks | None = None,
    ) -> None:
        self.number = number
        self.tally = Tally()
        self.restarts = 0
        self.served = asyncio.Event()  # some process in this place has begun to serve
        self.serving = False
        self._read_settings = read_settings
        self._read_news = read_news
        self._on_news = on_news
        self._told = 0  # what was passed on, by number; and what of it the process has heard
        self._heard = 0
        self._behind = False  # it was not told of everything
        self._hearing: asyncio.Event = asyncio.Event()
        self._secret = secret
        self._forks = forks or Forks()
        self._process: Worker | None = None
        self._outlet: Outlet | None = None
        self._channel: Channel | None = None
        self._answered: asyncio.Future[str | None] | None = None
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Raises ChildProcessError where the first process ends before it serves: so would all others."""
        async with self._forks:
            await self._run()

    async def _run(self) -> None:
        delay = 0.0
        while not self._ending.is_set():
            began = time.monotonic()
            status = await self._run_process()
            if self._ending.is_set():
                return
            if not self.served.is_set():
                raise ChildProcessError(f"worker {self.number} ended before it served (status {status})")
            self.restarts += 1
            steady = time.monotonic() - began > _STEADY
            delay = 0.0 if steady else min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)
            log.error(
                "worker ended", extra={"worker": self.number, "exit_status": status, "restart_in": delay}
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), delay)

    def take(self, connection: socket.socket, kind: bytes) -> bool:
        """Whether the process has that connection for its listener of ``kind`` now."""
        return self.serving and self._hand_over(connection, kind)

    async def ask(
        self,
        method: bytes,
        target: bytes,
        headers: list[Field],
        body: bytes,
        *,
        seconds: float,
    ) -> tuple[Answer, int]:
        """The answer of the process's admin side, and which process of this place gave it.

        Raises WorkerUnavailable.
        """
        if not self.serving:
            raise WorkerUnavailable("is starting")
        asked = self.restarts
        answer = await ask(
            lambda end: self._hand_over(end, ADMIN), method, target, headers, body, seconds=seconds
        )
        return answer, asked

    async def tell(self, word: Word, settings: Settings) -> str | None:
        """Why the process does not do as it is told with ``settings``, or None.

        One that has not begun agrees to everything: it begins with the supervisor's.
        """
        if self._channel is None:
            return None
        self._answered = asyncio.get_running_loop().create_future()
        self._channel.say(word, settings)
        try:
            return await asyncio.wait_for(self._answered, _RELOAD_TIMEOUT)
        except TimeoutError:
            return "no answer in time"

    async def pass_on(self, news: News) -> bool:
        """Whether the process has heard of it; one that does not serve yet will before it does.

        One that does not answer is told no more until it does, and then all at once: nothing is piled up for it.
        """
        if not self.serving:
            self._behind = True
            return True
        if self._told - self._heard >= _MOST_UNHEARD:
            self._behind = True
            return False
        self._tell_news(news)
        number = self._told
        try:
            async with asyncio.timeout(_HEARING_TIMEOUT):
                while self._heard < number and self._channel is not None:
                    await self._hearing.wait()
        except TimeoutError:
            return False
        return True

    def answer_news(self, number: int, *, heard: bool) -> None:
        """To the process that had them: whether all others have heard."""
        if self._channel is not None:
            self._channel.say("told", (number, heard))

    def end(self) -> None:
        """The process drains, and no other follows."""
        self._ending.set()
        if self._process is not None and self._channel is not None:
            self._channel.say("drain")

    def hurry(self) -> None:
        """The drain ends at once."""
        if self._channel is not None:
            self._channel.say("hurry")

    def kill(self) -> None:
        self._ending.set()
        if self._process is not None:
            self._process.kill()

    def _hand_over(self, connection: socket.socket, kind: bytes) -> bool:
        return self._outlet is not None and self._outlet.hand_over(connection, kind)

    async def _run_process(self) -> int | None:
        """Start one and listen to it until it has ended; its exit status, None where the system starts none."""
        (ours, inlet), (end, channel) = socket.socketpair(), socket.socketpair()
        self._outlet, self._channel = Outlet(ours), await Channel.over(end)
        self._told = self._heard = 0
        self._behind = False
        self._channel.say("start", (self.number, self._read_settings(), self._read_news(), self._secret))
        try:
            with inlet, channel:
                self._process = await self._forks.fork(inlet, channel)
            if self._ending.is_set():
                self._channel.say("drain")
            await self._listen(self._channel)
            if not self._channel.understood:
                self._process.kill()  # what it is told of revocations, it may not understand either
            return await self._process.wait()
        except OSError as error:
            log.error("no worker", extra={"worker": self.number, "reason": error.strerror})  # noqa: TRY400 an event
            return None
        finally:
            self._forget()

    async def _listen(self, channel: Channel) -> None:
        """Until the process has ended, or says what none of ours does."""
        while (heard := await channel.hear()) is not None:
            if not self._note(*heard):
                channel.give_up()
                return

    def _note(self, word: str, value: Any) -> bool:
        """What the process says; False where it makes no sense. It is what strangers talk to, so all is looked at."""
        match word, value:
            case "ready", None:
                self._note_ready()
            case "revoked", (int(number), news) if is_news(news):
                self._on_news(self, number, news)
            case "heard", int(number):
                self._note_heard(number)
            case "answered", str() | None:
                if self._answered is not None and not self._answered.done():
                    self._answered.set_result(value)
            case _:
                return False
        return True

    def _note_ready(self) -> None:
        self._catch_up()  # before it is handed a connection
        self.serving = True
        self.served.set()
        pid = self._process.pid if self._process else None
        log.info("worker serving", extra={"worker": self.number, "pid": pid})

    def _tell_news(self, news: News) -> None:
        if self._channel is not None:
            self._told += 1
            self._channel.say("revoke", (self._told, news))

    def _note_heard(self, number: int) -> None:
        self._heard = number
        self._catch_up()
        self._wake_waiting()

    def _catch_up(self) -> None:
        if self._behind and self._heard == self._told:
            self._behind = False
            self._tell_news(self._read_news())

    def _wake_waiting(self) -> None:
        self._hearing.set()
        self._hearing = asyncio.Event()

    def _forget(self) -> None:
        self.serving = False
        self.tally.end()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)
        if self._channel is not None and self._outlet is not None:
            self._channel.close()
            self._outlet.close()
        self._channel = self._outlet = self._process = None
        self._wake_waiting()
