"""What programs and the page's forms send to the admin side."""

from __future__ import annotations

import re

import httpx

from tests.support.proxy import Running


async def inspect(proxy: Running, token: str, route: str = "orders") -> httpx.Response:
    return await proxy.admin.post("/api/inspect", json={"token": token, "route": route})


async def submit(proxy: Running, path: str, **fields: str) -> httpx.Response:
    """A form of the page, as a browser sends it."""
    page = await proxy.admin.get("/")
    found = re.search(r'name="form_key" value="([^"]+)"', page.text)
    assert found is not None
    return await proxy.admin.post(
        path, data={"form_key": found[1], **fields}, headers={"Origin": proxy.admin_url}
    )
