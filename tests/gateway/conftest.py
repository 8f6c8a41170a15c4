"""A websocket API, and a proxy in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.demo import Demo
from tests.support.proxy import Running, running
from tests.support.websocket import WebSocketAPI, settings_for, websocket_api


@pytest.fixture
async def api() -> AsyncIterator[WebSocketAPI]:
    async with websocket_api() as running_api:
        yield running_api


@pytest.fixture
async def proxy(demo: Demo, api: WebSocketAPI) -> AsyncIterator[Running]:
    async with running(settings_for(demo, api)) as running_proxy:
        yield running_proxy
