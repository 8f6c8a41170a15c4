"""Connections accepted by one process and served by another."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from proxy.config.models import ListenTLS
from proxy.server.acceptor import Acceptor, bind
from proxy.server.handover import DATA, Inlet, Outlet
from proxy.server.listener import Listener
from tests.support.certificates import Authority
from tests.support.raw_client import connected

from .apps import USUAL_LIMITS, Recorder
from .messages import get

GET = get(b"GET / HTTP/1.1")


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
