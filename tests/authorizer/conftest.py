"""One demo and one proxy with an authorizer, for all of a module's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from proxy.demo import Demo
from tests.support.proxy import Running, running


def build_settings(demo: Demo, **authorizer: Any) -> dict[str, Any]:
    """The demo's, with an authorizer, and routes on which the host or a preflight matters."""
    raw = demo.settings(authorizer=authorizer or {"host": "127.0.0.1"})
    (orders,) = (route for route in raw["routes"] if route["name"] == "orders")
    raw["routes"] += [
        orders | {"name": "named", "path": "/named", "host": "api.example"},
        orders | {"name": "plain", "path": "/plain", "websocket": False, "cors_preflight": True},
        orders
        | {"name": "placed", "path": "/placed", "token_out": {"header": "X-Api-Token", "scheme": ""}}
        | {"cors_preflight": True},
        orders | {"name": "known", "path": "/known", "token_out": {"header": "X-Auth-Token", "scheme": ""}},
        orders | {"name": "reading", "path": "/reading", "methods": ["GET"]},
    ]
    return raw


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running_demo:
        yield running_demo


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(demo: Demo) -> AsyncIterator[Running]:
    async with running(build_settings(demo)) as running_proxy:
        yield running_proxy
