"""Connections accepted in one place and served in another."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

import pytest

from proxy.config.models import ListenTLS
from proxy.server.acceptor import Acceptor, bind
from proxy.server.handover import DATA, Inlet, Outlet
from proxy.server.listener import Listener
from proxy.server.workers.asking import WorkerUnavailable, ask
from proxy.server.workers.channel import Channel
from tests.support.certificates import Authority
from tests.support.raw_client import connected

from .apps import USUAL_LIMITS, Recorder
from .test_framing import get

GET = get(b"GET / HTTP/1.1")


class Dealt:
    """Takes connections while ``open``."""

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


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_connection_is_served_as_if_accepted_here(encrypted: bool, tmp_path):
    """The caller's address is the caller's, TLS is spoken by the worker, and after its end none is taken."""
    tls, context = None, None
    if encrypted:
        authority = Authority(tmp_path)
        issued = authority.issue("localhost")
        tls = ListenTLS(cert_file=str(issued.cert_file), key_file=str(issued.key_file))
        context = ssl.create_default_context(cafile=authority.ca_file)
    ours, theirs = socket.socketpair()
    outlet, inlet = Outlet(ours), Inlet(theirs)
    app = Recorder()
    listener = Listener(app, USUAL_LIMITS)
    listener.prepare(tls)
    inlet.start({DATA: listener.adopt})
    acceptor = Acceptor(await bind("127.0.0.1", 0), lambda connection: outlet.hand_over(connection, DATA))
    acceptor.start()
    async with connected(acceptor.address, context) as client:
        await client.send(GET)
        assert (await client.response()).status == 200
        scope = app.requests[0][0]
        assert tuple(scope["client"]) == client.writer.get_extra_info("sockname")[:2]
        assert tuple(scope["server"]) == acceptor.address
    reader, writer = await asyncio.open_connection(*acceptor.address)
    listener.stop()
    writer.write(b"not TLS at all\r\n\r\n")
    await reader.read()
    writer.close()
    late, writer = await asyncio.open_connection(*acceptor.address)
    assert await late.read() == b""
    writer.close()
    await listener.abort()
    inlet.stop()
    outlet.close()
    acceptor.stop()


async def test_a_worker_that_is_gone_takes_nothing():
    """And its connection is still ours to give to another."""
    ours, theirs = socket.socketpair()
    outlet = Outlet(ours)
    theirs.close()
    one, other = socket.socketpair()
    with one, other:
        assert not outlet.hand_over(one, DATA)
        one.send(b"x")
        assert other.recv(1) == b"x"
    outlet.close()


async def test_an_inlet_whose_supervisor_is_gone_is_quiet():
    """No loop that spins on its end."""
    ours, theirs = socket.socketpair()
    inlet = Inlet(theirs)
    inlet.start({})
    ours.close()
    await asyncio.sleep(0.01)
    assert not asyncio.get_running_loop().remove_reader(theirs)
    inlet.stop()


async def test_a_channel_tells_values_and_its_end():
    """Whole values in order, secrets included; None once the other end is gone, even amid a value."""
    one_end, other_end = socket.socketpair()
    one, other = await Channel.over(one_end), await Channel.over(other_end)
    one.say("start", {"secret": "s" * 100_000})
    one.say("drain")
    assert await other.hear() == ("start", {"secret": "s" * 100_000})
    assert await other.hear() == ("drain", None)
    one._writer.write(b"\0\0\0\x09abc")
    one.close()
    assert await other.hear() is None
    other.close()


async def serve_bytes(end: socket.socket, answer: bytes) -> None:
    end.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_recv(end, 65536)
    if answer:
        await loop.sock_sendall(end, answer)
    end.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "broke off"),
        (b"nonsense\r\n\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "broke off"),
        (None, "takes no requests now"),
        (b"never", "no answer in time"),
    ],
    ids=["nothing", "nonsense", "cut", "not taken", "hung"],
)
async def test_a_worker_that_does_not_answer(answer: bytes | None, error: str):
    """It is told as that, whatever went wrong."""
    taken = []

    def hand_over(end: socket.socket) -> bool:
        if answer is None:
            return False
        mine = socket.socket(fileno=os.dup(end.fileno()))
        end.close()
        taken.append(mine if answer == b"never" else asyncio.ensure_future(serve_bytes(mine, answer)))
        return True

    seconds = 0.05 if answer == b"never" else 5
    with pytest.raises(WorkerUnavailable, match=error):
        await ask(hand_over, b"GET", b"/", [(b"host", b"localhost")], seconds=seconds)
    for one in taken:
        if isinstance(one, socket.socket):
            one.close()
        else:
            await one


async def test_a_workers_answer_comes_as_it_is():
    """Repeated fields and all, whatever the target's bytes."""
    seen = []

    def hand_over(end: socket.socket) -> bool:
        mine = socket.socket(fileno=os.dup(end.fileno()))
        end.close()
        raw = b"HTTP/1.1 404 No\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\nhi"
        seen.append(asyncio.ensure_future(serve_bytes(mine, raw)))
        return True

    answer = await ask(hand_over, b"POST", b"/a%20b?c", [(b"host", b"localhost")], b"{}", seconds=5)
    assert (answer.status, answer.body) == (404, b"hi")
    assert answer.headers[:2] == [(b"X-A", b"1"), (b"x-a", b"2")]
    await asyncio.gather(*seen)
