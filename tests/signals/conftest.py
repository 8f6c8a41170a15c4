"""The proxy in front of the demo, which hears of the demo's org."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.demo import Demo
from proxy.demo.signals import build_entry
from tests.support.proxy import Running, running


@pytest.fixture
async def proxy(demo: Demo) -> AsyncIterator[Running]:
    async with running(demo.settings(signals=[build_entry(demo.tenant)])) as running_proxy:
        yield running_proxy
