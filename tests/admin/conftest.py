"""The proxy in front of the demo, with its admin side."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.demo import Demo
from tests.support.proxy import Running, running


@pytest.fixture
async def proxy(demo: Demo) -> AsyncIterator[Running]:
    async with running(demo.settings()) as running_proxy:
        yield running_proxy
