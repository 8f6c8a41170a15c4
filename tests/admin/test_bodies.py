"""Bodies of the admin side: bounded, and read in one way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from proxy.admin.bodies import MAX_BODY, read_form, read_json
from proxy.admin.refusal import Refused
from tests.support.proxy import Running

RIGHT = b'{"issuer":"a","subject":"b"}'
BODIES = {
    "empty": (b"{}", "application/json", 400),
    "list": (b"[]", "application/json", 400),
    "no JSON": (b"nonsense", "application/json", 400),
    "blank": (b'{"issuer":"a","subject":""}', "application/json", 400),
    "number": (b'{"issuer":"a","subject":7}', "application/json", 400),
    "twice": (b'{"issuer":"a","subject":"b","subject":"c"}', "application/json", 400),
    "text": (RIGHT, "text/plain", 415),
    "no type": (RIGHT, "", 415),
    "form": (b"issuer=a&subject=b", "application/x-www-form-urlencoded", 415),
    "large": (b'{"issuer":"' + b"a" * 70_000 + b'","subject":"b"}', "application/json", 413),
    "right": (RIGHT, "application/json; charset=utf-8", 200),
}


FORMS = {
    "type": (b"issuer=a&subject=b&form_key=c", "application/json", 415),
    "twice": (b"issuer=a&issuer=b&subject=b&form_key=c", "application/x-www-form-urlencoded", 400),
    "not ASCII": (b"\xff=a", "application/x-www-form-urlencoded", 400),
    "too many": (b"a=b&" * 50, "application/x-www-form-urlencoded", 400),
}


async def test_bodies(proxy: Running):
    """Only a JSON object, by its own media type and of bounded size, is taken."""
    for name, (content, media_type, status) in BODIES.items():
        answer = await proxy.admin.post("/api/purge", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status, name
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_forms_are_read_strictly(proxy: Running):
    """A form that reads in two ways is none."""
    for name, (content, media_type, status) in FORMS.items():
        answer = await proxy.admin.post("/purge", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status, name


async def ask(read: Callable[[Request], Awaitable[object]], body: bytes, media_type: str) -> int:
    """The status of a request with this body, 200 for one that is taken; it comes in pieces of 1000 bytes."""
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)] or [b""]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False

    async def receive() -> Any:
        return messages.pop(0)

    headers = [(b"content-type", media_type.encode("latin-1"))]
    try:
        await read(Request({"type": "http", "method": "POST", "headers": headers}, receive))
    except Refused as refusal:
        return refusal.status
    return 200


def read_names(request: Request) -> Awaitable[object]:
    return read_json(request, "issuer", optional=["note"])


def read_fields(request: Request) -> Awaitable[object]:
    return read_form(request, "issuer", optional=["note"])


JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b'{"issuer": "a"}', JSON, 200),
        (b'{"issuer": " a "}', "Application/JSON; charset=utf-8", 200),
        (b'{"issuer": "a", "note": ""}', JSON, 200),
        (b'{"issuer": "a", "more": 1}', JSON, 200),
        (b'{"issuer": "a"}', "text/plain", 415),
        (b'{"issuer": "a"}', "", 415),
        (b'{"issuer": "a", "issuer": "b"}', JSON, 400),
        (b'{"issuer": ""}', JSON, 400),
        (b'{"issuer": "  "}', JSON, 400),
        (b'{"issuer": 5}', JSON, 400),
        (b'{"issuer": null}', JSON, 400),
        (b'{"issuer": "a", "note": 5}', JSON, 400),
        (b"{}", JSON, 400),
        (b'["issuer"]', JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b"\xff", JSON, 400),
        (b'{"issuer": "%b"}' % (b"a" * MAX_BODY), JSON, 413),
    ],
)
async def test_json(body: bytes, media_type: str, status: int):
    """Other sites cannot send this type unasked; a name that stands twice is none."""
    assert await ask(read_names, body, media_type) == status


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"issuer=a", FORM, 200),
        (b"issuer=a&note=", f"{FORM};charset=utf-8", 200),
        (b"issuer=a", JSON, 415),
        (b"issuer=a&issuer=a", FORM, 400),
        (b"issuer=", FORM, 400),
        (b"issuer=%20", FORM, 400),
        (b"note=a", FORM, 400),
        (b"issuer=\xe9", FORM, 400),
        (b"issuer=a&" + b"&".join(b"f%d=1" % number for number in range(30)), FORM, 400),
        (b"issuer=" + b"a" * MAX_BODY, FORM, 413),
    ],
)
async def test_forms(body: bytes, media_type: str, status: int):
    """Each field once, and few of them."""
    assert await ask(read_fields, body, media_type) == status


async def test_a_body_without_an_end_is_not_gathered():
    """F-36: what is over the bound is refused as soon as it is."""
    read = 0

    async def receive() -> Any:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": bytes(1000), "more_body": True}

    headers = [(b"content-type", JSON.encode())]
    with pytest.raises(Refused, match="too large"):
        await read_names(Request({"type": "http", "method": "POST", "headers": headers}, receive))
    assert read == MAX_BODY // 1000 + 1
