"""Metadata and keys fetched over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import (
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    ProxyError,
)
from proxy.exchange.discovery import METADATA_AGE

from ..support.exchanging import ALICE, GOOD, REQUEST, exchanging
from ..support.scripted_server import HANG, RESET, Asked, ScriptedServer, answer

INSERTED = "/.well-known/oauth-authorization-server"
APPENDED = "/.well-known/openid-configuration"
KEYS = {"keys": []}


def site(*places: str, **changes: object):
    """Serves metadata at those places alone, and keys and tokens where it says."""

    def serve(asked: Asked) -> bytes:
        root = f"http://{asked.headers['host']}"
        if asked.target in places:
            named = {"issuer": root, "token_endpoint": f"{root}/token", "jwks_uri": f"{root}/keys"}
            return answer(200, named | changes)
        return {"/keys": answer(200, KEYS, cache_control="max-age=120"), "/token": GOOD}.get(
            asked.target, answer(404)
        )

    return serve


@pytest.mark.parametrize("place", [INSERTED, APPENDED])
async def test_either_form_of_metadata(place):
    """K-03: each alone works, for keys and for the token URL; it is fetched once."""
    async with exchanging(site(place), token_url=None) as at:
        keys = await at.server.fetch_signing_keys()
        assert (keys.body, keys.max_age) == (b'{"keys": []}', 120.0)
        assert await at.server.grant(REQUEST, ALICE)
        await at.server.fetch_signing_keys()
        assert [asked.target for asked in at.asked].count(place) == 1
        assert at.server.status().token_url == at.script.url + "/token"


async def test_a_page_in_place_of_metadata():
    """K-03: a site that answers every path with a page still has its second document."""

    def serve(asked: Asked) -> bytes:
        return answer(200, body=b"<html>") if asked.target == INSERTED else site(APPENDED)(asked)

    async with exchanging(serve) as at:
        assert (await at.server.fetch_metadata()).jwks_url


async def test_no_metadata_is_fetched_where_both_urls_are_given():
    """Contract 4: token_url and jwks_url say all."""
    async with exchanging(site(), jwks_url="{}/keys") as at:
        await at.server.fetch_signing_keys()
        await at.server.grant(REQUEST, ALICE)
        assert [asked.target for asked in at.asked] == ["/keys", "/token"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(404), ExchangeMisconfigured),
        (answer(302, location="http://169.254.169.254/"), ExchangeMisconfigured),
        (answer(200, {"issuer": "https://evil.example"}), ExchangeMisconfigured),
        (answer(200, body=b"<html>"), ExchangeMisconfigured),
        (answer(200, body=b" " * (1024 * 1024 + 1)), ExchangeResponseInvalid),
        (answer(500), AuthorizationServerUnavailable),
        (answer(429), AuthorizationServerUnavailable),
        (RESET, AuthorizationServerUnavailable),
        (HANG, AuthorizationServerTimeout),
    ],
)
async def test_metadata_that_cannot_be_had(said, kind):
    """K-02, K-07: told, and nothing believed."""
    async with exchanging(said, token_url=None, timeout=0.2) as at:
        with pytest.raises(kind):
            await at.server.fetch_metadata()
        with pytest.raises(ProxyError):
            await at.server.fetch_signing_keys()
        assert at.server.status().token_url is None


async def test_an_endpoint_that_is_not_named():
    """RFC 8414 §2: an endpoint may be left out; then the configuration must name it."""
    async with exchanging(site(INSERTED, token_endpoint=None), token_url=None) as at:
        with pytest.raises(ExchangeMisconfigured, match="token_url"):
            await at.server.grant(REQUEST, ALICE)
        with pytest.raises(ExchangeMisconfigured, match="introspection_url"):
            await at.server.introspect("t")


async def test_metadata_is_looked_at_anew_off_the_request_path():
    """K-02: after an hour, once; while it cannot be had the old one stays."""
    async with exchanging(site(INSERTED), token_url=None) as at:
        await at.server.grant(REQUEST, ALICE)
        at.script.script = (lambda asked: answer(500) if "well-known" in asked.target else GOOD,)
        at.clock.advance(METADATA_AGE)
        for _ in range(3):
            await at.server.grant(REQUEST, ALICE)
        await asyncio.gather(*at.background._tasks, return_exceptions=True)
        assert [asked.target for asked in at.asked].count(INSERTED) == 2
        assert await at.server.grant(REQUEST, ALICE)


async def test_many_at_once_fetch_metadata_once():
    """K-01: the others wait for the one."""
    async with exchanging(site(INSERTED), token_url=None) as at:
        await asyncio.gather(*(at.server.fetch_signing_keys() for _ in range(20)))
        assert [asked.target for asked in at.asked].count(INSERTED) == 1


@pytest.mark.parametrize(
    ("directives", "max_age"),
    [
        (None, None),
        ("max-age=60", 60.0),
        ("public, Max-Age=3600, must-revalidate", 3600.0),
        ("no-cache, no-store", 0.0),
        ("max-age=60, no-store", 0.0),
        ("s-maxage=60", None),
        ("max-age=soon", None),
    ],
)
async def test_how_long_keys_are_said_to_last(directives, max_age):
    """K-06: as said; who keeps them clamps it."""
    fields = {} if directives is None else {"cache_control": directives}
    async with exchanging(answer(200, KEYS, **fields), jwks_url="{}/keys") as at:
        assert (await at.server.fetch_signing_keys()).max_age == max_age


@pytest.mark.parametrize("said", [answer(404), answer(302, location="http://127.0.0.1/"), answer(500), RESET])
async def test_keys_that_cannot_be_had(said):
    """K-01, K-07: no redirect is followed; all is told as unavailable."""
    async with ScriptedServer(answer(200, KEYS)) as elsewhere, exchanging(said, jwks_url="{}/keys") as at:
        with pytest.raises(AuthorizationServerUnavailable):
            await at.server.fetch_signing_keys()
        assert elsewhere.asked == []
