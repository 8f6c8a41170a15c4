"""Who may ask the admin side for what."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from proxy.admin import build_admin
from proxy.app import build_app
from proxy.config.load import parse_settings

OWN = "127.0.0.1:9090"
PURGE = {"issuer": "https://issuer.example", "subject": "alice"}


def build_client(admin: dict[str, object] | None = None, server: str = "127.0.0.1") -> httpx.AsyncClient:
    """The admin side of a proxy that has nothing to do, as called at ``server``."""
    route = {"name": "public", "path": "/", "upstream": "http://127.0.0.1:9", "grant": "none"}
    side = build_admin(build_app(parse_settings({"routes": [route], "admin": admin or {}})))

    async def called_at(scope, receive, send):
        await side({**scope, "server": (server, 9090)}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(called_at), base_url=f"http://{OWN}")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (OWN, 200),
        ("localhost:9090", 200),
        ("LOCALHOST:9090", 200),
        ("localhost:19090", 200),
        ("localhost", 200),
        ("[::1]:9090", 200),
        ("[0:0:0:0:0:0:0:1]:9090", 200),
        ("10.0.0.7:9090", 421),
        ("evil.example", 421),
        ("evil.example:9090", 421),
        ("localhost.evil.example:9090", 421),
        ("127.0.0.1.evil.example:9090", 421),
        ("localhost:9090@evil.example", 421),
        ("[::1]evil:9090", 421),
        ("[evil]:9090", 421),
        ("", 421),
    ],
)
async def test_host(host, status):
    """O-02: every name but a loopback one or our own is refused, so that rebinding a name gains nothing."""
    async with build_client() as client:
        for method, path in (("GET", "/"), ("GET", "/api/status"), ("POST", "/api/purge")):
            json = PURGE if method == "POST" else None
            answer = await client.request(method, path, json=json, headers={"Host": host})
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("admin.example:9090", 200),
        ("10.0.0.7:9090", 200),
        ("admin.example:9091", 421),
        ("admin.example", 421),
    ],
)
async def test_configured_host(host, status, token_file):
    """The configured name and the address that was called are ours, at our port."""
    admin = {"host": "admin.example", "token_file": str(token_file)}
    async with build_client(admin, server="10.0.0.7") as client:
        headers = {"Host": host, "Authorization": "Bearer swordfish-7f3a"}
        assert (await client.get("/api/status", headers=headers)).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_orchestrators_ask_needs_no_name(path):
    """O-01: probes and scrapes come by any name."""
    async with build_client() as client:
        assert (await client.get(path, headers={"Host": "obo-proxy.svc"})).status_code in (200, 503)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": f"http://{OWN}"}, 200),
        ({"Origin": f"http://{OWN}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": f"https://{OWN}"}, 403),
        ({"Origin": f"https://{OWN}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": f"https://{OWN}", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": f"https://{OWN}", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": f"ftp://{OWN}", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "https://127.0.0.1", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": f"http://{OWN}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": f"http://{OWN}", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/purge", "/api/inspect"])
async def test_origin(path, headers, status):
    """C-25: another site's request changes nothing, whatever else it brings; a program sends no Origin.

    Behind something that ends TLS the browser's https counts as ours where it vouches for the rest.
    """
    body = PURGE if path == "/api/purge" else {"token": "not-a-token-but-long", "route": "public"}
    async with build_client() as client:
        assert (await client.post(path, json=body, headers=headers)).status_code == status


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "admin-token"
    path.write_text("swordfish-7f3a\n")
    return path


def basic(password: str) -> str:
    return "Basic " + b64encode(f"admin:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer swordfish-7f3a", 200),
        ("bearer swordfish-7f3a", 200),
        (basic("swordfish-7f3a"), 200),
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer swordfish-7f3", 401),
        ("Bearer swordfish-7f3a,x", 401),
        ("Digest swordfish-7f3a", 401),
        (basic("wrong"), 401),
        ("Basic %%%", 401),
        ("Basic c3dvcmRmaXNo", 401),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/api/status", "/api/config", "/metrics", "/static/style.css"])
async def test_token(token_file, authorization, status, path):
    """With a token file everything but health asks for its token, as bearer or as a browser's password."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with build_client({"token_file": str(token_file)}) as client:
        answer = await client.get(path, headers=headers)
        assert answer.status_code == status
        assert ("www-authenticate" in answer.headers) == (status == 401)
        assert (await client.get("/healthz")).status_code == 200


async def test_two_credentials_are_none(token_file):
    """Which of them would count is nobody's to choose."""
    fields = [("Authorization", "Bearer swordfish-7f3a"), ("Authorization", "Bearer x")]
    async with build_client({"token_file": str(token_file)}) as client:
        assert (await client.get("/", headers=fields)).status_code == 401


async def test_without_a_readable_token_nobody_is_let_in(tmp_path):
    """It fails closed: neither a missing nor an empty file opens the door."""
    path = tmp_path / "admin-token"
    path.write_text("once")
    async with build_client({"token_file": str(path)}) as client:
        path.unlink()
        for authorization in ("Bearer ", "Bearer", basic("")):
            assert (await client.get("/", headers={"Authorization": authorization})).status_code == 503
        path.write_text("\n")
        assert (await client.get("/", headers={"Authorization": "Bearer "})).status_code == 503


async def test_the_token_is_read_again(token_file):
    """A rotated token counts at once."""
    async with build_client({"token_file": str(token_file)}) as client:
        assert (await client.get("/", headers={"Authorization": "Bearer swordfish-7f3a"})).status_code == 200
        token_file.write_text("another-token")
        assert (await client.get("/", headers={"Authorization": "Bearer swordfish-7f3a"})).status_code == 401
        assert (await client.get("/", headers={"Authorization": "Bearer another-token"})).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/status", "/healthz", "/nowhere", "/static/refresh.js"])
async def test_headers(path):
    """Nothing is kept, framed, sniffed or loaded from elsewhere."""
    async with build_client() as client:
        headers = (await client.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
