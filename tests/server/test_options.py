"""``OPTIONS *`` asks the server itself."""

from __future__ import annotations

from proxy.server.options import ALLOW
from tests.support.raw_client import connected

from .apps import Recorder, listening
from .messages import get

GET = get(b"GET / HTTP/1.1")


async def test_options_asterisk_is_answered_by_the_server():
    """H-02: OPTIONS * never reaches the application."""
    recorder = Recorder()
    async with listening(recorder) as listener, connected(listener.address) as client:
        await client.send(get(b"OPTIONS * HTTP/1.1") + GET)
        response = await client.response("OPTIONS")
        assert response.status == 204
        assert b"PATCH" in response.header(b"allow")
        assert (await client.response()).status == 200
    assert len(recorder.requests) == 1


def test_the_methods_known_here_are_named():
    """H-02, H-06: those that are never served are not among them."""
    methods = ALLOW[1].decode().split(", ")
    assert {"GET", "OPTIONS", "PATCH"} <= set(methods)
    assert not {"CONNECT", "TRACE"} & set(methods)
    assert methods == sorted(methods)
