"""RFC 8705 on real connections: the certificate that is shown, its swap, its refusal, and what is bound to it."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import jwt
import pytest

from proxy.config import models
from proxy.config.models import Client
from proxy.errors import AuthorizationServerUnavailable, ExchangeMisconfigured, ExchangeResponseInvalid
from proxy.exchange.transport import Outbound
from proxy.jose.certificates import load_certificates
from proxy.jose.encoding import encode_base64url
from proxy.upstream import ClientCertificate, TLSOptions
from tests.support.certificates import Authority, Issued, server_context, sign_itself
from tests.support.exchanging import ALICE, GOOD, REQUEST, TOKEN, Exchanging, exchanging, make_subject_token
from tests.support.issuer import NOW
from tests.support.kubelet import Volume
from tests.support.raw_upstream import RawUpstream, response
from tests.support.scripted_server import Asked, answer


def content(issued: Issued) -> dict[str, bytes]:
    return {"crt": issued.cert_file.read_bytes(), "key": issued.key_file.read_bytes()}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def volume(authority: Authority, tmp_path: Path) -> Volume:
    return Volume(tmp_path / "volume", content(authority.issue("first")))


@pytest.fixture
def meet(authority: Authority, volume: Volume) -> Any:
    """An exchange with a server that takes no connection without a certificate of the authority."""

    def meet(*script: Any, auth: str = "tls_client_auth", **settings: Any) -> Exchanging:
        tls = server_context(authority.issue("127.0.0.1"), client_ca=authority.ca_file)
        client = Client(id="0oa9", auth=auth, cert_file=volume / "crt", key_file=volume / "key")
        return exchanging(*script, tls=tls, client=client, ca_file=authority.ca_file, **settings)

    return meet


def thumbprint_of(asked: Asked) -> str:
    return encode_base64url(hashlib.sha256(asked.certificate).digest())


def thumbprint_in(volume: Volume) -> str:
    return load_certificates((volume / "crt").read_bytes())[0].thumbprint


def bound_to(thumbprint: Any, **claims: Any) -> bytes:
    claims = {"sub": "alice", "aud": "api://orders", "cnf": {"x5t#S256": thumbprint}} | claims
    return answer(200, TOKEN | {"access_token": jwt.encode(claims, "0" * 64)})


@pytest.mark.parametrize("auth", ["tls_client_auth", "self_signed_tls_client_auth"])
async def test_the_certificate_is_shown(meet, volume, auth):
    """RFC 8705 §2: client_id in the form, and nothing else of ours but the handshake."""
    async with meet(GOOD, auth=auth) as at:
        await at.server.grant(REQUEST, ALICE)
        [asked] = at.asked
        ours = {name: value for name, value in asked.form.items() if name.startswith("client_")}
        assert ours == {"client_id": "0oa9"}
        assert "authorization" not in asked.headers
        assert thumbprint_of(asked) == thumbprint_in(volume)


async def test_metadata_and_keys_need_no_certificate(meet, authority):
    """It is shown where we authenticate, and to nobody else."""
    async with meet(GOOD) as at:
        with pytest.raises(AuthorizationServerUnavailable):
            await at.server.get(at.script.url)  # which this server does not let in
        await at.server.grant(REQUEST, ALICE)


async def test_the_next_request_shows_the_new_pair(meet, authority, volume):
    """Contract 8: at once, even where a connection with the old one is still open."""
    async with meet(GOOD) as at:
        expected = []
        for name in ("second", "third", "fourth"):
            expected.append(thumbprint_in(volume))
            await at.server.grant(REQUEST, make_subject_token(name))
            volume.update(content(authority.issue(name)))
        assert [thumbprint_of(asked) for asked in at.asked] == expected
        assert len(set(expected)) == 3


async def test_requests_under_way_end_as_they_began(meet, authority, volume):
    """Contract 8: a swap fails none of them."""
    gate = asyncio.Event()

    async def wait(_asked: Asked) -> bytes:
        await gate.wait()
        return GOOD

    async with meet(wait) as at:
        users = [make_subject_token(str(number)) for number in range(3)]
        slow = asyncio.gather(*(at.server.grant(REQUEST, user) for user in users))
        while len(at.asked) < 3:
            await asyncio.sleep(0)
        volume.update(content(authority.issue("second")))
        quick = asyncio.create_task(at.server.grant(REQUEST, ALICE))
        while len(at.asked) < 4:
            await asyncio.sleep(0)
        gate.set()
        assert len([*await slow, await quick]) == 4
        assert len({thumbprint_of(asked) for asked in at.asked}) == 2


async def test_halves_that_do_not_belong_together(meet, authority, volume, caplog):
    """Contract 8: the old pair stays and this is told, to the log and to the status page."""
    before, odd = thumbprint_in(volume), content(authority.issue("second"))
    async with meet(GOOD) as at:
        await at.server.grant(REQUEST, ALICE)
        volume.update({"crt": odd["crt"], "key": (volume / "key").read_bytes()})
        await at.server.grant(REQUEST, ALICE)
        assert [thumbprint_of(asked) for asked in at.asked] == [before, before]
        assert at.server.status().client_validity.fault
        assert "new credentials are not usable" in caplog.text


async def test_a_certificate_that_has_ended(meet, authority, volume):
    """Where a chain is checked: told by file and time, not as a server that cannot be reached."""
    async with meet(GOOD) as at:
        at.clock.now = load_certificates((volume / "crt").read_bytes())[0].expires_at
        with pytest.raises(ExchangeMisconfigured, match=r"the certificate in .*/crt ended at .* \(exp \d+\)"):
            await at.server.grant(REQUEST, ALICE)
        assert at.asked == []


async def test_a_self_signed_certificate_that_has_ended(tmp_path):
    """RFC 8705 §2.2: its chain is not checked, so its end is for the server to judge."""
    own = sign_itself(tmp_path, lasts=-dt.timedelta(hours=1))
    client = Client(
        id="a", auth="self_signed_tls_client_auth", cert_file=own.cert_file, key_file=own.key_file
    )
    authority = Authority(tmp_path)
    tls = server_context(authority.issue("127.0.0.1"))
    async with exchanging(GOOD, tls=tls, client=client, ca_file=authority.ca_file) as at:
        at.clock.now = NOW
        assert await at.server.grant(REQUEST, ALICE)


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[int]:
    """A server whose handshakes end as those of most do: asyncio's own closes without the alert.

    It reads on until its caller is gone: a reset would overtake the alert.
    """

    def serve() -> None:
        with suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                with accepted.dup() as raw, suppress(OSError):
                    raw.settimeout(5)
                    with suppress(ssl.SSLError):
                        context.wrap_socket(accepted, server_side=True)
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_refused_certificate_is_no_outage(meet, authority, tmp_path, version):
    """RFC 8446 §6.2: the alert is ours to mend; it opens no breaker and is not tried again."""
    (tmp_path / "other").mkdir()
    context = server_context(authority.issue("127.0.0.1"), client_ca=Authority(tmp_path / "other").ca_file)
    context.maximum_version = version
    with refusing(context) as port:
        async with meet(GOOD, token_url=f"https://127.0.0.1:{port}/token") as at:
            for _ in range(7):
                with pytest.raises(
                    ExchangeMisconfigured, match="refuses our certificate: TLS alert_"
                ) as refused:
                    await at.server.grant(REQUEST, ALICE)
            assert refused.value.remedy.startswith("Compare the certificate in client.cert_file")
            assert not at.server.status().breaker_open
            assert at.records[-1].tries == 1


async def test_other_failures_remain_outages(meet, volume):
    """A server that is away is away."""
    async with meet(GOOD) as at:
        at.script._server.close()
        with pytest.raises(AuthorizationServerUnavailable):
            await at.server.grant(REQUEST, ALICE)


async def test_plain_http_shows_no_certificate(authority, volume):
    """Refused with its remedy, and nothing is sent: nobody would know who asks."""
    client = Client(id="a", auth="tls_client_auth", cert_file=volume / "crt", key_file=volume / "key")
    async with exchanging(GOOD, client=client) as at:
        with pytest.raises(ExchangeMisconfigured, match="needs https"):
            await at.server.grant(REQUEST, ALICE)
        assert at.asked == []


async def test_a_token_bound_to_our_certificate(meet, volume):
    """RFC 8705 §3: it is taken, and ends with the certificate at the latest."""
    thumbprint = thumbprint_in(volume)
    async with meet(bound_to(thumbprint, exp=4_000_000_000)) as at:
        token = await at.server.grant(REQUEST, ALICE)
        assert (token.certificate, token.bound, token.token_type) == (thumbprint, True, "Bearer")
        end = load_certificates((volume / "crt").read_bytes())[0].expires_at
        assert token.expires_at == min(end, NOW + 300)


async def test_a_token_bound_before_a_rotation(meet, authority, volume):
    """The answer may have been under way when the file changed."""
    thumbprint = thumbprint_in(volume)
    async with meet(bound_to(thumbprint)) as at:
        volume.update(content(authority.issue("second")))
        await at.server.grant(REQUEST, ALICE)
        assert (await at.server.grant(REQUEST, ALICE)).certificate == thumbprint


@pytest.mark.parametrize(
    ("cnf", "reason"),
    [("strange", "not ours"), (7, "no text"), (["a"], "no text")],
)
async def test_a_token_bound_to_something_else(meet, cnf, reason):
    """Nobody could use it, so it is not passed on: told with a remedy."""
    async with meet(bound_to(cnf)) as at:
        with pytest.raises(ExchangeResponseInvalid, match=reason) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert refused.value.remedy


async def test_without_a_certificate_no_token_may_be_bound_to_one():
    """A client with a secret has none to show."""
    async with exchanging(bound_to("strange")) as at:
        with pytest.raises(ExchangeResponseInvalid, match="not ours") as refused:
            await at.server.grant(REQUEST, ALICE)
        assert "tls_client_certificate_bound_access_tokens" in refused.value.remedy


@asynccontextmanager
async def tunnelling() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A forward proxy that tunnels (RFC 9110 §9.3.6): its URL, and what it was asked for."""
    asked: list[bytes] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = asked[-1].split(b" ")[1].decode().partition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    try:
        yield "http://127.0.0.1:{}".format(*server.sockets[0].getsockname()[1:]), asked
    finally:
        server.close()


async def test_through_a_forward_proxy(meet, authority, volume):
    """RFC 8705: the certificate is for the server behind it, and is swapped there as well."""
    async with tunnelling() as (url, asked), meet(GOOD, proxy_url=url) as at:
        expected = []
        for name in ("second", "third"):
            expected.append(thumbprint_in(volume))
            await at.server.grant(REQUEST, make_subject_token(name))
            volume.update(content(authority.issue(name)))
        assert [thumbprint_of(one) for one in at.asked] == expected
        assert all(line.startswith(b"CONNECT ") for line in asked)


async def test_connections_of_the_old_certificate_end(authority, volume, tmp_path):
    """They are not used again, and none is left once the requests that they carry have had their time."""
    settings = models.AuthorizationServer(issuer="https://as.example", timeout=0.5, ca_file=authority.ca_file)
    tls = TLSOptions(ca_file=authority.ca_file, cert_file=volume / "crt", key_file=volume / "key")
    certificate = ClientCertificate(tls)
    context = server_context(authority.issue("localhost"), client_ca=authority.ca_file)
    async with RawUpstream([response(b"{}")], tls=context) as server:
        outbound = Outbound(settings)
        for _ in range(2):
            await outbound.post(server.url, {}, b"a=b", certificate=certificate.current())
        [old] = server.connections
        volume.update(content(authority.issue("second")))
        await outbound.post(server.url, {}, b"a=b", certificate=certificate.current())
        await asyncio.wait_for(old.closed.wait(), 5)
        assert server.open_connections == 1
        await outbound.aclose()
        assert all([await asyncio.wait_for(one.closed.wait(), 5) for one in server.connections])
