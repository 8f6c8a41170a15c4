"""``obo-proxy login`` against the demo's authorization server, the browser played by the test."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import yaml

from proxy.cli import main
from proxy.demo import Demo
from proxy.exchange.token_response import parse_claims
from tests.support.proxy import PLAIN


class Terminal(io.StringIO):
    """What a command writes; ``address`` is the first line that is a URL, once it is there."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self.address: asyncio.Future[str] = self._loop.create_future()

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.startswith("http"):
                self._loop.call_soon_threadsafe(self.address.set_result, line)
        return super().write(text)


class Login:
    """A login under way in a thread of its own, as the command runs it."""

    def __init__(self, file: Path, *options: str) -> None:
        self.out, self.err = io.StringIO(), Terminal()
        self._arguments = ["login", "--config", str(file), "--no-browser", *options]

    async def __aenter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(contextlib.redirect_stdout(self.out))
        self._stack.enter_context(contextlib.redirect_stderr(self.err))
        self._run = asyncio.create_task(asyncio.to_thread(main, self._arguments))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._run
        self._stack.close()

    async def status(self) -> int:
        return await self._run


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running:
        yield running


@pytest.fixture
def web(demo: Demo) -> str:
    return demo.tenant.clients["web"].id


@pytest.fixture
def file(demo: Demo, tmp_path: Path) -> Path:
    return write(tmp_path / "obo.yaml", demo.settings())


def write(path: Path, raw: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(raw))
    return path


async def choose(address: str, user: str) -> httpx.Response:
    """As the browser would: choose the user on the page, follow the redirect."""
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as browser:
        page = await browser.get(address)
        assert page.status_code == 200, page.text
        url = urlsplit(address)
        form = {**dict(parse_qsl(url.query)), "login": user}
        answer = await browser.post(url._replace(query="").geturl(), data=form)
        assert answer.status_code == 302, answer.text
        return await browser.get(answer.headers["location"])


async def test_the_token_alone_is_on_stdout(file: Path, web: str) -> None:
    """Contract 1: Authorization Code with PKCE; nothing but the user's token is printed on stdout."""
    async with Login(file, "--client-id", web) as login:
        page = await choose(await login.err.address, "alice")
        assert await login.status() == 0
    assert page.text == "Signed in. This window may be closed.\n"
    assert page.headers["cache-control"] == "no-store"
    token = login.out.getvalue()
    assert token.count("\n") == 1
    claims = parse_claims(token.strip())
    assert claims is not None
    assert claims["sub"] == "alice"
    assert token.strip() not in login.err.getvalue()


@pytest.mark.parametrize(("scope", "status"), [("openid orders:read", 0), ("orders:read", 1)])
async def test_the_id_token_for_routes_that_take_one(file: Path, web: str, scope: str, status: int) -> None:
    """--id-token: the one that OpenID Connect gives, which is for the client that signs in; or why there is none."""
    async with Login(file, "--client-id", web, "--id-token", "--scope", scope) as login:
        await choose(await login.err.address, "alice")
        assert await login.status() == status
    claims = parse_claims(login.out.getvalue().strip())
    if status:
        assert claims is None
        assert "let --scope hold openid" in login.err.getvalue()
        return
    assert claims is not None
    assert (claims["aud"], claims["preferred_username"]) == (web, "alice")


async def test_strangers_at_the_loopback_port_change_nothing(file: Path, web: str) -> None:
    """A page that guesses the port but not the state gets a 404, and the sign-in goes on."""
    async with Login(file, "--client-id", web) as login:
        address = await login.err.address
        redirect = dict(parse_qsl(urlsplit(address).query))["redirect_uri"]
        async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as stranger:
            for target in ("?code=forged&state=guessed", "?error=access_denied&state=guessed", ""):
                assert (await stranger.get(redirect + target)).status_code == 404
            assert (await stranger.post(redirect)).status_code == 404
        port = urlsplit(redirect).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 20_000)
        writer.write_eof()
        assert (await reader.read()).startswith(b"HTTP/1.1 404")
        writer.close()
        await choose(address, "bob")
        assert await login.status() == 0


async def test_a_refusal_is_told(file: Path, web: str) -> None:
    """The authorization server's error, on stderr, with exit 1."""
    async with Login(file, "--client-id", web) as login:
        page = await choose(await login.err.address, "carol")
        assert await login.status() == 1
    assert page.text.startswith("Signing in was refused")
    assert login.out.getvalue() == ""
    assert "signing in was refused: " in login.err.getvalue()


async def test_nobody_signs_in(file: Path, web: str) -> None:
    """The wait has an end."""
    async with Login(file, "--client-id", web, "--timeout", "0.05") as login:
        assert await login.status() == 1
    assert "nobody signed in within 0.05 s" in login.err.getvalue()


async def test_the_token_url_refuses(file: Path, web: str, demo: Demo) -> None:
    """What it said is told, without the code."""
    async with Login(file, "--client-id", web, "--scope", "openid orders:read") as login:
        address = await login.err.address
        assert dict(parse_qsl(urlsplit(address).query))["scope"] == "openid orders:read"
        demo.tenant.clients["web"].grant_types.add("other")
        state = dict(parse_qsl(urlsplit(address).query))["state"]
        redirect = dict(parse_qsl(urlsplit(address).query))["redirect_uri"]
        async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as browser:
            await browser.get(redirect, params={"code": "never-issued", "state": state})
        assert await login.status() == 1
    assert "the token URL answered 400 invalid_grant" in login.err.getvalue()
    assert "never-issued" not in login.err.getvalue()


async def test_the_proxys_own_client_authenticates(file: Path, demo: Demo) -> None:
    """Without --client-id the server's own client redeems the code, with its secret."""
    client = demo.tenant.clients["obo-proxy"]
    client.grant_types.add("authorization_code")
    async with Login(file) as login:
        await choose(await login.err.address, "alice")
        await login.status()
    (redemption,) = [one for one in demo.requests if one.path.endswith("/token")]
    assert dict(redemption.headers)["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--authorization-server", "nowhere"], "the configuration has no authorization server 'nowhere'"),
        (
            ["--authorization-server", "bare"],
            "this authorization server has no client: name one with --client-id",
        ),
        (["--port", "1"], "cannot listen on 127.0.0.1:1"),
    ],
)
async def test_what_cannot_begin(options: list[str], reason: str, demo: Demo, tmp_path: Path) -> None:
    """Said in a line, with exit 1."""
    raw = demo.settings()
    raw["authorization_servers"]["bare"] = {"issuer": demo.issuer("org")}
    if "--port" in options:
        blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = str(blocker.sockets[0].getsockname()[1])
        options, reason = ["--port", port], f"cannot listen on 127.0.0.1:{port}"
    async with Login(write(tmp_path / "obo.yaml", raw), *options) as login:
        assert await login.status() == 1
    if "--port" in options:
        blocker.close()
        await blocker.wait_closed()
    assert reason in login.err.getvalue()


async def test_a_server_that_is_not_there(tmp_path: Path, demo: Demo) -> None:
    """An outage is told as one."""
    raw = demo.settings()
    raw["authorization_servers"]["gone"] = {
        **raw["authorization_servers"]["default"],
        "issuer": "http://127.0.0.1:9/oauth2/default",
    }
    async with Login(write(tmp_path / "obo.yaml", raw), "--authorization-server", "gone") as login:
        assert await login.status() == 1
    assert "the authorization server cannot be reached" in login.err.getvalue()


async def test_a_server_without_metadata(tmp_path: Path, demo: Demo) -> None:
    """There is nowhere to sign in."""
    raw = demo.settings()
    raw["authorization_servers"]["lost"] = {
        **raw["authorization_servers"]["default"],
        "issuer": f"{demo.org_url}/oauth2/nowhere",
    }
    async with Login(write(tmp_path / "obo.yaml", raw), "--authorization-server", "lost") as login:
        assert await login.status() == 1
    assert "publishes no metadata, so there is nowhere to sign in" in login.err.getvalue()


async def test_no_subject_tokens_no_default_server(tmp_path: Path, demo: Demo) -> None:
    """A configuration without users does not say where they sign in."""
    raw = {"routes": [{"name": "a", "path": "/", "upstream": "http://a", "grant": "none"}]}
    async with Login(write(tmp_path / "obo.yaml", raw)) as login:
        assert await login.status() == 1
    assert "name a server with --authorization-server" in login.err.getvalue()
