"""A worker's place: what it says of its process, and what follows a process that ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.cache.revocation import Revocation
from proxy.config.models import Cache, UpstreamTLS
from proxy.server.workers.asking import WorkerUnavailable
from proxy.server.workers.channel import Channel, News
from proxy.server.workers.forking import Forks
from proxy.server.workers.place import Place

from ..test_serve import make_settings


async def test_a_worker_that_cannot_start_is_no_loop(tmp_path):
    """The first one's end before it serves is the end of the start, as for a single process."""
    tls = {"cert_file": str(tmp_path / "none"), "key_file": str(tmp_path / "none")}
    place = Place(1, lambda: make_settings(tls=tls))
    with pytest.raises(ChildProcessError, match="worker 1 ended before it served"):
        await place.run()
    assert not place.serving
    with pytest.raises(WorkerUnavailable):
        await place.ask(b"GET", b"/", [], b"", seconds=1)
    assert await place.tell("prepare", make_settings()) is None, "it would begin with it"


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_worker_that_began_after_the_others_prepared():
    """F-39: it builds what they go by when it is told to, and where it cannot, its successor begins with it."""
    old, new = (replace(make_settings(), cache=Cache(max_entries=n)) for n in (5, 6))
    tls = UpstreamTLS(cert_file=Path("/none"), key_file=Path("/none"))
    route = replace(old.routes[0], upstream="https://x", tls=tls)
    bad = replace(old, routes=(route,))
    place = Place(1, lambda: old)
    running = asyncio.create_task(place.run())
    try:
        await place.served.wait()
        assert await place.tell("commit", new) is None
        assert await _entries(place) == 6
        assert await place.tell("commit", bad) is None
        async with asyncio.timeout(20):
            while place.restarts < 1 or not place.serving:
                await asyncio.sleep(0.01)
        assert await _entries(place) == 5
    finally:
        place.kill()
        await running


async def _entries(place: Place) -> int:
    headers = [(b"host", b"localhost"), (b"x-obo-supervisor-address", b"127.0.0.1:9090")]
    answer, _ = await place.ask(b"GET", b"/api/config", headers, b"", seconds=20)
    return json.loads(answer.body)["cache"]["max_entries"]


class Puppet(Forks):
    """Every process that is asked for: it serves, says ``word`` with ``value``, and ends when it is killed."""

    pid = 1

    def __init__(self, word: object, value: object):
        super().__init__()
        self._words = [("ready", None), (word, value)]
        self._killed = asyncio.Event()

    async def fork(self, inlet, channel):
        self._killed.clear()
        self._channel = await Channel.over(channel.dup())
        for word, value in self._words:
            self._channel.say(word, value)
        return self

    def kill(self):
        self._channel.close()
        self._killed.set()

    async def wait(self):
        await self._killed.wait()
        return -9


def tell_of(*revocations: object, taken: object = ()) -> tuple[str, object]:
    return "revoked", (1, News(revocations, taken))


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("revoked", 1),
        ("revoked", (1, 2)),
        ("revoked", ("1", News())),
        ("revoked", (1, News(1, ()))),
        tell_of(1),
        tell_of(taken=(1,)),
        tell_of(taken=(b"n" * 33,)),
        tell_of(Revocation("user", [], 1.0)),
        tell_of(Revocation("user", b"k" * 33, 1.0)),
        tell_of(Revocation(1, b"k", 1.0)),
        tell_of(Revocation("user", b"k", "1")),
        tell_of(Revocation("user", b"k", float("nan"))),
        tell_of(Revocation("user", b"k", 10**400)),
        ("heard", "1"),
        ("answered", b"no"),
        ("ready", 1),
        ("unheard of", None),
        ([], None),
    ],
    ids=str,
)
async def test_a_process_that_makes_no_sense(word, value, caplog):
    """It goes, for it may not understand what it is told either; another takes its place, and nobody hears of it."""
    heard = []
    place = Place(1, make_settings, on_news=lambda *news: heard.append(news), forks=Puppet(word, value))
    running = asyncio.create_task(place.run())
    try:
        async with asyncio.timeout(5):
            while not place.restarts:
                await asyncio.sleep(0)
        assert "worker and supervisor do not understand each other" in caplog.messages
        assert (heard, running.done()) == ([], False)
    finally:
        place.kill()
        await running


async def test_what_a_process_has_heard():
    """Its news are passed on, under its own number."""
    news = News((Revocation("user", b"k" * 32, 1), Revocation("floor", b"", 1.5)), (b"n" * 32,))
    heard: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    place = Place(
        1, make_settings, on_news=lambda *given: heard.set_result(given), forks=Puppet("revoked", (7, news))
    )
    running = asyncio.create_task(place.run())
    try:
        async with asyncio.timeout(5):
            assert await heard == (place, 7, news)
    finally:
        place.kill()
        await running
