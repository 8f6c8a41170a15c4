"""Exchanges over real sockets: what is sent, what is taken, and who hears of it."""

from __future__ import annotations

import json
import logging
import ssl

import pytest

from proxy.errors import (
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    ProxyError,
)
from proxy.exchange.transport import MAX_ANSWER

from ..support.certificates import Authority
from ..support.exchanging import (
    ALICE,
    CLIENT,
    GOOD,
    REQUEST,
    TOKEN,
    Exchanging,
    exchanging,
)
from ..support.issuer import NOW
from ..support.scripted_server import DRIP, HANG, RESET, ScriptedServer, answer


async def test_one_exchange():
    """X-01: a POST with the form, our authentication, and nothing a library would add."""
    async with exchanging(GOOD) as at:
        token = await at.server.grant(REQUEST, ALICE)
        assert (token.value, token.expires_at) == ("canary-access", NOW + 300)
        [asked] = at.asked
        assert (asked.method, asked.target) == ("POST", "/token")
        assert asked.form["subject_token"] == ALICE.value
        assert set(asked.headers) == {
            "host",
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "user-agent",
        }
        assert (asked.headers["accept"], asked.headers["accept-encoding"]) == ("application/json", "identity")
        [record] = at.records
        assert (record.outcome, record.tries, record.status, record.error) == ("ok", 1, 200, None)


async def test_without_a_client_nothing_is_asked():
    """A server that only issues subject tokens needs no client, and exchanges nothing."""
    async with exchanging(GOOD, client=None) as at:
        with pytest.raises(ExchangeMisconfigured, match="no client"):
            await at.server.grant(REQUEST, ALICE)
        with pytest.raises(ExchangeMisconfigured, match="no client"):
            await at.server.introspect("t")
        assert at.server.client_identity == (at.script.url + "/token", "", "", "")
        assert at.server.status().breaker_open is False


GARBAGE = [
    pytest.param(answer(200, body=b"<html>"), ExchangeResponseInvalid, id="HTML"),
    pytest.param(answer(200), ExchangeResponseInvalid, id="empty"),
    pytest.param(answer(200, body=b'{"access_token": "a"'), ExchangeResponseInvalid, id="truncated JSON"),
    pytest.param(answer(200, body=b"null"), ExchangeResponseInvalid, id="null"),
    pytest.param(answer(200, body=b"[" * 100_000), ExchangeResponseInvalid, id="depth"),
    pytest.param(answer(200, TOKEN, content_encoding="gzip"), ExchangeResponseInvalid, id="encoded"),
    pytest.param(answer(200, body=b" " * (MAX_ANSWER + 1)), ExchangeResponseInvalid, id="too large"),
    pytest.param(answer(201, TOKEN), ExchangeResponseInvalid, id="201"),
    pytest.param(answer(204), ExchangeResponseInvalid, id="204"),
    pytest.param(answer(404, body=b"<html>"), ExchangeResponseInvalid, id="404"),
    pytest.param(
        answer(200, {"error": "unauthorized_client"}), ExchangeMisconfigured, id="200 with an error"
    ),
    pytest.param(answer(503, body=b"<html>"), AuthorizationServerUnavailable, id="503"),
    pytest.param(b"hello\r\n\r\n", AuthorizationServerUnavailable, id="HTTP/0.9"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", AuthorizationServerUnavailable, id="cut off"
    ),
    pytest.param(RESET, AuthorizationServerUnavailable, id="closed"),
]


@pytest.mark.parametrize(("said", "kind"), GARBAGE)
async def test_garbage_is_mapped(said, kind):
    """X-13, F-02: never a 500, never a token."""
    async with exchanging(said) as at:
        with pytest.raises(kind) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert refused.value.status in (502, 503)
        assert (refused.value.retry_after is None) == (refused.value.status == 502)
        assert at.records[0].outcome == kind.code


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status):
    """X-12: the form goes nowhere else."""
    async with ScriptedServer(GOOD) as elsewhere, exchanging(answer(status, location=elsewhere.url)) as at:
        with pytest.raises(ExchangeResponseInvalid):
            await at.server.grant(REQUEST, ALICE)
        assert elsewhere.asked == []


async def test_no_cookie_is_kept():
    """X-12: what one answer sets, no request brings back."""
    async with exchanging(answer(200, TOKEN, set_cookie="sid=alice; Path=/")) as at:
        for _ in range(2):
            await at.server.grant(REQUEST, ALICE)
        assert "cookie" not in at.asked[1].headers


async def test_bytes_after_an_answer_reach_nobody():
    """H-40: a second response that follows the first at once is not the next user's."""
    other = answer(200, TOKEN | {"access_token": "of-another"})
    async with exchanging(GOOD + other, GOOD) as at:
        tokens = [await at.server.grant(REQUEST, ALICE) for _ in range(2)]
        assert [token.value for token in tokens] == ["canary-access"] * 2


async def test_the_environment_is_not_read(monkeypatch):
    """X-12: no proxy, no netrc."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with exchanging(GOOD) as at:
        assert await at.server.grant(REQUEST, ALICE)


async def test_the_configured_proxy_is_used():
    """Contract 2.1: proxy_url alone says which way to go."""
    async with ScriptedServer(GOOD) as proxy, exchanging(GOOD, proxy_url=proxy.url) as at:
        await at.server.grant(REQUEST, ALICE)
        assert at.asked == []
        assert proxy.asked[0].target == at.script.url + "/token"


@pytest.mark.parametrize("said", [HANG, DRIP], ids=["silence", "drip"])
async def test_the_deadline_covers_the_whole_answer(said):
    """X-13: silence and one byte at a time end alike, in time."""
    async with exchanging(said, timeout=0.1) as at:
        with pytest.raises(AuthorizationServerTimeout) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert refused.value.status == 504


async def test_tls_is_verified(tmp_path):
    """O-05: an unknown authority is refused before a byte of the form is sent; ca_file makes it known."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue("127.0.0.1")
    context.load_cert_chain(issued.cert_file, issued.key_file)
    async with Exchanging(ScriptedServer(GOOD, tls=context)) as at:
        with pytest.raises(AuthorizationServerUnavailable, match="certificate"):
            await at.server.grant(REQUEST, ALICE)
        assert at.asked == []
    async with Exchanging(ScriptedServer(GOOD, tls=context), {"ca_file": authority.ca_file}) as at:
        assert await at.server.grant(REQUEST, ALICE)


async def test_a_bound_token_without_a_key():
    """D-04: a DPoP token is of no use to us unless dpop is on."""
    async with exchanging(answer(200, TOKEN | {"token_type": "DPoP"})) as at:
        with pytest.raises(ExchangeResponseInvalid, match="bound"):
            await at.server.grant(REQUEST, ALICE)


async def test_a_server_without_issued_token_type_is_warned_about_once(caplog):
    """X-04: lenient, and said."""
    said = {name: value for name, value in TOKEN.items() if name != "issued_token_type"}
    async with exchanging(answer(200, said)) as at:
        for _ in range(3):
            await at.server.grant(REQUEST, ALICE)
    assert [record.name for record in caplog.records if "issued_token_type" in record.message] == [
        "proxy.exchange.authorization_server"
    ]


async def test_introspection():
    """RFC 7662 §2.1: the token and our authentication; a refusal is of us, never of the token."""
    refusal = answer(403, {"error": "access_denied"})
    async with exchanging(answer(200, {"active": True}), refusal, introspection_url="{}/introspect") as at:
        assert await at.server.introspect("canary-opaque") == {"active": True}
        [asked] = at.asked
        assert (asked.target, asked.form["token"]) == ("/introspect", "canary-opaque")
        assert "authorization" in asked.headers
        with pytest.raises(ExchangeMisconfigured):
            await at.server.introspect("canary-opaque")


async def test_the_record_says_what_happened():
    """O-04: one record a grant, with Okta's request id, and no token in it (X-14)."""
    refusal = {"error": "invalid_grant", "error_description": f"bad {ALICE.value} canary-secret"}
    async with exchanging(answer(400, refusal, x_okta_request_id="req1")) as at:
        with pytest.raises(ProxyError):
            await at.server.grant(REQUEST, ALICE)
        [record] = at.records
        assert (record.outcome, record.status, record.okta_request_id) == (
            "subject_token_refused",
            400,
            "req1",
        )
        assert record.error.oauth_error == "invalid_grant"
        assert "canary" not in repr(record) + str(record.error)
        status = at.server.status()
        assert status.last_error == str(record.error)
        assert "canary" not in repr(status)


async def test_no_secret_in_any_log(caplog):
    """X-14: canaries in every credential, everything at DEBUG, the libraries' loggers too."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with exchanging(GOOD, answer(400, {"error": "x", "error_description": ALICE.value}), RESET) as at:
        await at.server.grant(REQUEST, ALICE)
        for _ in range(2):
            with pytest.raises(ProxyError):
                await at.server.grant(REQUEST, ALICE)
    shown = " ".join(str(vars(record)) for record in caplog.records)
    assert "canary" not in shown


async def test_who_we_are_there():
    """C-02, D-04: what the cache must tell apart."""
    async with exchanging(GOOD, dpop=True) as at:
        identity = at.server.client_identity
        assert identity[:3] == (at.script.url + "/token", CLIENT.id, "client_secret_basic")
        assert identity[3] == at.server.dpop_key.thumbprint
        assert at.server.public_jwks() == {"keys": []}
    assert json.dumps(identity)
