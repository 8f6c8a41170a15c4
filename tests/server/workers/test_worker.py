"""A worker's process, with the test in the supervisor's place."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.config.models import Settings
from proxy.server.handover import ADMIN, DATA, Outlet
from proxy.server.workers.asking import SUPERVISOR_ADDRESS, ask
from proxy.server.workers.channel import Channel
from proxy.server.workers.worker import _take_share

from ..test_serve import make_settings

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])  # the test's; the worker chooses its own


class Worker:
    """Its process, and our ends of what it is handed and told by."""

    def __init__(self, process: asyncio.subprocess.Process, outlet: Outlet, channel: Channel) -> None:
        self.process = process
        self.outlet = outlet
        self.channel = channel

    async def start(self, settings: Settings) -> None:
        self.channel.say("start", (1, settings))
        assert await self.channel.hear() == ("ready", None)

    async def get(self, kind: bytes, target: bytes, *headers: tuple[bytes, bytes]) -> int:
        """The status of one request on a connection that is handed over."""
        fields = [(b"host", b"localhost"), *headers]
        answer = await ask(lambda end: self.outlet.hand_over(end, kind), b"GET", target, fields, seconds=10)
        return answer.status

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def working() -> AsyncIterator[Worker]:
    (ours, inlet), (end, channel) = socket.socketpair(), socket.socketpair()
    with inlet, channel:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "proxy.server.workers.worker",
                str(inlet.fileno()),
                str(channel.fileno()),
            ),
            pass_fds=(inlet.fileno(), channel.fileno()),
            stderr=asyncio.subprocess.DEVNULL,
        )
    worker = Worker(process, Outlet(ours), await Channel.over(end))
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        worker.channel.close()
        worker.outlet.close()


async def test_without_a_supervisor_it_ends():
    """F-34: nobody would ever tell it to."""
    async with working() as worker:
        worker.channel.close()
        assert await worker.ended() == 0


async def test_it_serves_what_it_is_handed_until_it_is_told_to_drain():
    """F-34: both sides; signals of a terminal or an init system are for the supervisor to pass on."""
    async with working() as worker:
        await worker.start(make_settings())
        assert await worker.get(DATA, b"/a/../b") == 400
        assert await worker.get(ADMIN, b"/healthz") == 200
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            worker.process.send_signal(number)
        assert await worker.get(ADMIN, b"/healthz") == 200
        worker.channel.say("drain")
        assert await worker.ended() == 0


async def test_it_drains_where_its_supervisor_is_gone():
    """F-34: as if it had been told to."""
    async with working() as worker:
        await worker.start(make_settings())
        worker.channel.close()
        assert await worker.ended() == 0


async def test_the_admin_side_is_at_the_supervisors_address():
    """O-02: the names by which that was called are ours, and no other."""
    async with working() as worker:
        await worker.start(make_settings())
        called = (SUPERVISOR_ADDRESS, b"10.0.0.7:9090")
        assert await worker.get(ADMIN, b"/api/status", called) == 200
        strange = [(b"host", b"evil.example"), called]
        answer = await ask(
            lambda end: worker.outlet.hand_over(end, ADMIN), b"GET", b"/api/status", strange, seconds=10
        )
        assert answer.status == 421


async def test_a_configuration_is_prepared_and_then_put_to_use_or_not():
    """F-39: what cannot be built is said, and the old one serves on; what is given up leaves nothing."""
    async with working() as worker:
        await worker.start(make_settings())
        bad = make_settings(workers=2)
        route = bad.routes[0].model_copy(update={"upstream": "https://a", "tls": {"ca_file": "/none"}})
        for word, settings, answered in (
            ("prepare", bad.model_copy(update={"routes": (route,)}), False),
            ("prepare", make_settings(), True),
            ("abandon", make_settings(), True),
            ("prepare", make_settings(), True),
            ("commit", make_settings(), True),
        ):
            worker.channel.say(word, settings)
            heard = await worker.channel.hear()
            assert heard is not None
            assert heard[0] == "answered"
            assert (heard[1] is None) == answered
            assert await worker.get(ADMIN, b"/healthz") == 200


@pytest.mark.parametrize(
    ("connections", "workers", "share"), [(100, 4, 25), (101, 4, 26), (1, 4, 1), (7, 1, 7)]
)
async def test_the_bound_of_connections_is_shared(connections: int, workers: int, share: int):
    """F-37: they are dealt evenly, and each worker has room for its part."""
    settings = make_settings(max_connections=connections, workers=workers)
    assert _take_share(settings).listen.max_connections == share
