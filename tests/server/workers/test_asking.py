"""One request at a worker's admin side."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from proxy.server.workers.asking import WorkerUnavailable, ask


async def serve_bytes(end: socket.socket, answer: bytes) -> None:
    end.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_recv(end, 65536)
    if answer:
        await loop.sock_sendall(end, answer)
    end.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "broke off"),
        (b"nonsense\r\n\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "broke off"),
        (None, "takes no requests now"),
        (b"never", "no answer in time"),
    ],
    ids=["nothing", "nonsense", "cut", "not taken", "hung"],
)
async def test_a_worker_that_does_not_answer(answer: bytes | None, error: str):
    """It is told as that, whatever went wrong."""
    taken = []

    def hand_over(end: socket.socket) -> bool:
        if answer is None:
            return False
        mine = socket.socket(fileno=os.dup(end.fileno()))
        end.close()
        taken.append(mine if answer == b"never" else asyncio.ensure_future(serve_bytes(mine, answer)))
        return True

    seconds = 0.05 if answer == b"never" else 5
    with pytest.raises(WorkerUnavailable, match=error):
        await ask(hand_over, b"GET", b"/", [(b"host", b"localhost")], seconds=seconds)
    for one in taken:
        if isinstance(one, socket.socket):
            one.close()
        else:
            await one


async def test_a_workers_answer_comes_as_it_is():
    """Repeated fields and all, whatever the target's bytes."""
    seen = []

    def hand_over(end: socket.socket) -> bool:
        mine = socket.socket(fileno=os.dup(end.fileno()))
        end.close()
        raw = b"HTTP/1.1 404 No\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\nhi"
        seen.append(asyncio.ensure_future(serve_bytes(mine, raw)))
        return True

    answer = await ask(hand_over, b"POST", b"/a%20b?c", [(b"host", b"localhost")], b"{}", seconds=5)
    assert (answer.status, answer.body) == (404, b"hi")
    assert answer.headers[:2] == [(b"X-A", b"1"), (b"x-a", b"2")]
    await asyncio.gather(*seen)


async def test_what_a_hung_worker_has_not_taken_is_not_kept_for_it():
    """O-03: nor the connection, until it dies."""
    taken: list[socket.socket] = []

    def hand_over(end: socket.socket) -> bool:
        taken.append(socket.socket(fileno=os.dup(end.fileno())))
        end.close()
        return True

    size = 4 << 20
    with pytest.raises(WorkerUnavailable, match="no answer in time"):
        await ask(hand_over, b"POST", b"/", [(b"host", b"localhost")], bytes(size), seconds=0.05)
    with taken[0] as worker:
        worker.settimeout(5)
        got = 0
        while piece := await asyncio.to_thread(worker.recv, 1 << 20):
            got += len(piece)
    assert got < size
