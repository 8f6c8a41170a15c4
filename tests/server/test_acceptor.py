"""Connections accepted, and dealt to whoever takes them."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.server.acceptor import Acceptor, bind


class Dealt:
    """Takes connections while it is ``taking``."""

    def __init__(self, *, taking: bool):
        self.taking = taking
        self.connections: list[socket.socket] = []
        self.refused = asyncio.Event()
        self.came = asyncio.Event()

    def __call__(self, connection: socket.socket) -> bool:
        if self.taking:
            self.connections.append(connection)
            self.came.set()
        else:
            self.refused.set()
        return self.taking


async def test_connections_wait_for_a_worker_that_takes_them():
    """None is refused while workers are starting again."""
    dealt = Dealt(taking=False)
    acceptor = Acceptor(await bind("127.0.0.1", 0), dealt)
    acceptor.start()
    clients = [await asyncio.open_connection(*acceptor.address) for _ in range(3)]
    await dealt.refused.wait()
    dealt.taking = True
    async with asyncio.timeout(5):
        while len(dealt.connections) < 3:
            dealt.came.clear()
            await dealt.came.wait()
    acceptor.stop()
    acceptor.stop()
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection(*acceptor_address(clients))
    for connection in dealt.connections:
        connection.close()
    for reader, writer in clients:
        assert await reader.read() == b""
        writer.close()


def acceptor_address(clients):
    return clients[0][1].get_extra_info("peername")


async def test_a_connection_that_still_waits_is_closed_at_the_end():
    """Nobody is left hanging."""
    dealt = Dealt(taking=False)
    acceptor = Acceptor(await bind("127.0.0.1", 0), dealt)
    acceptor.start()
    reader, writer = await asyncio.open_connection(*acceptor.address)
    await dealt.refused.wait()
    acceptor.stop()
    assert await reader.read() == b""
    writer.close()


async def test_a_taken_address_leaves_none_bound():
    """OSError, as for a single process."""
    (first,) = await bind("127.0.0.1", 0)
    with pytest.raises(OSError, match=r"."):
        await bind("127.0.0.1", first.getsockname()[1])
    first.close()
