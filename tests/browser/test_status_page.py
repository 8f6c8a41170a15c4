"""The status page in a real browser: as people use it, and as those do who cannot see or point."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.browser import launched, load, opened
from tests.support.demo import decode
from tests.support.proxy import Running, running

load("playwright.async_api")
Axe = load("axe_playwright_python.async_playwright").Axe

LOOKS = {"light, on a desk": ("light", 1280), "dark, on a phone": ("dark", 390)}  # both of each


pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with launched() as chromium:
        yield chromium


@pytest_asyncio.fixture(loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running_demo:
        yield running_demo


@pytest_asyncio.fixture(loop_scope="module")
async def proxy(demo: Demo) -> AsyncIterator[Running]:
    async with running(demo.settings()) as running_proxy:
        yield running_proxy


async def inspect(page, token: str, route: str = "orders") -> None:
    await page.get_by_label("Route", exact=True).select_option(route)
    await page.get_by_label("User's token").fill(token)
    await page.get_by_role("button", name="Inspect").click()
    await page.get_by_role("heading", name="Inspection").wait_for()


async def purge(page, subject: str) -> None:
    await page.get_by_label("Subject").fill(subject)
    await page.get_by_role("button", name="Purge").click()
    await page.get_by_role("heading", name="Purged").wait_for()


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without"])
async def test_inspect_purge_and_exchange_again(browser, demo: Demo, proxy: Running, javascript):
    """C-25: alice's token is inspected, the difference is marked, she is purged, and exchanged for anew."""
    token = demo.mint("alice")
    await proxy.get("/orders/1", token)
    async with opened(browser, proxy.admin_url, java_script_enabled=javascript) as page:
        assert await page.get_by_role("heading", name="Everything is working").is_visible()
        await inspect(page, token)
        assert await page.get_by_text("would reach the API").is_visible()
        marked = page.get_by_role("row", name=re.compile("^aud "))
        assert "api://default" in await marked.inner_text()
        assert "api://orders" in await marked.inner_text()
        assert "changed" in await marked.inner_text()
        assert "same" in await page.get_by_role("row", name=re.compile("^sub ")).first.inner_text()
        assert await page.get_by_label("User's token").input_value() == ""
        assert token not in await page.content()
        before = demo.calls["token_exchange"]
        await purge(page, decode(token)["sub"])
        assert "1 entry was dropped" in await page.get_by_role("status").inner_text()
    await proxy.get("/orders/1", token)
    assert demo.calls["token_exchange"] == before + 1


async def test_what_is_wrong_with_a_token(browser, demo: Demo, proxy: Running):
    """Every fault at once, each with its remedy."""
    async with opened(browser, proxy.admin_url) as page:
        await inspect(page, demo.mint("alice", audience="api://elsewhere", expires_in=-900))
        assert await page.get_by_text("would be refused").is_visible()
        failed = page.locator(".steps li.bad")
        assert await failed.count() == 2
        for step in await failed.all():
            assert "Remedy" in (await step.text_content() or "")


async def test_figures_come_up_to_date_by_themselves(browser, demo: Demo, proxy: Running):
    """The script fetches the page again and puts its live parts in place; a form half filled in stays."""
    async with opened(browser, proxy.admin_url, own_clock=True) as page:
        await page.get_by_label("Subject").fill("half filled")
        await proxy.get("/orders/1")
        await page.clock.run_for(5000)
        await page.get_by_role("heading", name="Subject token missing").wait_for()
        assert await page.get_by_label("Subject").input_value() == "half filled"


async def test_updates_can_be_paused(browser, proxy: Running):
    """The button says what it would do, to everybody."""
    async with opened(browser, proxy.admin_url) as page:
        await page.get_by_role("button", name="Pause updates").click()
        resume = page.get_by_role("button", name="Resume updates")
        assert await resume.get_attribute("aria-pressed") == "true"


async def test_axe_finds_nothing(browser, demo: Demo, proxy: Running):
    """With failures, an open breaker and an inspection on it, the page is fit for screen readers and weak eyes."""
    demo.faults.fail("token")
    await asyncio.gather(*(proxy.get("/orders/1", demo.mint(f"user{user}")) for user in range(6)))
    demo.faults.clear()
    proxy.app.history.sample()
    async with opened(browser, proxy.admin_url, bypass_csp=True) as page:
        await inspect(page, demo.mint("alice"), "profile")
        for look, (color_scheme, width) in LOOKS.items():
            await page.emulate_media(color_scheme=color_scheme)
            await page.set_viewport_size({"width": width, "height": 900})
            found = await Axe().run(page)
            assert found.violations_count == 0, f"{look}: {found.generate_report()}"
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, look


async def test_another_site_can_do_nothing(browser, demo: Demo, proxy: Running):
    """A page of another origin, in the same browser, cannot purge, read or frame."""
    token = demo.mint("alice")
    await proxy.get("/orders/1", token)
    other = proxy.url.replace("127.0.0.1", "localhost")
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(proxy.admin_url)  # the cookie is there
    await page.goto(f"{other}/public")
    outcome = await page.evaluate(
        """async (admin) => {
            const ask = (path, options) => fetch(admin + path, options).then(() => "read", () => "refused");
            const text = { method: "POST", mode: "no-cors", credentials: "include", body: "issuer=a&subject=b" };
            await fetch(admin + "/api/purge", text).catch(() => null);
            await fetch(admin + "/purge", text).catch(() => null);
            return [await ask("/api/status"), await ask("/api/purge", { method: "POST", body: "{}",
                headers: { "content-type": "application/json" } })];
        }""",
        proxy.admin_url,
    )
    assert outcome == ["refused", "refused"]
    await context.close()
    await proxy.get("/orders/1", token)
    assert demo.calls["token_exchange"] == 1
