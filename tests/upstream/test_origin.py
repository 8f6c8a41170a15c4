"""Where an upstream is, and whom we believe to be it."""

import asyncio
import datetime as dt
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.diagnosis.network import advise
from proxy.errors import UpstreamBroken, UpstreamUnreachable
from proxy.upstream import TLSOptions, Upstream
from proxy.upstream.origin import parse_origin
from tests.support.certificates import Authority, server_context
from tests.support.raw_upstream import CLOSE, RawConnection, RawUpstream, response

from .requests import fetch, read_all, send

Connect = Callable[..., Upstream]


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://orders", "orders:80"),
        ("http://orders:8080", "orders:8080"),
        ("https://orders", "orders:443"),
        ("https://[::1]:8443", "::1:8443"),
        ("unix:/run/orders.sock", "unix:/run/orders.sock"),
    ],
)
def test_parse(url: str, where: str) -> None:
    """An upstream is a host and a port, or a socket's path."""
    assert str(parse_origin(url, None)) == where


@pytest.mark.parametrize(
    "url", ["orders:8080", "ftp://orders", "http://", "unix:orders.sock", "//orders", ""]
)
def test_refuse(url: str) -> None:
    """Anything else is no upstream."""
    with pytest.raises(ValueError, match=r"upstream|neither"):
        parse_origin(url, None)


def test_context() -> None:
    """O-05: TLS 1.2 at least, with chain and host name checked."""
    context = parse_origin("https://orders", None).context
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


async def test_https(connect: Connect, tmp_path: Path) -> None:
    """O-05: an upstream whose certificate the given authority signed is spoken to, on a connection that is kept."""
    authority = Authority(tmp_path)
    async with RawUpstream([response(b"a")], tls=server_context(authority.issue())) as raw:
        upstream = connect(raw.url, tls=TLSOptions(ca_file=authority.ca_file))
        assert [await fetch(upstream) for _ in range(3)] == [(200, b"a")] * 3


async def test_server_name(connect: Connect, tmp_path: Path) -> None:
    """O-05: the name to expect may be given."""
    authority = Authority(tmp_path)
    async with RawUpstream([response(b"a")], tls=server_context(authority.issue("orders.internal"))) as raw:
        tls = TLSOptions(ca_file=authority.ca_file, server_name="orders.internal")
        assert await fetch(connect(raw.url, tls=tls)) == (200, b"a")


@pytest.mark.parametrize("fault", ["unknown authority", "other host", "expired"])
async def test_untrusted(connect: Connect, tmp_path: Path, fault: str) -> None:
    """O-05: a certificate that does not prove the host gets no byte of a request."""
    authority = Authority(tmp_path)
    issued = authority.issue(
        "elsewhere" if fault == "other host" else "localhost",
        lasts=dt.timedelta(days=-1 if fault == "expired" else 1),
    )
    trusted = Authority(tmp_path, "another") if fault == "unknown authority" else authority
    async with RawUpstream(tls=server_context(issued)) as raw:
        upstream = connect(raw.url, tls=TLSOptions(ca_file=trusted.ca_file))
        with pytest.raises(UpstreamUnreachable):
            await fetch(upstream)
        assert raw.requests == []
        assert upstream.active == 0


async def test_client_certificate(connect: Connect, tmp_path: Path) -> None:
    """O-05: our certificate is shown where the upstream asks for one (RFC 8705)."""
    authority = Authority(tmp_path)
    ours = authority.issue("proxy")
    context = server_context(authority.issue(), client_ca=authority.ca_file)
    async with RawUpstream([response(b"a")], tls=context) as raw:
        tls = TLSOptions(ca_file=authority.ca_file, cert_file=ours.cert_file, key_file=ours.key_file)
        assert await fetch(connect(raw.url, tls=tls)) == (200, b"a")


async def test_an_upstream_that_asks_for_a_certificate(connect: Connect, tmp_path: Path) -> None:
    """O-05: without one of ours the connection ends after the handshake, and TLS's own error says why."""
    authority = Authority(tmp_path)
    context = server_context(authority.issue(), client_ca=authority.ca_file)

    def refuse(server: socket.socket) -> None:
        peer = context.wrap_socket(server.accept()[0], server_side=True, do_handshake_on_connect=False)
        with peer:
            with pytest.raises(ssl.SSLError):
                peer.do_handshake()
            os.read(peer.fileno(), 1024)  # unread, the request would make the end a reset

    with socket.create_server(("127.0.0.1", 0)) as server:
        refused = asyncio.create_task(asyncio.to_thread(refuse, server))
        upstream = connect(
            f"https://localhost:{server.getsockname()[1]}", tls=TLSOptions(ca_file=authority.ca_file)
        )
        with pytest.raises(UpstreamUnreachable) as raised:
            await send(upstream)
        await refused
    assert "set cert_file and key_file" in advise(raised.value)


@pytest.mark.parametrize("close_notify", [True, False])
@pytest.mark.parametrize("size", [3, 1_000_000], ids=["read", "waiting to be read"])
async def test_end_of_tls(connect: Connect, tmp_path: Path, *, close_notify: bool, size: int) -> None:
    """F-10: a body up to the close is whole only where TLS says so too (RFC 9112 §9.8)."""
    authority = Authority(tmp_path)
    gate = asyncio.Event()
    head, body = b"HTTP/1.1 200 OK\r\n\r\n", b"a" * size
    async with RawUpstream([head, body, gate, CLOSE], tls=server_context(authority.issue())) as raw:
        answer = await send(connect(raw.url, tls=TLSOptions(ca_file=authority.ca_file)))
        if close_notify:
            gate.set()
            assert await read_all(answer) == body
        else:
            reading = asyncio.ensure_future(read_all(answer))
            while raw.connections[0].transport.get_write_buffer_size():
                await asyncio.sleep(0.01)
            fin_without_close_notify(raw.connections[0])
            with pytest.raises(UpstreamBroken):
                await reading


def fin_without_close_notify(connection: RawConnection) -> None:
    descriptor = os.dup(connection.transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as duplicate:
        duplicate.shutdown(socket.SHUT_WR)
