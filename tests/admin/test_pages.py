"""The page, and its forms."""

from __future__ import annotations

import re

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import Running

from .visits import submit


async def test_forms_work_without_a_script(demo: Demo, proxy: Running):
    """Inspect and purge as plain forms: the answer is the page with the result on it."""
    token = demo.mint("alice")
    await proxy.get("/orders/1", token)
    page = await submit(proxy, "/inspect", token=token, route="orders")
    assert page.status_code == 200
    assert "would reach the API" in page.text
    assert "api://orders" in page.text
    page = await submit(proxy, "/purge", issuer=demo.issuer(), subject=decode(token)["sub"])
    assert "1 entry was dropped" in page.text.replace("\n", " ")
    page = await submit(proxy, "/purge", issuer=demo.issuer(), subject=decode(token)["sub"])
    assert "no entry" in page.text


async def test_markup_in_a_claim_stays_text(demo: Demo, proxy: Running):
    """Whatever a token or its issuer says is shown, never rendered."""
    token = demo.mint("alice", claims={"<b>name</b>": "<script>alert(1)</script>"})
    page = await submit(proxy, "/inspect", token=token, route="orders")
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "<b>name" not in page.text


async def test_the_page_needs_nothing_from_elsewhere(proxy: Running):
    """Every address on it is its own."""
    page = (await proxy.admin.get("/")).text
    for address in re.findall(r'(?:src|href|action)="([^"]+)"', page):
        assert address.startswith(("/", "#")), address
    assert "style=" not in page
    assert not re.search(r"<script(?! src)", page)
    for path in ("/static/style.css", "/static/refresh.js", "/static/icon.svg"):
        answer = await proxy.admin.get(path)
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
