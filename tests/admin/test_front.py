"""What is answered before the site is there, and that it comes when somebody asks."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.proxy import Running


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_programs_are_answered(proxy: Running, path: str):
    """O-04: also those that want the head alone; nothing is changed by asking."""
    answer = await proxy.admin.get(path)
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = await proxy.admin.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == answer.headers["content-type"]
    refused = await proxy.admin.post(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_the_site_is_one(proxy: Running):
    """However many ask for it first: what it remembers of logouts is there once."""
    answers = await asyncio.gather(
        *(proxy.admin.get(path) for path in ("/", "/api/status", "/api/config", "/nowhere"))
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
