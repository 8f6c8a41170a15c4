"""What the transport does not offer, on real connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.runtime import count_untaken
from proxy.server.sockets import has_left, is_behind, reset

MUCH = 64 * 1024 * 1024  # bytes: more than any system's buffers


@asynccontextmanager
async def connection(path: Path | None = None) -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """Our transport, and the peer's bare socket, over TCP or, with ``path``, a unix socket."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[asyncio.Transport] = loop.create_future()

    class Accept(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport)

    if path is None:
        server = await loop.create_server(Accept, "127.0.0.1", 0)
        peer = socket.create_connection(server.sockets[0].getsockname())
    else:
        server = await loop.create_unix_server(Accept, path)
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(path))
    transport = await accepted
    transport.pause_reading()
    try:
        with peer:
            yield transport, peer
    finally:
        transport.abort()
        server.close()
        await asyncio.sleep(0.01)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


async def test_a_reset_is_seen_as_one():
    """F-10: the peer cannot take it for the end."""
    async with connection() as (transport, peer):
        reset(transport)
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


async def test_over_a_unix_socket_it_is_an_end(tmp_path: Path):
    """Which knows no reset: no error of ours, at least."""
    async with connection(tmp_path / "s") as (transport, peer):
        assert not has_left(transport)
        reset(transport)
        await asyncio.sleep(0.01)
        assert peer.recv(1) == b""


async def test_a_departure_is_told_without_reading():
    """F-20: while what the peer has sent lies unread."""
    async with connection() as (transport, peer):
        peer.sendall(b"unread")
        assert not has_left(transport)
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: has_left(transport))


async def test_what_the_peer_has_not_taken_is_counted():
    """F-23: in the system's buffers as well as in the transport's; what is read is taken."""
    async with connection() as (transport, peer):
        assert count_untaken(transport) == 0
        transport.write(bytes(MUCH))
        before = count_untaken(transport)
        assert MUCH / 2 < before <= MUCH
        assert transport.get_write_buffer_size() < MUCH
        assert is_behind(transport, before, least=1)
        peer.setblocking(False)
        taken = 0
        async with asyncio.timeout(5):
            while taken < MUCH / 4:
                taken += len(await asyncio.get_running_loop().sock_recv(peer, 1 << 20))
        await until(lambda: count_untaken(transport) < before - taken / 2)
        assert not is_behind(transport, before, least=taken / 2)
        assert is_behind(transport, before, least=MUCH)


async def test_nobody_is_behind_where_nothing_waits():
    """H-65: time in which there is nothing to be taken does not count."""
    async with connection() as (transport, _):
        assert not is_behind(transport, 0, least=MUCH)


async def test_a_closed_connection_has_nothing_to_count():
    """F-38: and is no error."""
    async with connection() as (transport, _):
        transport.abort()
        await asyncio.sleep(0.01)
        assert count_untaken(transport) == 0
