"""What everything that runs takes with it: a clock, background tasks, one timer for all deadlines, the request's id.

And what keeps a turn of the event loop short, however much there is in the caches or has to be imported; and what
transports do not tell.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import struct
import sys
import termios
from collections.abc import Callable, Coroutine, Iterable
from contextvars import ContextVar
from time import monotonic, time
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from mypy_extensions import mypyc_attr

log = logging.getLogger(__name__)
T = TypeVar("T")
# The request on whose behalf something is done; tasks started for it inherit it.
current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)
PERIOD = 0.1  # s: how late a deadline may be noticed
STEPS = 100  # in one turn of the loop, of what is done to everything in a cache: some microseconds each


def _find_untracker() -> Callable[[object], None]:
    if sys.implementation.name != "cpython":
        return lambda _: None
    import ctypes  # noqa: PLC0415 of CPython alone

    untracker = ctypes.pythonapi.PyObject_GC_UnTrack
    untracker.argtypes, untracker.restype = (ctypes.py_object,), None
    return untracker


_untrack = _find_untracker()


def keep_from_collector(*values: object) -> None:
    """The garbage collector no longer looks through ``values``: what is cached, and is certainly part of no circle.

    A full collection looks at every object that it tracks, with the event loop standing still meanwhile: 0.3 s with
    100,000 users. What leaves the caches is freed by its reference count alone, as it is anyhow.
    """
    for value in values:
        if gc.is_tracked(value):  # the other kinds must not be given to CPython's function
            _untrack(value)


class Clock(Protocol):
    """Where a module gets its time from."""

    def time(self) -> float:
        """Epoch seconds, to compare with ``exp`` and ``nbf``; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for deadlines and ages."""
        ...


@mypyc_attr(native_class=False)
class SystemClock:
    """The machine's own clocks."""

    time = staticmethod(time)
    monotonic = staticmethod(monotonic)


class Background:
    """A set of running tasks; ``aclose`` cancels them and waits for their end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(
        self, coroutine: Coroutine[Any, Any, T], *, name: str, awaited: bool = False
    ) -> asyncio.Task[T]:
        """Run ``coroutine`` as a task. Its failure is logged, unless somebody has ``awaited`` it and tells of it."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._end_awaited if awaited else self._end)
        return task

    async def aclose(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        _log_failure(task)

    def _end_awaited(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        _note_awaited(task)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error(
            "background task failed",
            extra={"task": task.get_name(), "error": type(error).__name__, "reason": str(error)},
        )


def _note_awaited(task: asyncio.Task[Any]) -> None:
    """Whoever awaited it may have left: asyncio would complain of a failure that nobody has taken."""
    if not task.cancelled():
        task.exception()


async def spread(step: Callable[[T], None], items: Iterable[T]) -> None:
    """Do ``step`` to each of ``items``, some in each turn of the event loop, so that none is long."""
    for number, item in enumerate(items, 1):
        step(item)
        if number % STEPS == 0:
            await asyncio.sleep(0)


class Deadline:
    """What ``asyncio.timeout`` does, in half the time: TimeoutError for its task after ``seconds``.

    To be made and used by the task that it ends. A cancellation of somebody else's stays one.
    """

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._passed = False
        self._timer = loop.call_later(seconds, self._pass)

    def __enter__(self) -> None:
        """The time runs since the deadline was made."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._passed and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _pass(self) -> None:
        self._passed = True
        self._task.cancel()


class Late(Generic[T]):
    """What only some have a use for, loaded when somebody first asks for it.

    ``load`` imports and builds it, in a thread: requests do not wait meanwhile.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._loaded: T | None = None
        self._loading = asyncio.Lock()

    async def get(self) -> T:
        """The same for all who ask. Raises what ``load`` raises; whoever asks next tries again."""
        async with self._loading:
            loaded = self._loaded
            if loaded is None:
                loaded = self._loaded = await asyncio.to_thread(self._load)
        return loaded


class Sweep:
    """One timer for all deadlines: calls every listener with the monotonic time, each ``PERIOD`` seconds.

    It runs on the loop that ``start`` ran on. A timer for each request would cost more than most requests do.
    """

    def __init__(self) -> None:
        self._listeners: set[Callable[[float], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, listener: Callable[[float], None]) -> None:
        """``listener`` must be quick and must not raise."""
        self._listeners.add(listener)

    def discard(self, listener: Callable[[float], None]) -> None:
        self._listeners.discard(listener)

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PERIOD, self._tick, loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(PERIOD, self._tick, loop)
        now = loop.time()
        for listener in tuple(self._listeners):
            listener(now)


def count_untaken(transport: asyncio.Transport) -> int:
    """Bytes that were written and not acknowledged by the peer's system.

    The kernel may have megabytes of them, and tells of room only once a third is gone, which at a low but honest
    rate takes minutes. Where the system cannot tell (tcp(7), SIOCOUTQ) they are those that wait in the transport.
    """
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None:  # closed by now
        return waiting
    try:
        (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):  # no such question here, or closed by now
        return waiting
    return waiting + int(queued)
