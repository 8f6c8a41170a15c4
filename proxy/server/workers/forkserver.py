"""A process that has imported what workers need, and forks one whenever it is told to.

What it has imported is in memory once for all workers, and a worker begins at once. Nothing of ours is in it: neither
threads, nor loops, nor settings, nor keys. All of these a worker is told later (``worker``). ``forking`` asks it.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import selectors
import signal
import socket
import sys
import traceback

from ...admin import scrape  # noqa: F401  nearly every group is scraped, and its library is in memory once
from ..process import find_loop_factory
from ..serve import prepare_websockets
from . import worker
from .forking import ASK_SIZE, FORK, KILL, REPORT

# A terminal sends them to all; the supervisor passes them on.
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    """``argv``: the descriptor over which it is asked."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    find_loop_factory()  # imported once for all, too
    prepare_websockets()  # which nearly every configuration takes
    gc.collect()
    gc.freeze()  # no collection writes to pages that are shared
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        Forkserver(asked).serve()


class Forkserver:
    """Has a line for each worker: over it we tell who it is and how it ended, and are told to kill it."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._lines: dict[int, socket.socket] = {}
        self._ended, self._end = socket.socketpair()  # written to by the interpreter at each signal
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Until the supervisor is gone; workers notice that by themselves."""
        self._ended.setblocking(False)
        self._end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._end.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._asked, selectors.EVENT_READ, self._fork)
        self._selector.register(self._ended, selectors.EVENT_READ, self._reap)
        while self._asked in self._selector.get_map():
            for key, _ in self._selector.select():
                key.data()

    def _fork(self) -> None:
        word, descriptors, _, _ = socket.recv_fds(self._asked, len(FORK), ASK_SIZE)
        if word != FORK or len(descriptors) != ASK_SIZE:
            self._selector.unregister(self._asked)
            return
        inlet, channel, line = (socket.socket(fileno=each) for each in descriptors)
        with inlet, channel:
            try:
                pid = os.fork()
            except OSError as error:
                with line:
                    _report(line, -(error.errno or errno.EAGAIN))
                return
            if pid == 0:
                self._become_worker(inlet, channel, line)
        self._lines[pid] = line
        self._selector.register(line, selectors.EVENT_READ, lambda: self._kill(pid))
        _report(line, pid)

    def _become_worker(self, inlet: socket.socket, channel: socket.socket, line: socket.socket) -> None:
        """Never returns; nothing of the forkserver's stays open."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for one in (self._asked, self._ended, self._end, line, *self._lines.values()):
                one.close()
            worker.main(inlet, channel)
            status = 0
        except BaseException:  # noqa: BLE001 whatever it is, the process ends by it
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                    stream.flush()
            os._exit(status)

    def _kill(self, pid: int) -> None:
        """It has not been reaped, so the number is still its own; nothing, where it was in the same turn."""
        line = self._lines.get(pid)
        if line is None:
            return
        word = b""
        with contextlib.suppress(ConnectionResetError):  # whoever asked is gone, and has not read all we said
            word = line.recv(len(KILL))
        if word == KILL:
            os.kill(pid, signal.SIGKILL)
        else:
            self._selector.unregister(line)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._ended.recv(1024):
                pass
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell_end(ended[0], os.waitstatus_to_exitcode(ended[1]))

    def _tell_end(self, pid: int, status: int) -> None:
        with self._lines.pop(pid) as line:
            if line in self._selector.get_map():
                self._selector.unregister(line)
            _report(line, status)


def _report(line: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        line.sendall(REPORT.pack(number))


if __name__ == "__main__":
    main()
