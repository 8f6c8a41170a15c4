"""A script that fails in HAProxy lets nothing through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.raw_client import connected
from tests.support.recording_upstream import RecordingUpstream
from tests.support.redis_server import find_free_port

from .programs import PROGRAMS, Ports, running

(HAPROXY,) = (program for program in PROGRAMS if program.name == "haproxy")
REQUEST = (
    b"GET /orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a.b.c\r\nConnection: close\r\n\r\n"
)


@pytest.mark.parametrize("script", ['error("broken")', "return"])
async def test_a_script_that_fails(tmp_path: Path, script: str):
    """Whether it raises or ends without a word."""
    broken = f"core.register_action('obo', {{ 'http-req' }}, function(txn) {script} end, 1)"
    async with RecordingUpstream() as api:
        ports = Ports(find_free_port(), find_free_port(), api.port)
        address = ("127.0.0.1", ports.gateway)
        async with running(HAPROXY, tmp_path, ports, files={"obo.lua": broken}), connected(address) as client:
            await client.send(REQUEST)
            answer = await client.rest()
        assert not answer.startswith(b"HTTP/1.1 200"), answer
        assert api.requests == []
