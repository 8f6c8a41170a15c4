"""The certificate that callers see, and its replacement."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from proxy.config.models import ListenTLS
from tests.support.certificates import Authority, Issued

from .apps import Recorder, listening


def tls_of(issued: Issued) -> ListenTLS:
    return ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)


async def see(address: tuple[str, int], context: ssl.SSLContext, name: str | None = "localhost") -> str:
    """The serial number of the certificate that a handshake shows."""
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, *address, ssl=context, server_hostname=name or ""
    )
    certificate = transport.get_extra_info("peercert")
    transport.close()
    return certificate["serialNumber"]


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda one: one.name
)
@pytest.mark.parametrize("name", ["localhost", None])
@pytest.mark.parametrize("adopted", [False, True], ids=["accepted", "adopted"])
async def test_a_replacement_counts_from_the_next_handshake_on(
    tmp_path: Path, version: ssl.TLSVersion, name: str | None, adopted: bool
):
    """Whichever process has accepted the connection, and whether or not the caller names the server."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.minimum_version = context.maximum_version = version
    context.check_hostname = name is not None
    async with listening(Recorder(), tls_of(authority.issue())) as listener:

        async def look() -> str:
            if not adopted:
                return await see(listener.address, context, name)
            with socket.create_server(("127.0.0.1", 0)) as accepting:
                seeing = asyncio.ensure_future(see(accepting.getsockname(), context, name))
                connection, _ = await asyncio.to_thread(accepting.accept)
                connection.setblocking(False)
                listener.adopt(connection)
                return await seeing

        before = await look()
        put_to_use = listener.prepare_certificate(tls_of(authority.issue()))
        assert await look() == before
        put_to_use()
        assert await look() != before


async def test_what_is_no_pair_changes_nothing(tmp_path: Path):
    """The certificate that serves is not the place where a new one is tried."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca_file)
    one, other = authority.issue(), authority.issue()
    async with listening(Recorder(), tls_of(one)) as listener:
        before = await see(listener.address, context)
        for cert_file, key_file in ((other.cert_file, one.key_file), (one.cert_file, other.key_file)):
            with pytest.raises(OSError, match="the key is not the certificate's"):
                listener.prepare_certificate(tls_of(Issued(cert_file, key_file)))
            assert await see(listener.address, context) == before


async def test_handshakes_go_on_through_many_replacements(tmp_path: Path):
    """Each handshake sees one certificate whole: under load none fails."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca_file)
    issued = [authority.issue() for _ in range(2)]
    async with listening(Recorder(), tls_of(issued[0])) as listener:
        seen: set[str] = set()

        async def look() -> None:
            while len(seen) < len(issued):
                seen.add(await see(listener.address, context))

        looking = [asyncio.create_task(look()) for _ in range(4)]
        async with asyncio.timeout(20):
            while not all(task.done() for task in looking):
                for one in issued:
                    listener.prepare_certificate(tls_of(one))()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.shield(looking[0]), 0.005)
        await asyncio.gather(*looking)


async def test_without_tls_there_is_nothing_to_replace(tmp_path: Path):
    """Whether TLS is spoken is settled at the start."""
    async with listening(Recorder()) as listener:
        listener.prepare_certificate(tls_of(Authority(tmp_path).issue()))()
        listener.prepare_certificate(None)()
