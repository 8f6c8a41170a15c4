"""What successive configurations share lives as long as any of them uses it, and no longer."""

from __future__ import annotations

import asyncio
import copy
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.config.load import parse_settings
from proxy.config.models import Settings
from proxy.demo import Demo
from proxy.errors import AuthorizationServerUnavailable
from proxy.parts import Parts
from proxy.runtime import SystemClock
from proxy.wiring.parts import build_parts

from .support.certificates import Authority, server_context
from .support.proxy import Running, running
from .support.raw_upstream import RawUpstream


def change(raw: dict[str, Any], timeout: str) -> Settings:
    """``raw`` with another timeout at the server ``orders``, which is another server then."""
    raw = copy.deepcopy(raw)
    raw["authorization_servers"]["orders"]["timeout"] = timeout
    return parse_settings({**raw, "listen": {"port": 0}, "admin": {"port": 0}})


def build(settings: Settings, before: Parts | None = None) -> Parts:
    return build_parts(settings, clock=SystemClock(), on_exchange=lambda _: None, before=before)


def users(parts: Parts) -> set[int]:
    return {shared.users for shared in (parts.store, *parts.issuers.values())}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def leave_behind(demo: Demo, proxy: Running, token: str) -> None:
    """An exchange under way, whose caller has left."""
    demo.faults.hold("token")
    leaving = asyncio.create_task(proxy.get("/orders/1", token))
    await demo.calls.reach("token", 1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await until(lambda: not proxy.app.parts.in_flight.count)


async def join(proxy: Running, token: str) -> asyncio.Task[httpx.Response]:
    """A caller who waits for the exchange under way."""
    joining = asyncio.create_task(proxy.get("/orders/1", token))
    await until(lambda: proxy.app.parts.store.cache.lookups["coalesced"])
    return joining


async def reload(proxy: Running, settings: Settings) -> None:
    proxy.app.adopt(proxy.app.prepare(settings))
    await asyncio.sleep(0)  # the old parts begin to retire


async def test_who_joins_an_exchange_after_a_reload_is_served(demo: Demo):
    """Contract §6: the exchange was begun at a server that the new configuration has replaced, by one who has left."""
    raw = demo.settings()
    token = demo.mint("alice")
    async with running(raw) as proxy:
        before = proxy.app.parts
        await leave_behind(demo, proxy, token)
        await reload(proxy, change(raw, "6s"))
        joining = await join(proxy, token)
        demo.faults.release("token")
        assert (await joining).status_code == 200
        assert demo.calls["token"] == 1
        await until(lambda: not before.issuers["orders"].users)


async def test_an_exchange_that_was_purged_is_waited_for_too(demo: Demo):
    """Nobody can join it any more, but those who have must be answered."""
    raw = demo.settings()
    token = demo.mint("alice")
    async with running(raw) as proxy:
        before = proxy.app.parts
        await leave_behind(demo, proxy, token)
        before.in_flight.enter()
        await reload(proxy, change(raw, "6s"))
        joining = await join(proxy, token)
        await proxy.app.parts.store.cache.purge(demo.issuer(), "alice")
        before.in_flight.leave()
        await asyncio.sleep(0)
        demo.faults.release("token")
        assert (await joining).status_code == 200


async def test_a_request_outlives_two_reloads(demo: Demo):
    """What it may still need was the second configuration's too, and not the third's."""
    raw = demo.settings()
    first = build(change(raw, "5s"))
    server = first.issuers["orders"].server
    first.start()
    first.in_flight.enter()
    await server.fetch_metadata()
    second = build(change(raw, "5s"), first)
    second.start()
    retiring = asyncio.create_task(first.retire())
    third = build(change(raw, "6s"), second)
    third.start()
    await second.retire()
    await server.fetch_metadata()
    first.in_flight.leave()
    await retiring
    with pytest.raises(AuthorizationServerUnavailable):
        await server.fetch_metadata()
    await third.retire()
    assert users(first) | users(third) == {0}


async def test_at_the_end_nothing_is_left(demo: Demo):
    """A request that never ends holds back its own configuration's retirement, not the last one's."""
    raw = demo.settings()
    first = build(change(raw, "5s"))
    first.in_flight.enter()
    second = build(change(raw, "6s"), first)
    retiring = asyncio.create_task(first.retire())
    await asyncio.sleep(0)
    retiring.cancel()
    await asyncio.gather(retiring, return_exceptions=True)
    await second.retire()
    assert users(first) | users(second) == {0}


async def test_what_was_prepared_and_given_up_leaves_no_trace(demo: Demo):
    """The parts that serve do not notice."""
    raw = demo.settings()
    async with running(raw) as proxy:
        held = users(proxy.app.parts)
        given_up = proxy.app.prepare(change(raw, "6s"))
        proxy.app.discard(given_up)
        await asyncio.sleep(0)
        assert users(proxy.app.parts) == held == {1}
        assert given_up.issuers["orders"].users == 0
        assert (await proxy.get("/orders/1", demo.mint("alice"))).status_code == 200


class Trust:
    """A CA file that first names another authority than the server's."""

    def __init__(self, folder: Path) -> None:
        self.own = Authority(folder, "own")
        self.file = folder / "trusted.pem"
        self.file.write_bytes(Authority(folder, "other").ca_file.read_bytes())

    def mend(self) -> None:
        self.file.write_bytes(self.own.ca_file.read_bytes())

    @property
    def context(self) -> ssl.SSLContext:
        return server_context(self.own.issue())


async def test_the_authorities_of_an_unchanged_server_are_read_again(tmp_path: Path):
    """O-05: with equal settings, keeping all that is known of the server, and not before the new parts serve."""
    trust = Trust(tmp_path)
    async with RawUpstream(tls=trust.context) as server:
        raw = {
            "authorization_servers": {"okta": {"issuer": server.url, "ca_file": str(trust.file)}},
            "routes": [{"name": "a", "path": "/", "upstream": "http://localhost", "grant": "none"}],
        }
        settings = parse_settings(raw)
        first = build(settings)
        first.start()
        okta = first.issuers["okta"].server
        trust.mend()
        second = build(settings, first)
        assert second.issuers["okta"] is first.issuers["okta"]
        with pytest.raises(AuthorizationServerUnavailable, match="certificate"):
            await okta.get(server.url)
        second.start()
        assert (await okta.get(server.url)).status == 200
        trust.file.write_text("nonsense")
        with pytest.raises(OSError, match=r"."):
            build(settings, second)
        assert (await okta.get(server.url)).status == 200
        await first.retire()
        await second.retire()


async def test_the_files_of_an_upstream_are_read_again(tmp_path: Path):
    """As those of a server."""
    trust = Trust(tmp_path)
    async with RawUpstream(tls=trust.context) as upstream:
        route = {"name": "a", "path": "/", "upstream": upstream.url, "grant": "none"}
        raw = {"routes": [{**route, "tls": {"ca_file": str(trust.file)}}]}
        async with running(raw) as proxy:
            assert (await proxy.get("/")).status_code == 502
            trust.mend()
            await reload(proxy, proxy.app.settings)
            assert (await proxy.get("/")).status_code == 200
