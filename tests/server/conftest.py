"""Every test here runs on asyncio's own loop and on uvloop; on compiled modules on uvloop alone, as the image does."""

from __future__ import annotations

import asyncio

import uvloop

from tests.support.compiled import COMPILED


def pytest_asyncio_loop_factories():
    asyncios = {} if COMPILED else {"asyncio": asyncio.new_event_loop}
    return {**asyncios, "uvloop": uvloop.new_event_loop}
