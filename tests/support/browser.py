"""A real Chromium for tests; skipped where one is missing, but never in CI."""

from __future__ import annotations

import importlib
import os
import shutil
from contextlib import asynccontextmanager
from typing import Any

import pytest

# Without a sandbox, for it runs as root in containers; and it asks nobody for updates.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def load(module: str) -> Any:
    """``module``, or the tests that import it are skipped; in CI everything must be there."""
    return importlib.import_module(module) if os.environ.get("CI") else pytest.importorskip(module)


def find_chromium() -> str | None:
    """The path of an installed one."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@asynccontextmanager
async def launched():
    """A browser, ended with the block."""
    path = find_chromium()
    if path is None and not os.environ.get("CI"):
        pytest.skip("no Chromium is installed")
    async with load("playwright.async_api").async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def opened(browser, url: str, *, own_clock: bool = False, **wishes: Any):
    """A page of a fresh profile; a complaint of the page, or a request to elsewhere, fails the test.

    With ``own_clock`` its timers wait for ``page.clock``.
    """
    complaints: list[str] = []
    requested: list[str] = []
    context = await browser.new_context(**wishes)
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    if own_clock:
        await page.clock.install()
    await page.goto(url)
    yield page
    await context.close()
    assert complaints == []
    assert all(address.startswith(url) for address in requested)
