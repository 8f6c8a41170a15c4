"""The application asks for its own header, with the requests that Microsoft's client package makes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import PLAIN, Running, running

from .asking import send
from .conftest import build_settings
from .test_authorizer import code_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNAUTHENTICATED = "/AuthorizationHeaderUnauthenticated/reports"
# What microsoft-agents-authentication-entra-auth-sidecar 1.9.0 sends for get_access_token(url, ["orders:read"]).
ACCESS_TOKEN = f"{UNAUTHENTICATED}?optionsOverride.Scopes=orders%3Aread&optionsOverride.RequestAppToken=true"
FORCED = f"{ACCESS_TOKEN}&optionsOverride.AcquireTokenOptions.ForceRefresh=true"


async def get(proxy: Running, target: str, token: str | None = None, **fields: str):
    """As httpx asks, which the package uses."""
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    lines = {
        "Host": "localhost:8070",
        "Accept": "*/*",
        "User-Agent": "python-httpx/0.28.1",
        **bearer,
        **fields,
    }
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return await send(proxy, f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())


def claims_of(answer: Any) -> dict[str, Any]:
    """Of the token in the answer, which nothing keeps."""
    assert (answer.status, answer.header(b"content-type")) == (200, b"application/json"), answer
    assert answer.header(b"cache-control") == b"no-store"
    document = json.loads(answer.body)
    assert list(document) == ["authorizationHeader"]
    scheme, _, token = document["authorizationHeader"].partition(" ")
    assert scheme == "Bearer"
    return decode(token)


async def test_the_users_header(demo: Demo, proxy: Running):
    """The route's audience and scopes, for whose bearer comes along."""
    claims = claims_of(await get(proxy, "/AuthorizationHeader/orders", demo.mint("alice")))
    assert (claims["sub"], claims["aud"], claims["scp"]) == ("alice", "api://orders", ["orders:read"])
    assert code_of(await get(proxy, "/AuthorizationHeader/orders")) == (401, "subject_token_missing")
    assert code_of(await get(proxy, "/AuthorizationHeader/payroll", demo.mint("bob"))) == (
        403,
        "exchange_denied",
    )


async def test_the_applications_own_header(demo: Demo, proxy: Running):
    """Of a route without a user, from the cache but where a fresh one is asked for."""
    claims = claims_of(await get(proxy, ACCESS_TOKEN))
    assert (claims["sub"], claims["scp"]) == (claims["cid"], ["orders:read"])
    assert claims_of(await get(proxy, UNAUTHENTICATED)) == claims
    assert claims_of(await get(proxy, FORCED))["jti"] != claims["jti"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/AuthorizationHeader/reports", 404),
        ("/AuthorizationHeaderUnauthenticated/orders", 404),
        ("/AuthorizationHeaderUnauthenticated/public", 404),
        ("/AuthorizationHeader/public", 404),
        ("/AuthorizationHeader/", 404),
        ("/AuthorizationHeader/nobody", 404),
        ("/AuthorizationHeader/orders/", 404),
        ("/AuthorizationHeader/orders?optionsOverride.RequestAppToken=true", 400),
        (f"{UNAUTHENTICATED}?optionsOverride.Scopes=orders%3Awrite", 400),
        (f"{UNAUTHENTICATED}?optionsOverride.RequestAppToken=perhaps", 400),
        (f"{UNAUTHENTICATED}?AgentIdentity=a&AgentUsername=alice%40example.com", 400),
        (f"{UNAUTHENTICATED}?optionsOverride.AcquireTokenOptions.Tenant=other", 400),
        (f"{UNAUTHENTICATED}?unknown", 400),
        (f"{UNAUTHENTICATED}?{'&'.join(['optionsOverride.Scopes=orders%3Aread'] * 65)}", 400),
    ],
)
async def test_what_a_route_does_not_do_is_refused(demo: Demo, proxy: Running, target: str, status: int):
    """Nothing that is asked for is passed over in silence."""
    answer = await get(proxy, target, demo.mint("alice"))
    assert code_of(answer) == (status, "no_route" if status == 404 else "bad_request")


@pytest.mark.parametrize(
    "fields",
    [{"Host": "rebound.example:8070"}, {"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}],
)
async def test_no_page_of_a_browser_is_given_a_token(demo: Demo, proxy: Running, fields: dict[str, str]):
    """Nor one that has its own name point here."""
    for target in (UNAUTHENTICATED, "/AuthorizationHeader/orders"):
        answer = await get(proxy, target, demo.mint("alice"), **fields)
        assert code_of(answer) == (403, "cross_site_refused")


async def test_health(proxy: Running):
    """The package's ``is_healthy``."""
    answer = await get(proxy, "/healthz")
    assert (answer.status, answer.body) == (200, b"")


async def test_other_methods_are_refused(proxy: Running):
    head = f"POST {UNAUTHENTICATED} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    assert code_of(await send(proxy, head.encode())) == (405, "method_not_allowed")


async def test_over_a_unix_socket(demo: Demo, tmp_path):
    """Which its account and group may use; what an ended process left there is taken over, what lives is not."""
    path = tmp_path / "obo.sock"
    settings = build_settings(demo, host=f"unix:{path}")
    for _ in range(2):
        async with running(settings) as proxy:
            assert proxy.server.authorizer_address == str(path)
            assert path.stat().st_mode & 0o777 == 0o660
            transport = httpx.AsyncHTTPTransport(uds=str(path), verify=PLAIN)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                answer = await client.get(ACCESS_TOKEN)
                assert answer.json()["authorizationHeader"].startswith("Bearer ")
            with pytest.raises(OSError, match="another process listens there"):
                async with running(settings):
                    pass
    path.unlink(missing_ok=True)
    path.write_text("somebody's file")
    with pytest.raises(OSError, match="in use"):
        async with running(settings):
            pass
    assert path.read_text() == "somebody's file"
