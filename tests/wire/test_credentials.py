"""Whose credentials go where, seen from the wire: nothing goes up but with a token of the exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.demo import Demo
from tests.support.demo import FORGERIES, resign
from tests.support.issuer import StillClock
from tests.support.proxy import running
from tests.support.raw_upstream import RawUpstream, response
from tests.support.recording_upstream import RecordingUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as recording:
        yield recording


def aimed(demo: Demo, url: str, **changes: object) -> dict:
    """The demo's configuration with its first route before the upstream at ``url``."""
    raw = demo.settings(**changes)
    raw["routes"] = [raw["routes"][0] | {"upstream": url}]
    return raw


async def test_strangers_are_heard_by_nobody(demo: Demo, upstream: RecordingUpstream):
    """A-03, C-19: no token, or a forged one, 300 times over: no connection upstream, none to the token URL."""
    token = demo.mint("alice")
    async with running(aimed(demo, upstream.url)) as proxy:
        for number in range(300):
            forge = list(FORGERIES.values())[number % len(FORGERIES)]
            # 503: a key that is not known may be new, and was asked for within the last 30 s.
            assert (await proxy.get("/orders", forge(demo, token))).status_code in {401, 503}
        assert (await proxy.get("/orders")).status_code == 401
        assert (await proxy.get("/orders", resign(token, kid="unheard-of"))).status_code in {401, 503}
    assert upstream.heard == []
    assert demo.calls["token"] == 0
    assert demo.calls["keys"] <= 2


NO_TOKENS = [
    "abc\r\nX-Admin: 1", "abc\nX-Admin: 1", "a b", "a\0b", "a,b", "\u00e9", "x" * 16_385, "", " abc", 7, None, ["abc"]
]  # fmt: skip


async def test_a_token_that_is_no_token_reaches_no_header(demo: Demo, upstream: RecordingUpstream):
    """X-05, F-03: what the authorization server gives is put into a header only where it is a bearer token."""
    for value in NO_TOKENS:
        demo.faults.members = {"access_token": value}
        async with running(aimed(demo, upstream.url)) as proxy:
            answer = await proxy.get("/orders", demo.mint("alice"))
        assert (answer.status_code, answer.json()["code"]) == (502, "exchange_response_invalid"), value
    assert upstream.heard == []


async def test_the_callers_proof_goes_no_further(demo: Demo, upstream: RecordingUpstream):
    """D-06: upstream sees one DPoP field, and it is our own; without DPoP none."""
    for dpop in (True, False):
        upstream.clear()
        async with running(aimed(demo, upstream.url, private_key_jwt=True, dpop=dpop)) as proxy:
            headers = [
                ("Authorization", f"Bearer {demo.mint('alice')}"), ("DPoP", "forged"), ("dpop", "forged")
            ]  # fmt: skip
            assert (await proxy.client.get("/orders", headers=headers)).status_code == 200
        (request,) = upstream.requests
        assert len(request.values(b"dpop")) == dpop
        assert b"forged" not in b"".join(upstream.heard)


async def test_cookies_are_nobodys_but_the_two_ends(demo: Demo):
    """H-30: what is set for alice is never sent for bob, and not for alice by us either."""
    async with RawUpstream(
        [response(b"", b"Set-Cookie: session=alice; Path=/; Domain=localhost")]
    ) as upstream:
        async with running(aimed(demo, upstream.url)) as proxy:
            for user in ("alice", "bob", "alice"):
                proxy.client.cookies.clear()
                answer = await proxy.get("/orders", demo.mint(user))
                assert answer.headers["set-cookie"] == "session=alice; Path=/; Domain=localhost"
        assert len(upstream.requests) == 3
        assert b"cookie" not in b"".join(upstream.requests).lower()


async def test_another_sites_page_opens_no_websocket(demo: Demo, upstream: RecordingUpstream):
    """H-62: what a browser sends by itself authenticates nobody; with a token, upstream learns whose page it is."""
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "https://evil.example", "Cookie": "session=1",
    }  # fmt: skip
    async with running(aimed(demo, upstream.url)) as proxy:
        assert (await proxy.client.get("/orders", headers=handshake)).status_code == 401
        assert upstream.heard == []
        await proxy.get("/orders", demo.mint("alice"), **handshake)
    assert upstream.requests[0].values(b"origin") == [b"https://evil.example"]


async def test_answers_are_not_kept(demo: Demo):
    """C-24: each request is asked anew; what an upstream says of caching passes, and our refusals say no-store."""
    said = [
        b"Cache-Control: public, max-age=600", b'ETag: "1"', b"Expires: Fri, 01 Jan 2100 00:00:00 GMT", b"Age: 3",
        b"Vary: Accept", b"Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT",
    ]  # fmt: skip
    async with RawUpstream([response(b"x", *said)]) as upstream:
        async with running(aimed(demo, upstream.url)) as proxy:
            for _ in range(3):
                answer = await proxy.get("/orders", demo.mint("alice"))
                for line in said:
                    name, _, value = line.decode().partition(": ")
                    assert answer.headers[name] == value
            for path, token in [("/orders", None), ("/nowhere", None), ("/orders/%2e%2e", None)]:
                assert (await proxy.get(path, token)).headers["cache-control"] == "no-store"
        assert len(upstream.requests) == 3


async def test_an_upstreams_refusal_is_its_own(demo: Demo):
    """C-16: a 401 or 403 on a fresh token passes with its challenges, and none of ours beside them."""
    challenges = [b'WWW-Authenticate: Bearer realm="api", error="invalid_token"', b"WWW-Authenticate: Basic"]
    for status in (b"401 Unauthorized", b"403 Forbidden"):
        async with RawUpstream([response(b"no", *challenges, status=status)]) as upstream:
            async with running(aimed(demo, upstream.url)) as proxy:
                answer = await proxy.get("/orders", demo.mint("alice"))
            assert (answer.status_code, answer.content) == (int(status[:3]), b"no")
            assert [line.encode() for line in answer.headers.get_list("www-authenticate")] == [
                line.removeprefix(b"WWW-Authenticate: ") for line in challenges
            ]
            assert len(upstream.requests) == 1


async def test_a_wall_clock_that_jumps(demo: Demo, upstream: RecordingUpstream):
    """F-35, C-12: an hour back or ahead lengthens nobody's token, breaks nothing, and is got over."""
    clock = StillClock(now=demo.tenant.now())
    async with running(aimed(demo, upstream.url), clock=clock) as proxy:
        token = demo.mint("alice")
        assert (await proxy.get("/orders", token)).status_code == 200
        clock.now += 4000
        assert (await proxy.get("/orders", token)).json()["code"] == "subject_token_expired"
        clock.now -= 8000
        assert (await proxy.get("/orders", token)).status_code in {200, 401}
        clock.now += 4000
        assert (await proxy.get("/orders", demo.mint("alice"))).status_code == 200
    assert all(len(request.values(b"authorization")) == 1 for request in upstream.requests)
