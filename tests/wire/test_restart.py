"""Restarts, one process after the other, and reloads: no request is lost."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from proxy.demo import Demo
from tests.support.proxy import running
from tests.support.served import serving, write

from .restart import Load, Switch


async def test_a_rolling_restart_loses_nothing(demo: Demo, tmp_path: Path):
    """F-34: a new process serves, the old one gets SIGTERM and ends with 0; nobody who asks on and on notices."""
    path = write(tmp_path / "obo.yaml", demo.settings())
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(serving(path))
        switch = Switch(old.address)
        load = Load(
            await stack.enter_async_context(switch.listening()), [demo.mint(f"u{n}") for n in range(8)]
        )
        calling = asyncio.create_task(load.run())
        for _ in range(2):
            await load.reach(200)
            new = await stack.enter_async_context(serving(path))
            while (await new.admin.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.02)
            switch.target = new.address
            old.signal(signal.SIGTERM)
            assert await old.wait() == 0
            old = new
        await load.reach(200)
        load.stopped = True
        await calling
    assert load.failures == []
    assert load.connections >= 3 * len(load.tokens)


async def test_a_reload_loses_nothing_and_forgets_nothing(demo: Demo):
    """F-39: settings change twenty times under load; every request is served, and the cache stays warm."""
    async with running(demo.settings()) as proxy:
        load = Load(proxy.server.address, [demo.mint(f"u{n}") for n in range(8)])
        calling = asyncio.create_task(load.run())
        await load.reach(50)
        settings = proxy.app.settings
        for number in range(20):
            log = replace(settings.log, access=bool(number % 2))
            proxy.app.adopt(proxy.app.prepare(replace(settings, log=log)))
            await load.reach(10)
        load.stopped = True
        await calling
    assert load.failures == []
    assert load.connections == len(load.tokens)
    assert demo.calls["token_exchange"] == len(load.tokens)
