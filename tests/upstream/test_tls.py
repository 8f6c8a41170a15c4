"""The certificate that we show: swapped with its key, without a restart and without a failed connection."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.jose.encoding import encode_base64url
from proxy.upstream import ClientCertificate, TLSOptions, Upstream, build_context
from proxy.upstream.tls import MOST_REMEMBERED
from tests.support.certificates import Authority, Issued, server_context
from tests.support.kubelet import Volume
from tests.support.raw_upstream import CLOSE, RawUpstream, response

from .requests import send

Connect = Callable[..., Upstream]


def content(certificate: Issued, key: Issued | None = None) -> dict[str, bytes]:
    pair = {"tls.crt": certificate.cert_file, "tls.key": (key or certificate).key_file}
    return {name: path.read_bytes() for name, path in pair.items()}


def encrypt(issued: Issued) -> bytes:
    """The private key under a password, which nobody can be asked for."""
    key = load_pem_private_key(issued.key_file.read_bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def volume(authority: Authority, tmp_path: Path) -> Volume:
    return Volume(tmp_path / "volume", content(authority.issue("first")))


def settings(volume: Volume, authority: Authority) -> TLSOptions:
    return TLSOptions(ca_file=authority.ca_file, cert_file=volume / "tls.crt", key_file=volume / "tls.key")


def seen_by(upstream: RawUpstream) -> list[str]:
    """The thumbprints of the certificates that its connections have shown."""
    handshakes = [one.transport.get_extra_info("ssl_object") for one in upstream.connections]
    shown = [handshake.getpeercert(binary_form=True) for handshake in handshakes]
    return [encode_base64url(hashlib.sha256(der).digest()) for der in shown]


async def test_new_connections_show_the_new_pair(connect: Connect, authority: Authority, volume: Volume):
    """RFC 8705: what is in the files now is what the next connection shows, and the requests go on."""
    tls = settings(volume, authority)
    context = server_context(authority.issue("localhost"), client_ca=authority.ca_file)
    async with RawUpstream([response(b"ok", b"Connection: close"), CLOSE], tls=context) as server:
        upstream = connect(server.url, tls=tls)
        certificate = upstream.origin.certificate
        expected = []
        for name in ("second", "third"):
            expected.append(certificate.current().thumbprint)
            assert (await send(upstream)).status == 200
            volume.update(content(authority.issue(name)))
        assert seen_by(server) == expected
        assert len(set(expected)) == 2


async def test_halves_that_do_not_belong_together(
    authority: Authority, volume: Volume, caplog: pytest.LogCaptureFixture
):
    """The pair before stays in use, which is told; what belongs together takes its place."""
    certificate = ClientCertificate(settings(volume, authority))
    first = certificate.current()
    second, third = authority.issue("second"), authority.issue("third")
    broken = {"tls.crt": b"canary", "tls.key": b"canary"}
    for half in (content(second, key=third), broken, content(second) | {"tls.key": encrypt(second)}):
        volume.update(half)
        assert certificate.current() is first
        assert certificate.files.fault
        assert "canary" not in certificate.files.fault
    assert [line.msg for line in caplog.records] == ["new credentials are not usable"] * 3
    volume.update(content(second))
    assert certificate.current().thumbprint != first.thumbprint
    assert certificate.files.fault is None


def test_certificates_are_remembered_for_a_while(authority: Authority, volume: Volume):
    """What is bound to one outlives its rotation; but not everything is kept for ever."""
    certificate = ClientCertificate(settings(volume, authority))
    shown = [certificate.current()]
    for number in range(MOST_REMEMBERED):
        volume.update(content(authority.issue(f"number-{number}")))
        shown.append(certificate.current())
    assert [certificate.find(one.thumbprint) for one in shown] == [None, *shown[1:]]
    assert certificate.find("unknown") is None


def test_a_pair_that_never_was_one(authority: Authority, tmp_path: Path):
    """Contract 2.3: is noticed at once."""
    volume = Volume(tmp_path / "odd", content(authority.issue("a"), key=authority.issue("b")))
    with pytest.raises((OSError, ValueError)):
        ClientCertificate(settings(volume, authority))


def test_origins_that_trust_the_same_share_what_was_read_of_it(authority: Authority, tmp_path: Path):
    """Reading all authorities takes long: once for a thousand routes, and again where a file has changed."""
    other = Authority(tmp_path, "other")
    trusted = TLSOptions(ca_file=authority.ca_file)
    first = build_context(trusted)
    assert build_context(TLSOptions(ca_file=authority.ca_file, server_name="x")) is first
    assert build_context(TLSOptions(ca_file=other.ca_file)) is not first
    authority.ca_file.write_bytes(other.ca_file.read_bytes())
    after = build_context(trusted)
    assert after is not first
    assert after.get_ca_certs() == build_context(TLSOptions(ca_file=other.ca_file)).get_ca_certs()
    assert build_context(TLSOptions()) is build_context(TLSOptions())


def test_authorities_that_were_copied_with_their_time_are_read_anew(authority: Authority, tmp_path: Path):
    """A file of the same length, written in its place with the time that it had: whom it names is not whom we knew."""
    other = Authority(tmp_path, "other")
    contents = [one.ca_file.read_bytes() for one in (authority, other)]
    length = max(map(len, contents))
    trusted = TLSOptions(ca_file=authority.ca_file)
    authority.ca_file.write_bytes(contents[0].ljust(length, b"\n"))
    before, seen = build_context(trusted), authority.ca_file.stat()
    authority.ca_file.write_bytes(contents[1].ljust(length, b"\n"))
    os.utime(authority.ca_file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert (
        build_context(trusted).get_ca_certs()
        == build_context(TLSOptions(ca_file=other.ca_file)).get_ca_certs()
    )
    assert build_context(trusted) is not before


def test_a_context_that_shows_a_certificate_is_nobody_elses(authority: Authority):
    issued = authority.issue("first")
    tls = TLSOptions(authority.ca_file, issued.cert_file, issued.key_file)
    context = build_context(tls)
    assert build_context(tls) is not context
    assert build_context(TLSOptions(ca_file=authority.ca_file)) is not context


def test_what_nobody_uses_is_not_kept(authority: Authority):
    gone = weakref.ref(build_context(TLSOptions(ca_file=authority.ca_file)))
    assert gone() is None
