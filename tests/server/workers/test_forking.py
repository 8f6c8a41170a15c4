"""Workers are forked when they are asked for, told of as they end, and killed."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from proxy.server.workers.forking import Forks, Worker

from .test_forkserver import forkserving

SECONDS = 20
_PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A worker's inlet and channel, and our end of the channel."""
    (ours, inlet), (end, channel) = socket.socketpair(), socket.socketpair()
    with ours, inlet, end, channel:
        yield inlet, channel, end


@asynccontextmanager
async def forked(forks: Forks) -> AsyncIterator[tuple[Worker, socket.socket]]:
    """One that waits to be told what to serve, and our end of its channel."""
    with ends() as (inlet, channel, end):
        async with asyncio.timeout(SECONDS):
            worker = await forks.fork(inlet, channel)
        inlet.close()
        channel.close()
        yield worker, end


async def ended(worker: Worker) -> int | None:
    async with asyncio.timeout(SECONDS):
        return await worker.wait()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def opened(pid: int, kind: str = "socket") -> set[str]:
    """What it has open of that kind."""
    names = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            names.add(str(each.readlink()))
    return {name for name in names if kind in name}


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def heir() -> Iterator[None]:
    """We inherit processes as process 1 of a container does (prctl(2))."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    assert prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0


async def test_workers_come_from_one_process_and_leave_nothing():
    """F-34: with nothing of each other's; a killed one ends alone; the forkserver ends with the last who needs it."""
    forks = Forks()
    async with forks, forked(forks) as (one, end), forked(forks) as (other, _):
        assert parent(one.pid) == parent(other.pid) != os.getpid()
        async with asyncio.timeout(SECONDS):
            while not opened(one.pid).isdisjoint(
                opened(other.pid)
            ):  # at first it has what the forkserver has
                await asyncio.sleep(0.01)
        server = parent(one.pid)
        other.kill()
        assert await ended(other) == -signal.SIGKILL
        end.close()
        assert await ended(one) == 0
        assert not exists(one.pid)
        assert not exists(other.pid)
        one.kill()  # has ended: nothing
    assert not exists(server)


async def test_a_forkserver_that_is_gone_is_replaced():
    """F-34: its workers live on, and can be killed all the same."""
    forks = Forks()
    async with forks, forked(forks) as (one, end):
        os.kill(parent(one.pid), signal.SIGKILL)
        assert await ended(one) is None
        assert exists(one.pid)
        async with forked(forks) as (other, _):
            assert parent(other.pid) != parent(one.pid)
            one.kill()
            other.kill()
            assert await ended(other) == -signal.SIGKILL
        async with asyncio.timeout(SECONDS):
            assert await asyncio.get_running_loop().sock_recv(_unblocked(end), 1) == b""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="of Linux")
async def test_a_number_that_is_anothers_by_now_kills_nobody_else():
    """F-34: once the forkserver is gone, whose knowledge of the numbers ends with it."""
    forks = Forks()
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        async with forks, forked(forks) as (worker, end):
            os.kill(parent(worker.pid), signal.SIGKILL)
            assert await ended(worker) is None
            worker.pid = bystander.pid
            worker.kill()
            async with asyncio.timeout(SECONDS):
                assert await asyncio.get_running_loop().sock_recv(_unblocked(end), 1) == b""
            assert bystander.returncode is None
    finally:
        bystander.kill()
        assert await bystander.wait() == -signal.SIGKILL
    del worker
    assert not opened(os.getpid(), "pidfd")


async def test_process_1_leaves_no_zombie_of_a_dead_forkserver(heir: None):
    """F-34: it inherits the workers, and tells how they ended."""
    forks = Forks()
    async with forks, forked(forks) as (worker, end):
        server = parent(worker.pid)
        os.kill(server, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            while parent(worker.pid) == server:
                await asyncio.sleep(0.01)
        end.close()
        assert await ended(worker) == 0
        assert not exists(worker.pid)


async def test_a_worker_is_killed_though_the_forkserver_does_not_read_that():
    """F-34: it ends before; the supervisor waits for nobody who will not end."""
    forks = Forks()
    async with forks, forked(forks) as (worker, end):
        server = parent(worker.pid)
        os.kill(server, signal.SIGSTOP)
        worker.kill()
        os.kill(server, signal.SIGKILL)
        assert await ended(worker) is None
        async with asyncio.timeout(SECONDS):
            assert await asyncio.get_running_loop().sock_recv(_unblocked(end), 1) == b""


async def test_why_there_is_no_worker_is_told(monkeypatch: pytest.MonkeyPatch):
    """F-34: there is no memory, or there are too many processes; the forkserver serves on."""

    def fork() -> int:
        raise OSError(errno.EAGAIN, "too many")

    monkeypatch.setattr(os, "fork", fork)
    loop, forks = asyncio.get_running_loop(), Forks()
    with forkserving() as (server, ask), ends() as (inlet, channel, _):
        forks._ask = ask
        loop.add_reader(server._asked, server._fork)
        for _ in range(2):
            with pytest.raises(BlockingIOError):  # Python's name for EAGAIN
                await forks.fork(inlet, channel)
        loop.remove_reader(server._asked)


def _unblocked(end: socket.socket) -> socket.socket:
    end.setblocking(False)
    return end
