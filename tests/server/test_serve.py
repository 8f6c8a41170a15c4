"""From the start of a process to its drained end."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import ssl
import sys
import time
from dataclasses import replace

import pytest

from proxy.config.models import Authorizer, Settings
from proxy.config.shape import build_section
from proxy.server import Server, serve
from proxy.server.state import OnlyLogged
from tests.support.certificates import Authority
from tests.support.raw_client import connected

from .apps import Recorder, answer
from .messages import get

GET = get(b"GET / HTTP/1.1")


def make_settings(**listen) -> Settings:
    return build_section(
        Settings,
        {
            "listen": {"port": 0, "drain_timeout": "1s"} | listen,
            "admin": {"port": 0},
            "routes": [{"name": "all", "path": "/", "upstream": "http://localhost", "grant": "none"}],
        },
    )


class App(OnlyLogged):
    """Notes its life; answers ``/slow`` when ``released``, everything else at once."""

    def __init__(self):
        self.life = []
        self.begun = asyncio.Event()
        self.released = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        if scope["path"] == "/slow":
            self.begun.set()
            await self.released.wait()
        await answer(send, b"ok")

    async def live(self, receive, send):
        for event in ("startup", "shutdown"):
            await receive()
            self.life.append(event)
            await send({"type": f"lifespan.{event}.complete"})


@pytest.fixture
async def app():
    return App()


async def test_both_ports_are_served_and_the_application_lives_around_them(app):
    """Contract §6: the admin side has a port of its own."""
    admin = Recorder()
    async with Server(make_settings(), app, admin) as server:
        for address in (server.address, server.admin_address):
            async with connected(address) as client:
                await client.send(GET)
                assert (await client.response()).status == 200
        assert app.life == ["startup"]
        assert len(admin.requests) == 1
    assert app.life == ["startup", "shutdown"]


@pytest.mark.parametrize(("authorizer", "most"), [(None, 150), (Authorizer(host="127.0.0.1"), 100)])
async def test_who_asks_has_descriptors_as_well(app, authorizer, most):
    """As many gateways may ask as callers call, and each of these may take a connection to an API."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = replace(make_settings(max_connections=10_000), authorizer=authorizer)
    app.authorize = app
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (364, hard))
        assert Server(settings, app, app)._limits.max_connections == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_an_application_that_does_not_end_is_told_of(monkeypatch, caplog):
    """It holds the process up for no longer than a few seconds, and not in silence."""
    monkeypatch.setattr(sys.modules[Server.__module__], "_SHUTDOWN_TIMEOUT", 0.01)

    class Endless(App):
        async def live(self, receive, send):
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await asyncio.Event().wait()

    async with Server(make_settings(), Endless(), Recorder()):
        pass
    assert "the application is not put away in time" in caplog.messages


async def test_a_port_that_is_taken_is_an_error_and_the_application_ends(app):
    """Contract §1: nothing half-started stays behind."""
    async with Server(make_settings(), App(), Recorder()) as other:
        with pytest.raises(OSError, match=r"."):
            async with Server(make_settings(port=other.address[1]), app, Recorder()):
                raise AssertionError
    assert app.life == ["startup", "shutdown"]


async def test_a_drain_finishes_what_is_running(app):
    """F-34: the answer is the connection's last, idle connections close, nobody new is let in."""
    async with (
        Server(make_settings(), app, Recorder()) as server,
        connected(address := server.address) as busy,
        connected(server.address) as idle,
        connected(server.address) as late,
    ):
        for client in (idle, late):
            await client.send(GET)
            assert (await client.response()).header(b"connection") is None
        await busy.send(get(b"GET /slow HTTP/1.1"))
        await app.begun.wait()
        drained = asyncio.ensure_future(server.drain())
        await asyncio.sleep(0.1)
        await late.send(GET)
        assert (await late.response()).header(b"connection") == b"close"
        assert await idle.rest() == b""
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection(*address)
        assert not drained.done()
        app.released.set()
        response = await busy.response()
        assert (response.body, response.header(b"connection")) == (b"ok", b"close")
        await drained


@pytest.mark.parametrize("hurried", [True, False])
async def test_a_drain_has_an_end(app, hurried):
    """F-34: after the drain timeout, or at a second signal, what is left is cut."""
    settings = make_settings(drain_timeout="60s" if hurried else "200ms")
    began = time.monotonic()
    async with Server(settings, app, Recorder()) as server:
        _, writer = opened = await asyncio.open_connection(*server.address)
        writer.write(get(b"GET /slow HTTP/1.1"))
        await app.begun.wait()
        drained = asyncio.ensure_future(server.drain())
        if hurried:
            await asyncio.sleep(0.1)
            server.hurry()
        await drained
    assert time.monotonic() - began < 20  # less than the drain timeout
    assert await opened[0].read() == b""
    writer.close()


async def test_signals_reload_and_drain(app):
    """Contract §6: SIGHUP reloads, a failure of it changes nothing; SIGTERM turns readiness off, then drains."""
    events = []
    ready = asyncio.Event()

    def announce(server):
        events.append("ready")
        ready.set()

    async def reload(_):
        events.append("reload")
        if events.count("reload") == 1:
            raise ValueError("a bad file")
        os.kill(os.getpid(), signal.SIGTERM)

    serving = asyncio.ensure_future(
        serve(
            make_settings(),
            app,
            Recorder(),
            ready=announce,
            reload=reload,
            drain=lambda: events.append("drain"),
        )
    )
    await ready.wait()
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGHUP)
    async with asyncio.timeout(5):
        await serving
    assert events == ["ready", "reload", "reload", "drain"]
    assert app.life == ["startup", "shutdown"]


async def test_a_second_signal_ends_a_drain(app):
    """F-34: at once."""
    ready = asyncio.get_running_loop().create_future()
    settings = make_settings(drain_timeout="60s")
    serving = asyncio.ensure_future(serve(settings, app, Recorder(), ready=ready.set_result))
    server = await ready
    async with connected(server.address) as client:
        await client.send(get(b"GET /slow HTTP/1.1"))
        await app.begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(5):
            await serving
        assert await client.rest() == b""


async def test_tls_is_served_and_its_certificate_renewed(app, tmp_path):
    """Contract §2: https, TLS 1.2 or later; new connections see the new certificate."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca_file)
    settings = [make_settings(tls=vars(authority.issue())) for _ in range(2)]
    serials = []
    async with Server(settings[0], app, Recorder()) as server:
        for renewed in settings:
            server.prepare_certificate(renewed.listen.tls)()
            async with connected(server.address, context) as client:
                await client.send(GET)
                assert (await client.response()).body == b"ok"
                certificate = client.writer.get_extra_info("peercert")
                serials.append(certificate["serialNumber"])
    assert serials[0] != serials[1]
