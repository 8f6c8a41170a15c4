"""The stage as a whole: servers that come and go, ready configuration, altered tokens."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import httpx
import jwt
import pytest

from proxy.config.load import load_settings, parse_settings
from proxy.config.units import Secret
from proxy.demo import Demo
from proxy.demo.clients import Way
from proxy.demo.listener import is_free
from proxy.demo.welcome import build_welcome
from tests.support.demo import FORGERIES, decode
from tests.support.proxy import PLAIN, running


async def get(url):
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as http:
        return await http.get(url)


async def test_stops_and_starts(demo):
    """A stopped server refuses connections; started again it answers at the same place."""
    url = f"{demo.issuer()}/v1/keys"
    await demo.authorization_server.stop()
    await demo.authorization_server.stop()
    with pytest.raises(httpx.ConnectError):
        await get(url)
    await demo.authorization_server.start()
    assert (await get(url)).status_code == 200
    assert demo.calls["keys"] == 1


async def test_stopping_breaks_off_what_is_held(demo):
    """A request that waits when the server stops gets no answer."""
    demo.faults.hold("keys")
    waiting = asyncio.create_task(get(f"{demo.issuer()}/v1/keys"))
    await demo.calls.reach("keys", 1)
    await demo.authorization_server.stop()
    with pytest.raises(httpx.TransportError):
        await waiting


async def test_ends_with_requests_held():
    """Leaving the block ends everything, whatever waits."""
    async with Demo() as running:
        running.faults.hold("keys")
        waiting = asyncio.create_task(get(f"{running.issuer()}/v1/keys"))
        await running.calls.reach("keys", 1)
    with pytest.raises(httpx.TransportError):
        await waiting


async def test_settings_are_the_proxys(demo):
    """The raw configuration is taken by the proxy's own parser, with a secret and with a key, with DPoP and without."""
    settings = parse_settings(demo.settings())
    assert [route.name for route in settings.routes] == ["orders", "profile", "payroll", "reports", "public"]
    assert settings.authorization_servers["orders"].issuer == demo.issuer("orders")
    keyed = parse_settings(demo.settings(private_key_jwt=True, dpop=True))
    assert keyed.authorization_servers["orders"].client.key_id == demo.private_key_id
    assert keyed.authorization_servers["orders"].dpop
    assert stat.S_IMODE(demo.private_key_file.stat().st_mode) == 0o600


async def test_settings_overridden(demo):
    """Whole top-level keys can be replaced."""
    assert demo.settings(cache={"max_entries": 8})["cache"] == {"max_entries": 8}


async def test_mint(demo):
    """Tokens as wished: for whom, by which server and client, for what, how long, with which claims."""
    claims = decode(
        demo.mint(
            "zoe",
            server="orders",
            audience=["a", "b"],
            scopes=["s"],
            expires_in=-5,
            client_id="c",
            claims={"acr": "x"},
        )
    )
    assert claims["iss"] == demo.issuer("orders")
    assert (claims["sub"], claims["aud"], claims["scp"], claims["cid"]) == ("zoe", ["a", "b"], ["s"], "c")
    assert claims["exp"] == claims["iat"] - 5
    assert claims["acr"] == "x"
    assert "." not in demo.mint_opaque("alice")


async def test_two_demos_of_other_names():
    """Demos of other names share no keys, and those of one name do."""
    async with Demo(name="one") as one, Demo(name="two") as two, Demo(name="one") as again:
        kids = [each.tenant.servers["default"].keys.kid for each in (one, two, again)]
    assert kids[0] == kids[2] != kids[1]


@pytest.mark.parametrize("kind", FORGERIES)
async def test_forgeries_differ(demo, kind):
    """Each altered copy is a token of three parts that is not the original."""
    token = demo.mint()
    forged = FORGERIES[kind](demo, token)
    assert forged != token
    assert forged.count(".") == 2
    assert jwt.get_unverified_header(token)["alg"] == "RS256"


async def test_each_server_alone():
    """`python -m proxy.demo` serves with the issuer that it is told, and ends in order."""
    process = await _run("authorization-server", "--org-url", "http://okta.test:8000")
    url = (await process.stdout.readline()).decode().split()[-1]
    metadata = (await get(f"{url}/oauth2/default/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == "http://okta.test:8000/oauth2/default"
    api = await _run("orders-api", "--org-url", url)
    api_url = (await api.stdout.readline()).decode().split()[-1]
    assert (await get(f"{api_url}/orders")).status_code == 401
    for each, number in ((process, signal.SIGTERM), (api, signal.SIGINT)):
        each.send_signal(number)
        assert await each.wait() == 0


async def _run(*arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy.demo", *arguments, stdout=asyncio.subprocess.PIPE
    )


async def test_fixed_ports():
    """Ports can be chosen."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Demo(authorization_server_port=port) as running:
        assert running.org_url == f"http://127.0.0.1:{port}"
        assert (await get(f"{running.issuer()}/v1/keys")).status_code == 200


async def test_port_taken():
    """A port that another listens on is not free, and cannot be had."""
    async with Demo() as running:
        port = running.authorization_server.port
        assert not is_free("127.0.0.1", port)
        with pytest.raises(OSError, match="in use"):
            await Demo(authorization_server_port=port).__aenter__()
    assert is_free("127.0.0.1", port)


async def test_welcome(demo):
    """The running demo's greeting has every address, and tokens that are good to paste."""
    text = build_welcome(demo, "http://proxy.test", "http://admin.test")
    for address in ("http://proxy.test", "http://admin.test", demo.org_url, demo.api_url):
        assert address in text
    assert decode(text.partition("BOB='")[2].partition("'")[0])["sub"] == "bob"
    assert "Not for production" in text


async def test_configuration_file_in_step(demo):
    """config/demo.yaml, for containers, is what the demo configures the proxy with."""
    folder = Path(__file__).parents[2] / "config"
    secret_file = folder / "compose" / "demo-client-secret"
    shipped = load_settings(
        folder / "demo.yaml",
        {
            "DEMO_ORG_URL": demo.org_url,
            "DEMO_API_URL": demo.api_url,
            "DEMO_CLIENT_SECRET_FILE": str(secret_file),
        },
    )
    built = parse_settings(demo.settings())
    assert (shipped.routes, shipped.subject_tokens) == (built.routes, built.subject_tokens)
    secret = {"secret_file": None, "secret": Secret(secret_file.read_text().strip())}
    servers = {
        name: replace(server, allow_http=False, client=replace(server.client, **secret))
        for name, server in shipped.authorization_servers.items()
    }
    assert servers == built.authorization_servers


@pytest.mark.parametrize("way", [None, *get_args(Way)])
async def test_each_way_to_prove_who_we_are(demo, way):
    """The configuration for each is sound, and the authorization server takes what the proxy makes of it."""
    async with running(demo.settings(way=way)) as proxy:
        answer = await proxy.get("/orders/1", demo.mint("alice"))
        assert (answer.status_code, answer.json()["on_behalf_of"]) == (200, "alice")
        if way == "certificate":
            assertion = demo.requests[-1].form["client_assertion"]
            assert set(jwt.get_unverified_header(assertion)) == {"alg", "typ", "x5t#S256"}
