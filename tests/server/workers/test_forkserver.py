"""What the forkserver does with what it is asked, beside forking: ``test_forking`` shows that."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from proxy.server.workers.forking import FORK


@pytest.mark.parametrize("asked", [b"", b"x", FORK], ids=["nobody is there", "nonsense", "no descriptors"])
def test_it_ends_where_nobody_asks_sensibly(asked: bytes):
    """F-34: also where the supervisor was killed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "proxy.server.workers.forkserver", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        ours.sendall(asked)
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(timeout=20) == 0
