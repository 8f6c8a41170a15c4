"""Nobody waits for Nagle's algorithm: whatever listens or connects sends what it has at once."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from proxy.config.models import ListenTLS
from proxy.demo import Demo
from tests.support.certificates import Authority
from tests.support.proxy import running
from tests.support.raw_client import connected

from .apps import Recorder, listening

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it asks every descriptor of the process")


def ask_connections() -> list[bool]:
    """Of each TCP connection of this process whether it sends at once."""
    answers = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if not descriptor.is_socket():
                continue
            with socket.socket(fileno=os.dup(int(descriptor.name))) as one:
                if one.family in {socket.AF_INET, socket.AF_INET6} and one.type == socket.SOCK_STREAM:
                    one.getpeername()
                    answers.append(bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        except OSError:  # closed meanwhile, or a listening one
            continue
    return answers


async def test_a_request_on_its_whole_way():
    """The caller's connection, the upstream's, the authorization server's and the demo's own: eight ends."""
    async with Demo() as demo, running(demo.settings()) as proxy:
        assert (await proxy.get("/orders/1", demo.mint())).status_code == 200
        assert len(answers := ask_connections()) >= 6
        assert all(answers)


async def test_a_connection_over_tls(tmp_path):
    """It is accepted by the listener itself, in the clear, and then handed to the loop."""
    issued = Authority(tmp_path).issue("localhost")
    tls = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file)
    async with listening(Recorder(), tls=tls) as listener, connected(listener.address):
        assert ask_connections() == [True, True]
