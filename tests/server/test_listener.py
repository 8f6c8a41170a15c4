"""One port: what it takes, and what becomes of its connections when it ends."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from proxy.config.models import ListenTLS
from proxy.server.listener import Listener
from tests.support.certificates import Authority
from tests.support.raw_client import Truncated, connected

from .apps import USUAL_LIMITS, Held, Recorder, listening
from .messages import get

GET = get(b"GET / HTTP/1.1")


def test_it_has_no_address_before_it_is_bound():
    """Whoever asks is too early."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = Listener(Recorder(), USUAL_LIMITS).address


async def test_a_taken_port_is_an_error():
    """F-34: at the start, with nothing left behind."""
    async with listening(Recorder()) as listener:
        other = Listener(Recorder(), USUAL_LIMITS)
        with pytest.raises(OSError, match="in use"):
            await other.start(*listener.address)
        other.stop()


async def test_an_end_that_is_announced_lets_each_answer_be_the_last():
    """F-34: the caller goes elsewhere with its next request, and no request is lost."""
    async with listening(Recorder()) as listener, connected(listener.address) as client:
        await client.send(GET)
        assert (await client.response()).header(b"connection") is None
        listener.announce_end()
        await client.send(GET)
        last = await client.response()
        assert (last.status, last.header(b"connection")) == (200, b"close")
        assert await client.rest() == b""


async def test_what_waits_is_closed_and_what_runs_goes_on():
    """F-34: a stop is quiet once the last answer is given."""
    app = Held()
    async with (
        listening(app) as listener,
        connected(listener.address) as busy,
        connected(listener.address) as idle,
    ):
        await busy.send(GET)
        await app.begun.wait()
        while listener.connections < 2:
            await asyncio.sleep(0)
        address = listener.address
        listener.announce_end()
        listener.stop()
        assert await idle.rest() == b""
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection(*address)
        quiet = asyncio.create_task(listener.quiet())
        await asyncio.sleep(0.06)
        assert not quiet.done()
        app.released.set()
        assert (await busy.response()).body == b"done"
        async with asyncio.timeout(5):
            await quiet
        assert listener.connections == 0


async def test_what_is_cut_is_told_to_the_application():
    """F-34, F-20: it is waited for until it has noticed."""
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def app(scope, receive, send):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with listening(app) as listener, connected(listener.address) as client:
        await client.send(GET)
        await begun.wait()
        listener.stop()
        await listener.abort()
        assert ended.is_set()
        assert listener.connections == 0
        with pytest.raises(Truncated):
            await client.response()


@pytest.mark.parametrize("stopped", [True, False], ids=["after its end", "beyond its limit"])
async def test_a_connection_from_elsewhere_that_is_not_taken_is_closed(stopped: bool):
    """F-34, F-31: whoever waits at its other end need not wait longer."""
    listener = Listener(Recorder(), replace(USUAL_LIMITS, max_connections=-300))
    if stopped:
        listener.stop()
    ours, theirs = socket.socketpair()
    with theirs:
        listener.adopt(ours)
        assert theirs.recv(1) == b""
    await listener.abort()


async def test_a_certificate_is_swapped_for_new_connections(tmp_path):
    """F-39: a bad one is noticed before; without TLS there is nothing to swap."""
    issued = Authority(tmp_path).issue("localhost")
    tls = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)
    async with listening(Recorder(), tls) as listener:
        before = listener._tls
        swap = listener.prepare_certificate(tls)
        assert listener._tls is before
        swap()
        assert listener._tls is not before
        with pytest.raises(OSError, match="No such file"):
            listener.prepare_certificate(ListenTLS(cert_file=tmp_path / "none", key_file=issued.key_file))
    async with listening(Recorder()) as plain:
        plain.prepare_certificate(tls)()
        async with connected(plain.address) as client:
            await client.send(GET)
            assert (await client.response()).status == 200
