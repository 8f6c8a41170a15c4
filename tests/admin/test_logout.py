"""Back-channel logout: an issuer says that a user has gone, and the user's tokens go."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

from proxy.authentication.logout_token import EVENT
from proxy.demo import Demo
from tests.support.demo import decode, resign, sign_as_server
from tests.support.proxy import Running, running

PATH = "/api/backchannel-logout"
numbers = itertools.count()


def build(demo: Demo, *, server: str = "default", typ: str = "logout+jwt", **changes: Any) -> str:
    """The logout token of alice's sign-out from the web app; a claim that is None is left out."""
    now = demo.tenant.now()
    claims = {
        "iss": demo.issuer(server),
        "aud": demo.tenant.clients["web"].id,
        "sub": decode(demo.mint("alice"))["sub"],
        "iat": int(now),
        "exp": int(now) + 120,
        "jti": f"logout-{next(numbers)}",
        "events": {EVENT: {}},
    }
    changed = {name: value for name, value in (claims | changes).items() if value is not None}
    return sign_as_server(demo, changed, server=server, typ=typ)


async def log_out(proxy: Running, token: str, **headers: str) -> httpx.Response:
    return await proxy.admin.post(PATH, data={"logout_token": token}, headers=headers)


async def test_a_logout_ends_what_is_cached_for_that_user_alone(demo: Demo, proxy: Running):
    """C-25: §2.7, §2.8: 200, not to be stored; alice is exchanged for anew, bob is not."""
    tokens = [demo.mint(user) for user in ("alice", "bob")]
    for token in tokens:
        await proxy.get("/orders/1", token)
    answer = await log_out(proxy, build(demo))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    for token in tokens:
        assert (await proxy.get("/orders/1", token)).status_code == 200
    assert demo.calls["token_exchange"] == 3


async def test_our_own_client_may_be_told_too(demo: Demo, proxy: Running):
    """An issuer at which we are a client names us."""
    raw = demo.settings()
    raw["authorization_servers"]["default"]["client"] = {"id": "0oaproxy", "secret": "x" * 32}
    async with running(raw) as with_client:
        assert (await log_out(with_client, build(demo, aud="0oaproxy"))).status_code == 200
    assert (await log_out(proxy, build(demo, aud="0oaproxy"))).status_code == 400


async def test_a_token_counts_once(demo: Demo, proxy: Running):
    """§2.6: whoever has seen one cannot play it again, nor take its jti from another issuer's token."""
    token = build(demo)
    assert (await log_out(proxy, token)).status_code == 200
    again = await log_out(proxy, token)
    assert (again.status_code, again.json()["error_description"]) == (400, "the token was used before")
    assert (await log_out(proxy, build(demo))).status_code == 200


async def test_refusals(demo: Demo, proxy: Running):
    """§2.8: 400 with a reason, nothing of the token in it, and nobody is logged out."""
    await proxy.get("/orders/1", demo.mint("alice"))
    before = demo.calls["keys"]
    bad = {
        "nonsense": "nonsense",
        "access token": demo.mint("alice"),
        "forged": resign(build(demo)),
        "unknown kid": resign(build(demo), kid="unknown"),
        "no alg": resign(build(demo)).replace("ey", "e", 1),
        "issuer that vouches for nobody's users": build(demo, server="orders"),
        "issuer unknown": build(demo, iss="https://elsewhere.example"),
        "another client's": build(demo, aud="0oaother"),
        "session alone": build(demo, sub=None, sid="s-1"),
        "ID token": build(demo, nonce="n"),
        "typed otherwise": build(demo, typ="at+jwt"),
    }
    for name, token in bad.items():
        answer = await log_out(proxy, token)
        assert answer.status_code == 400, name
        assert answer.json()["error"] == "invalid_request"
        assert "alice" not in answer.text
        assert "elsewhere" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert len(proxy.app.parts.store.cache) == 1
    assert demo.calls["keys"] <= before + 1


async def test_forms(demo: Demo, proxy: Running):
    """One form field, once; a page cannot ask by GET."""
    token = build(demo)
    form = "application/x-www-form-urlencoded"
    for content, media_type in (
        (b"", form),
        (b"other=1", form),
        (f"logout_token={token}&logout_token={token}".encode(), form),
        (f"logout_token={token}".encode(), "text/plain"),
        (b"logout_token=" + b"a" * 70_000, form),
    ):
        answer = await proxy.admin.post(PATH, content=content, headers={"Content-Type": media_type})
        assert answer.status_code == 400
    assert (await proxy.admin.get(PATH, params={"logout_token": token})).status_code == 405


async def test_the_signature_is_the_credential(demo: Demo, tmp_path):
    """O-02: it needs no admin token and may come from wherever, but by a name that is ours."""
    (tmp_path / "token").write_text("swordfish")
    async with running(demo.settings(admin={"token_file": str(tmp_path / "token")})) as proxy:
        elsewhere = {"Origin": "https://login.example", "Sec-Fetch-Site": "cross-site"}
        assert (await log_out(proxy, build(demo), **elsewhere)).status_code == 200
        assert (await log_out(proxy, build(demo), Host="evil.example")).status_code == 421
        assert (await proxy.admin.post("/api/purge", json={})).status_code == 401
        assert (await proxy.admin.post(f"{PATH}/", data={"logout_token": "x"})).status_code == 401


async def test_without_the_issuers_keys_nobody_is_believed(demo: Demo):
    """§2.8: a logout that cannot be verified has failed."""
    demo.faults.fail("keys")
    async with running(demo.settings()) as proxy:
        await demo.calls.reach("keys", 1)
        assert (await log_out(proxy, build(demo))).status_code == 400
