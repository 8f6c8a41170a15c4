"""A connection of HTTP/2, and each of its streams, leaves nothing behind that would wait for the garbage collector."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress

import h2.events
import pytest

from proxy.config.models import ListenTLS
from tests.server.apps import listening
from tests.server.test_closed_connections import app
from tests.support.certificates import Authority
from tests.support.http2_client import make_connection
from tests.support.leftovers import TIMES, leftovers

SOON = 0.3  # s: a shortened limit
LIMITS = {"header_timeout": SOON, "keep_alive_timeout": SOON, "body_timeout": SOON, "linger_timeout": SOON}
HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")]


class Caller:
    """One visitor, on a blocking socket so as to leave nothing on the loop."""

    def __init__(self, address, tls=None):
        sock = socket.create_connection(address, timeout=20)
        self.socket = tls.wrap_socket(sock) if tls is not None else sock
        self.http2 = make_connection()
        self.http2.initiate_connection()

    def open(self, stream_id=1, path=b"/", *fields, ended=True, body=b""):
        self.http2.send_headers(stream_id, [*HEAD[:3], (b":path", path), *fields], ended and not body)
        if body:
            self.http2.send_data(stream_id, body, ended)

    def flush(self):
        self.socket.sendall(self.http2.data_to_send())

    def wait_for(self, kind):
        """Until the server tells of ``kind``; of its end, where that is None."""
        self.flush()
        while data := self.socket.recv(65536):
            events = self.http2.receive_data(data)
            if kind is not None and any(isinstance(event, kind) for event in events):
                return
            self.flush()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answered(caller):
    caller.open(body=b"body")
    caller.wait_for(h2.events.StreamEnded)


def answered_many_times(caller):
    for stream_id in range(1, 41, 2):
        caller.open(stream_id, body=b"body")
    caller.wait_for(h2.events.StreamEnded)


def idle(caller):
    answered(caller)
    caller.wait_for(None)


def silent(caller):
    """Not even a preface."""


def silent_until_the_end(caller):
    while caller.socket.recv(65536):
        pass


def only_a_preface(caller):
    caller.flush()
    caller.wait_for(h2.events.SettingsAcknowledged)


def unfinished_head(caller):
    caller.open()
    caller.socket.sendall(caller.http2.data_to_send()[:-1])
    caller.socket.recv(65536)


def unfinished_body(caller):
    caller.open(1, b"/", (b"expect", b"100-continue"), ended=False, body=b"begun")
    caller.wait_for(h2.events.InformationalResponseReceived)


def body_that_times_out(caller):
    caller.open(ended=False)
    caller.wait_for(h2.events.StreamEnded)


def within_a_response(caller):
    caller.open(1, b"/endless")
    caller.open(3, b"/endless")
    caller.wait_for(h2.events.DataReceived)


def reset_within_a_response(caller):
    within_a_response(caller)
    caller.http2.reset_stream(1)
    caller.http2.reset_stream(3)
    caller.http2.ping(b"12345678")
    caller.wait_for(h2.events.PingAckReceived)


def reset_at_once(caller):
    for stream_id in range(1, 41, 2):
        caller.open(stream_id, b"/endless")
        caller.http2.reset_stream(stream_id)
    caller.http2.ping(b"12345678")
    caller.wait_for(h2.events.PingAckReceived)


def failure_of_the_application(caller):
    caller.open(1, b"/fails")
    caller.wait_for(h2.events.StreamEnded)


def refused(caller):
    caller.open(1, b"no path")
    caller.open(3, b"/" + b"a" * 9000)
    caller.wait_for(h2.events.StreamEnded)


def refused_in_its_body(caller):
    caller.open(1, b"/", (b"content-length", b"1"), body=b"more")
    caller.wait_for(h2.events.StreamEnded)


def refused_without_room(caller):
    """The answer waits for a window that nobody opens."""
    caller.http2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    caller.open(1, b"no path")
    caller.open(3, body=b"body")
    caller.wait_for(h2.events.ResponseReceived)


def broken(caller):
    answered(caller)
    caller.socket.sendall(bytes(9) + b"\xff" * 100)
    caller.wait_for(None)


def goodbye(caller):
    answered(caller)
    caller.http2.close_connection()
    caller.flush()
    with suppress(h2.exceptions.ProtocolError):
        caller.wait_for(None)


VISITS = [
    answered, answered_many_times, silent, only_a_preface, unfinished_head, unfinished_body, within_a_response,
    reset_within_a_response, reset_at_once, failure_of_the_application, refused, refused_in_its_body,
    refused_without_room, goodbye,
]  # fmt: skip
LONG_VISITS = [idle, silent_until_the_end, body_that_times_out, broken]


def visitor(listener, visit, *, reset=False, tls=None):
    def call():
        caller = Caller(listener.address, tls)
        with caller.socket, suppress(OSError):
            visit(caller)
            if reset:
                caller.reset()

    return lambda: asyncio.to_thread(call)


@pytest.mark.parametrize("visit", [*VISITS, *LONG_VISITS], ids=lambda visit: visit.__name__)
async def test_nothing_is_left_of_a_connection(visit):
    """F-36: however it came to its end."""
    limits = LIMITS if visit in LONG_VISITS else {}
    async with listening(app, http2=True, **limits) as listener:
        assert await leftovers(visitor(listener, visit)) == {}


@pytest.mark.parametrize(
    "visit", [answered, unfinished_body, within_a_response], ids=lambda one: one.__name__
)
async def test_nothing_is_left_of_a_connection_that_is_reset(visit):
    """F-36: by who is tired of it."""
    async with listening(app, http2=True) as listener:
        assert await leftovers(visitor(listener, visit, reset=True)) == {}


@pytest.mark.parametrize(
    "visit", [answered, within_a_response, refused, broken], ids=lambda one: one.__name__
)
async def test_nothing_is_left_of_a_connection_over_tls(tmp_path, visit):
    """F-36: nor of its TLS."""
    issued = Authority(tmp_path).issue()
    certificate = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)
    trusting = ssl._create_unverified_context()
    trusting.set_alpn_protocols(["h2"])
    async with listening(app, certificate, http2=True, linger_timeout=SOON) as listener:
        assert await leftovers(visitor(listener, visit, tls=trusting)) == {}


@pytest.mark.parametrize("limit", [0, -1000], ids=["told", "cut"])
async def test_nothing_is_left_of_a_connection_too_many(limit):
    """F-36, F-30: the less it costs, the better."""
    async with listening(app, http2=True, max_connections=limit) as listener:
        assert await leftovers(visitor(listener, answered)) == {}


async def test_nothing_is_left_of_a_connection_that_a_drain_ends():
    """F-36: told twice that it ends."""
    async with listening(app, http2=True) as listener:

        async def visit():
            calling = asyncio.ensure_future(visitor(listener, lambda caller: (answered(caller), idle))())
            await calling

        listener.announce_end()
        assert await leftovers(visit) == {}


async def test_nothing_is_left_of_a_connection_that_was_cut():
    """F-36: with its requests under way."""

    def visit(caller):
        within_a_response(caller)
        caller.wait_for(None)

    async with listening(app, http2=True) as listener:

        async def calling():
            call = asyncio.ensure_future(visitor(listener, visit)())
            while not call.done():
                for connection in listener._state.live():
                    if getattr(connection, "_streams", None):
                        connection.abort()
                await asyncio.sleep(0.01)
            await call

        assert await leftovers(calling) == {}


async def test_nothing_is_left_of_a_stream_while_its_connection_lasts():
    """F-36: many requests on one connection take no more memory than one."""
    async with listening(app, http2=True) as listener:
        callers = [(Caller(listener.address), iter(range(1, 9, 2))) for _ in range(TIMES)]

        def call(caller, stream_ids):
            caller.open(next(stream_ids), body=b"body")
            caller.wait_for(h2.events.StreamEnded)
            caller.http2.ping(b"12345678")
            caller.wait_for(h2.events.PingAckReceived)

        def visit():
            callers.append(callers.pop(0))
            return asyncio.to_thread(call, *callers[0])

        for _ in range(TIMES):  # what each connection makes once does not count
            await visit()
        assert await leftovers(visit, patience=1) == {}
        for caller, _ in callers:
            caller.socket.close()
