"""Callers whose tokens are bound to their certificate show it, or nothing of theirs goes on (RFC 8705 §3)."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.jose.certificates import load_certificates
from tests.support.certificates import Authority, Issued, sign_itself
from tests.support.prover import Prover
from tests.support.proxy import Running, running
from tests.support.raw_client import RawClient, Truncated, connected

ALICE = Prover()
HANDSHAKE = (
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def confirm(issued: Issued) -> dict[str, Any]:
    """What binds a token to that certificate."""
    [certificate] = load_certificates(issued.cert_file.read_bytes())
    return {"cnf": {"x5t#S256": certificate.thumbprint}}


class Stage:
    """A proxy that serves TLS, the authority of its callers' certificates, and two of these."""

    def __init__(self, demo: Demo, folder: Path) -> None:
        self.demo = demo
        self.authority = Authority(folder)
        self.own = self.authority.issue("proxy")
        self.alices, self.bobs = self.authority.issue("alice"), self.authority.issue("bob")
        self.token = demo.mint("alice", claims=confirm(self.alices))

    def configure(self, *, sees: bool = True, **entry: Any) -> dict[str, Any]:
        raw = self.demo.settings()
        tls = {"cert_file": str(self.own.cert_file), "key_file": str(self.own.key_file)}
        ca = {"client_ca_file": str(self.authority.ca_file)} if sees else {}
        raw["listen"] = {"tls": tls | ca, "external_url": "https://api.example.com"}
        raw["protected_resource_metadata"] = True
        for one in raw["subject_tokens"]:
            one.update(entry)
        return raw

    @asynccontextmanager
    async def connect(self, proxy: Running, shown: Issued | None) -> AsyncIterator[RawClient]:
        """A connection on which that certificate is shown."""
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        context.check_hostname = False
        if shown is not None:
            context.load_cert_chain(shown.cert_file, shown.key_file)
        async with connected(proxy.server.address, tls=context) as client:
            yield client

    async def ask(self, client: RawClient, token: str, more: str = "", scheme: str = "Bearer") -> Any:
        connection = "Upgrade" if more else "keep-alive"
        head = f"GET /orders/1 HTTP/1.1\r\nHost: api\r\nConnection: {connection}\r\n{more}"
        await client.send(f"{head}Authorization: {scheme} {token}\r\n\r\n".encode())
        return await client.response()


@pytest.fixture
def stage(demo: Demo, tmp_path: Path) -> Stage:
    return Stage(demo, tmp_path)


async def test_the_certificate_of_the_connection(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every request, but found once: the token is of use to nobody else, nor without any."""
    async with running(stage.configure()) as proxy:
        async with stage.connect(proxy, stage.alices) as client:
            for _ in range(2):
                answer = await stage.ask(client, stage.token)
                assert (answer.status, json.loads(answer.body)["on_behalf_of"]) == (200, "alice")
                monkeypatch.setattr("proxy.server.protocol.find_client_certificate", None)
        monkeypatch.undo()
        seen = len(stage.demo.api_requests)
        for shown in (stage.bobs, None):
            for more in ("", HANDSHAKE):
                async with stage.connect(proxy, shown) as client:
                    answer = await stage.ask(client, stage.token, more)
                    assert (answer.status, json.loads(answer.body)["code"]) == (401, "subject_token_invalid")
                    assert 'error="invalid_token"' in str(answer.headers)
        assert len(stage.demo.api_requests) == seen
        async with stage.connect(proxy, None) as client:
            assert (await stage.ask(client, stage.demo.mint("alice"))).status == 200


async def test_a_websocket_shows_it_too(stage: Stage) -> None:
    async with running(stage.configure()) as proxy, stage.connect(proxy, stage.alices) as client:
        assert (await stage.ask(client, stage.token, HANDSHAKE)).status != 401


async def test_certificates_of_nobody_known(stage: Stage, tmp_path: Path) -> None:
    """Their handshake fails: whom they name has not been verified."""
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("alice")
    async with running(stage.configure()) as proxy:
        with pytest.raises((OSError, Truncated)):
            async with stage.connect(proxy, stranger) as client:
                await stage.ask(client, stage.token)
    assert not stage.demo.api_requests


async def test_a_certificate_that_signs_itself(stage: Stage, tmp_path: Path) -> None:
    """Its own authority, where it is named as one."""
    alices = sign_itself(tmp_path, "alice")
    raw = stage.configure()
    raw["listen"]["tls"]["client_ca_file"] = str(alices.cert_file)
    async with running(raw) as proxy, stage.connect(proxy, alices) as client:
        assert (await stage.ask(client, stage.demo.mint("alice", claims=confirm(alices)))).status == 200


async def test_where_none_can_be_shown(stage: Stage) -> None:
    """A proxy that does not ask for certificates takes no token that is bound to one."""
    async with (
        running(stage.configure(sees=False)) as proxy,
        stage.connect(proxy, stage.alices) as client,
    ):
        answer = await stage.ask(client, stage.token)
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "subject_token_invalid")


async def test_both(stage: Stage) -> None:
    """A token that is bound to a key and to a certificate needs both."""
    bound = {"cnf": confirm(stage.alices)["cnf"] | ALICE.confirmation["cnf"]}
    token = stage.demo.mint("alice", claims=bound)
    url = "https://api.example.com/orders/1"
    async with running(stage.configure(dpop="accept")) as proxy:
        for shown, status in ((stage.alices, 200), (stage.bobs, 401), (None, 401)):
            async with stage.connect(proxy, shown) as client:
                proof = f"DPoP: {ALICE.prove(url, token)}\r\n"
                assert (
                    await stage.ask(client, token + "\r\n" + proof.rstrip(), scheme="DPoP")
                ).status == status
        async with stage.connect(proxy, stage.alices) as client:
            assert (await stage.ask(client, token)).status == 401


async def test_metadata(stage: Stage) -> None:
    """RFC 9728 §2."""
    async with running(stage.configure()) as proxy, stage.connect(proxy, None) as client:
        path = "/.well-known/oauth-protected-resource/orders"
        await client.send(f"GET {path} HTTP/1.1\r\nHost: api\r\n\r\n".encode())
        document = json.loads((await client.response()).body)
        assert document["tls_client_certificate_bound_access_tokens"] is True
        assert "dpop_bound_access_tokens_required" not in document
