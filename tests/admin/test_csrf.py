"""A form is ours if it repeats what our own page's cookie says."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from proxy.admin.csrf import find_form_key, require_form_key
from proxy.admin.refusal import Refused
from tests.support.proxy import Running


async def test_a_form_of_another_page_is_refused(proxy: Running):
    """Its key must be the cookie's, which nobody else can read."""
    await proxy.admin.get("/")
    for _ in ("with our cookie", "without"):
        for path in ("/inspect", "/purge"):
            for key, status in (("", 400), ("guessed" * 8, 403)):
                fields = {"token": "x", "route": "orders", "issuer": "x", "subject": "x", "form_key": key}
                assert (await proxy.admin.post(path, data=fields)).status_code == status
        proxy.admin.cookies.clear()


async def test_the_cookie_is_for_this_page_alone(proxy: Running):
    """No script reads it, no other site's request brings it; it stays the same while it is known."""
    first = await proxy.admin.get("/")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(first.headers["set-cookie"].split("; "))
    second = await proxy.admin.get("/")
    assert first.cookies["obo_form_key"] == second.cookies["obo_form_key"]


def visit(cookie: str | None) -> Request:
    headers = [] if cookie is None else [(b"cookie", b"obo_form_key=" + cookie.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers})


KEY = "k" * 43


@pytest.mark.parametrize(
    ("cookie", "presented", "taken"),
    [
        (KEY, KEY, True),
        (KEY, KEY[:-1], False),
        (KEY, "", False),
        (KEY, "\u00e9" * 43, False),
        (None, "", False),
        (None, KEY, False),
        ("", "", False),
        ("short", "short", False),
    ],
    ids=[
        "ours",
        "cut",
        "no key",
        "no ASCII",
        "neither",
        "no cookie",
        "both empty",
        "a cookie that is set for us",
    ],
)
def test_a_form_key_is_the_cookies(cookie: str | None, presented: str, taken: bool):
    """C-25: fails closed."""
    request = visit(cookie)
    if taken:
        require_form_key(request, presented)
        return
    with pytest.raises(Refused) as caught:
        require_form_key(request, presented)
    assert caught.value.status == 403


def test_a_form_key_lasts_while_it_is_known():
    """A page that is open in two windows has one; a new one is long, and nobody else's."""
    assert find_form_key(visit(KEY)) == KEY
    new = {find_form_key(visit(cookie)) for cookie in (None, "", "short")}
    assert len(new) == 3
    assert all(len(key) >= 43 for key in new)
