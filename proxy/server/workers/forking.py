"""Workers from the forkserver, as the supervisor sees them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from typing import Final, Self

# With three descriptors: the worker's inlet and channel, and the line on which it is told of.
FORK: Final = b"f"
KILL: Final = b"k"  # over a line
ASK_SIZE: Final = 3
# Over a line: first the process's number, or below 0 the error for which there is none; at last its exit status.
REPORT: Final = struct.Struct("!i")
_ENDING_TIMEOUT: Final = 5.0  # s


class Worker:
    """A process that was forked for us. ``pid`` is its number."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self._writer = writer
        self._to_be_killed = False
        self._descriptor = _open_process(pid)
        self._ending = asyncio.ensure_future(self._read_status(reader))

    def __del__(self) -> None:
        self._let_go()

    def kill(self) -> None:
        """At once; nothing, where it has ended. The forkserver knows best whose number it is, as long as it lives."""
        self._to_be_killed = True
        if not self._writer.is_closing():
            self._writer.write(KILL)
        elif self._ending.done() and self._ending.result() is None:
            self._kill_unreported()

    async def wait(self) -> int | None:
        """Its exit status, below 0 for a signal's number; None where nobody can tell any more."""
        status = await asyncio.shield(self._ending)
        return await asyncio.to_thread(_inherit_status, self.pid) if status is None else status

    async def _read_status(self, reader: asyncio.StreamReader) -> int | None:
        try:
            status = await _read(reader)
            self._let_go()
            return status
        except (asyncio.IncompleteReadError, OSError):
            if self._to_be_killed:  # the forkserver may have ended before it read that
                self._kill_unreported()
            return None
        finally:
            self._writer.close()

    def _kill_unreported(self) -> None:
        """Without the forkserver, who knew when it ended and its number was free for another."""
        with contextlib.suppress(ProcessLookupError):
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Forks:
    """Asks the forkserver for workers, and starts it where there is none: it ends with the last who is inside."""

    def __init__(self) -> None:
        self._users = 0
        self._process: asyncio.subprocess.Process | None = None
        self._ask: socket.socket | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._users += 1
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._users -= 1
        if not self._users:
            await self._end()

    async def fork(self, inlet: socket.socket, channel: socket.socket) -> Worker:
        """A worker that has these. Raises OSError where the system starts none."""
        line, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=line)
        try:
            with theirs:
                async with self._starting:
                    await self._send([inlet.fileno(), channel.fileno(), theirs.fileno()])
            pid = await _read(reader)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
            return Worker(pid, reader, writer)
        except BaseException as error:
            writer.close()
            if isinstance(error, asyncio.IncompleteReadError):
                raise ChildProcessError(0, "the forkserver has ended") from error
            raise

    async def _send(self, descriptors: list[int]) -> None:
        if self._ask is not None:
            with contextlib.suppress(OSError):  # it has ended: the next one is asked
                socket.send_fds(self._ask, [FORK], descriptors)
                return
        socket.send_fds(await self._start(), [FORK], descriptors)

    async def _start(self) -> socket.socket:
        """A fresh interpreter: nothing of ours, neither threads nor loops nor keys, is in what is forked."""
        await self._end()
        ask, asked = socket.socketpair()
        with asked:
            self._ask = ask
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # the working directory is nowhere to import from
                "-m",
                f"{__package__}.forkserver",
                str(asked.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(asked.fileno(),),
                start_new_session=True,  # a terminal's Ctrl-C is for the supervisor to pass on, once
            )
        return ask

    async def _end(self) -> None:
        if self._ask is not None:
            self._ask.close()
        if self._process is not None:
            try:
                async with asyncio.timeout(_ENDING_TIMEOUT):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        self._ask = self._process = None


def _open_process(pid: int) -> int | None:
    """What stands for the process even once it has ended, where the system has such (pidfd_open(2))."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # the kernel has none, or there is no room for another: its number must do
        return None


def _inherit_status(pid: int) -> int | None:
    """A dead forkserver's workers are process 1's, which we are in a container: it alone can be told, and must ask."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return None


async def _read(reader: asyncio.StreamReader) -> int:
    (number,) = REPORT.unpack(await reader.readexactly(REPORT.size))
    return int(number)
