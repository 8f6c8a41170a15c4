"""Request bodies that can begin again."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import BadRequest
from proxy.upstream.http2.body import MAX_KEPT, MAX_PIECES, RepeatableBody
from tests.upstream.requests import Body


class WholeBody(Body):
    """Says with its last piece that it was the last."""

    def __init__(self, pieces: list[bytes], length: int | None = None) -> None:
        super().__init__(pieces, length)
        self._left = len(pieces)

    async def read(self) -> bytes:
        self._left -= 1
        self.whole = self._left <= 0
        return await super().read()


async def read_all(body: RepeatableBody) -> list[bytes]:
    pieces = []
    while not body.ended:
        pieces.append(await body.read())
    return pieces


@pytest.mark.parametrize(
    ("kind", "sent", "length", "pieces"),
    [
        (Body, [], None, [b""]),
        (Body, [b"a", b"b"], None, [b"a", b"b", b""]),
        (Body, [b"a", b"b"], 2, [b"a", b"b", b""]),
        (WholeBody, [b"a", b"b"], None, [b"a", b"b"]),
        (WholeBody, [b"a", b"b"], 2, [b"a", b"b"]),
    ],
)
async def test_a_body_is_read_and_read_again(
    kind: type[Body], sent: list[bytes], length: int | None, pieces: list[bytes]
) -> None:
    repeatable = RepeatableBody(kind(sent, length))
    assert await read_all(repeatable) == pieces
    assert repeatable.rewind()
    assert await read_all(repeatable) == pieces


@pytest.mark.parametrize("kind", [Body, WholeBody])
@pytest.mark.parametrize(("pieces", "length"), [([b"ab"], 1), ([b"a", b"bc"], 2), ([b"a"], 2)])
async def test_a_body_is_as_long_as_was_said(kind: type[Body], pieces: list[bytes], length: int) -> None:
    """RFC 9113 §8.1.1."""
    with pytest.raises(BadRequest):
        await read_all(RepeatableBody(kind(pieces, length)))


@pytest.mark.parametrize(
    ("pieces", "again"),
    [
        ([bytes(MAX_KEPT)], True),
        ([bytes(MAX_KEPT), b"a"], False),
        ([bytes(MAX_KEPT + 1)], False),
        ([b"a"] * (MAX_PIECES - 1), True),  # and the last, which is empty
        ([b"a"] * (MAX_PIECES + 1), False),
    ],
    ids=["at the bound", "over it", "over it at once", "many pieces", "too many"],
)
async def test_only_a_short_beginning_is_kept(pieces: list[bytes], *, again: bool) -> None:
    """F-24: each body holds little."""
    body = RepeatableBody(Body(pieces))
    await read_all(body)
    assert body.rewind() is again


async def test_a_body_that_begins_again_goes_on() -> None:
    body = RepeatableBody(Body([b"a", b"b", b"c"], 3))
    first = [await body.read(), await body.read()]
    assert body.rewind()
    assert await read_all(body) == [*first, b"c", b""]


async def test_what_is_forgotten_does_not_come_again() -> None:
    body = RepeatableBody(Body([b"a"]))
    await body.read()
    body.forget()
    assert not body.rewind()


async def test_who_reads_is_waited_for() -> None:
    """Cancelled, it has not let go at once."""
    gate = asyncio.Event()
    body = RepeatableBody(Body([gate, b"a"]))
    await body.let_go()  # nobody reads
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    reading.cancel()
    await body.let_go()
    assert reading.done()
    assert body.rewind()
    gate.set()
