"""Every test here runs on asyncio's own loop and on uvloop."""

from __future__ import annotations

import asyncio

import uvloop


def pytest_asyncio_loop_factories():
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
