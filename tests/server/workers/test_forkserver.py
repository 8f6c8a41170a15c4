"""What the forkserver does with what it is asked, beside forking: ``test_forking`` shows that."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

import pytest

from proxy.server.workers import worker
from proxy.server.workers.forking import FORK, KILL, REPORT
from proxy.server.workers.forkserver import Forkserver


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


@contextmanager
def forkserving() -> Iterator[tuple[Forkserver, socket.socket]]:
    """One in this process, and where it is asked."""
    ask, asked = socket.socketpair()
    with ask, asked:
        server = Forkserver(asked)
        with server._ended, server._end, server._selector:
            yield server, ask


@contextmanager
def having_forked(server: Forkserver, pid: int) -> Iterator[socket.socket]:
    """The supervisor's end of a worker's line."""
    line, theirs = socket.socketpair()
    with line, theirs:
        server._lines[pid] = theirs
        server._selector.register(theirs, selectors.EVENT_READ)
        yield line


def test_a_worker_that_ends_and_is_to_be_killed_in_the_same_turn():
    """F-34: nobody is killed by a number that is nobody's any more, and the others' forkserver serves on."""
    with forkserving() as (server, _), having_forked(server, os.getpid()) as line:
        line.sendall(KILL)
        server._tell_end(os.getpid(), 0)
        server._kill(os.getpid())
        assert REPORT.unpack(line.recv(REPORT.size)) == (0,)


def test_a_supervisor_that_has_not_read_all_that_it_was_told():
    """F-34: a worker of which nobody wants to know more lives on."""
    with forkserving() as (server, _), having_forked(server, os.getpid()) as line:
        server._lines[os.getpid()].sendall(REPORT.pack(1))
        line.close()
        server._kill(os.getpid())
        assert not server._selector.get_map()


def test_a_worker_ends_though_nobody_reads_what_it_writes(monkeypatch: pytest.MonkeyPatch):
    """F-34: it never goes on as a second forkserver."""
    statuses: list[int] = []
    reader, writer = os.pipe()
    os.close(reader)
    output = TextIOWrapper(os.fdopen(writer, "wb"))
    output.write("a line")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(os, "_exit", statuses.append)
    monkeypatch.setattr(worker, "main", lambda *_: None)
    with forkserving() as (server, _):
        pairs = socket.socketpair(), socket.socketpair()
        with pairs[0][0], pairs[0][1], pairs[1][0], pairs[1][1]:
            server._become_worker(pairs[0][0], pairs[0][1], pairs[1][0])
    with suppress(BrokenPipeError):
        output.close()
    assert statuses == [0]
