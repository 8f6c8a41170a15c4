"""One request at a worker's admin side, over a socket pair: nothing in the file system, nothing to be guarded there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httptools

from ...http.headers import Field

_READ = 64 * 1024


class WorkerUnavailable(Exception):
    """It did not answer, or not in time."""


@dataclass(frozen=True)
class Answer:
    """Status, field lines as received, and the whole body."""

    status: int
    headers: list[Field]
    body: bytes


async def ask(
    hand_over: Callable[[socket.socket], bool],
    method: bytes,
    target: bytes,
    headers: Iterable[Field],
    body: bytes = b"",
    *,
    seconds: float,
) -> Answer:
    """``method`` is not HEAD: an answer's body is waited for. Raises WorkerUnavailable."""
    ours, theirs = socket.socketpair()
    if not hand_over(theirs):
        ours.close()
        theirs.close()
        raise WorkerUnavailable("takes no requests now")
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(ours, method, target, headers, body)
    except TimeoutError as error:
        raise WorkerUnavailable("no answer in time") from error
    except (OSError, EOFError, httptools.HttpParserError) as error:
        raise WorkerUnavailable("broke off") from error


async def _exchange(
    connection: socket.socket, method: bytes, target: bytes, headers: Iterable[Field], body: bytes
) -> Answer:
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        sent = [*headers, (b"connection", b"close"), (b"content-length", b"%d" % len(body))]
        head = b"".join(b"%b: %b\r\n" % field for field in sent)
        writer.write(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, head, body))
        await writer.drain()
        return await _read(reader)
    finally:
        writer.transport.abort()  # what a worker that hangs has not taken is not kept for it


async def _read(reader: asyncio.StreamReader) -> Answer:
    """Raises EOFError for an answer that is cut."""
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    while data := await reader.read(_READ):
        parser.feed_data(data)
        if answer.whole:
            return Answer(parser.get_status_code(), answer.headers, answer.body)
    raise EOFError


class _Answer:
    """What the parser tells."""

    def __init__(self) -> None:
        self.headers: list[Field] = []
        self.body = b""
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.whole = True
