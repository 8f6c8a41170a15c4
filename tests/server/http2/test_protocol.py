"""One connection of HTTP/2 between a real socket and an application."""

from __future__ import annotations

from tests.server.apps import Recorder, listening
from tests.support.http2_client import speaking


async def test_a_request_reaches_the_application_as_asgi_says():
    recorder = Recorder()
    async with listening(recorder, http2=True) as listener, speaking(listener.address) as client:
        response = await client.get("/a%20b?c=d", (b"x-a", b"b"), method="POST", body=b"body")
    assert (response.status, response.body) == (200, b"body")
    ((scope, body),) = recorder.requests
    assert body == b"body"
    assert scope["http_version"] == "2"
    assert scope["method"] == "POST"
    assert scope["path"] == "/a b"
    assert scope["raw_path"] == b"/a%20b"
    assert scope["query_string"] == b"c=d"
    assert scope["scheme"] == "http"
    assert (b"host", b"api.example") in scope["headers"]
    assert (b"x-a", b"b") in scope["headers"]
