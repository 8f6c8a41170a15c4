"""Pieces, turns and holds of what a websocket's peer sends."""

from __future__ import annotations

import asyncio

import pytest

from proxy.websockets.intake import FRAMES, PIECE, Hold, Intake

MANY = FRAMES // 2  # frames in a piece: two pieces are a turn's
DATA = bytes(range(256)) * (6 * PIECE // 256)


class Reading(asyncio.Transport):
    """Whether it is read; nothing comes of it."""

    paused = closing = False

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def is_closing(self):
        return self.closing


class Parser:
    """``parsed`` is what came; each piece has ``frames``, and ``hold`` may hold the intake after it."""

    def __init__(self, frames, hold=None):
        self.transport = Reading()
        self.intake = Intake(self.transport, self.parse)
        self.parsed = b""
        self.frames = frames
        self.hold = hold

    def parse(self, data):
        assert len(data) <= PIECE
        self.parsed += data
        if self.hold is not None:
            self.intake.hold(self.hold)
        return self.frames


async def test_a_long_message_is_parsed_in_one_turn():
    """H-63: its pieces are no frames."""
    parser = Parser(frames=0)
    parser.intake.feed(DATA)
    assert parser.parsed == DATA
    assert not parser.transport.paused


async def test_many_frames_take_several_turns():
    """F-32: others have theirs between them, and nothing is read meanwhile."""
    parser = Parser(frames=MANY)
    parser.intake.feed(DATA)
    for pieces in (2, 4, 6):
        assert parser.parsed == DATA[: pieces * PIECE]
        assert parser.transport.paused is (pieces < 6)
        await asyncio.sleep(0)


@pytest.mark.parametrize("reason", [Hold.MESSAGE, Hold.ANSWER])
async def test_what_is_held_waits(reason):
    """F-36: unparsed, and no more than what was read."""
    parser = Parser(frames=1, hold=reason)
    parser.intake.feed(DATA[:PIECE])
    assert not parser.transport.paused, "nothing waits yet, and an end of the connection would be seen"
    parser.intake.feed(DATA[PIECE:])
    for pieces in range(1, 7):
        await asyncio.sleep(0)
        assert parser.parsed == DATA[: pieces * PIECE]
        assert parser.transport.paused is (pieces < 6)
        parser.intake.release(reason)
        await asyncio.sleep(0)


async def test_every_hold_must_be_released():
    """H-63: a message that waits and a pong that cannot leave are held by themselves."""
    parser = Parser(frames=1)
    parser.intake.hold(Hold.MESSAGE)
    parser.intake.hold(Hold.ANSWER)
    parser.intake.feed(DATA)
    parser.intake.release(Hold.MESSAGE)
    await asyncio.sleep(0)
    assert (parser.parsed, parser.intake.held) == (b"", Hold.ANSWER)
    parser.intake.release(Hold.ANSWER)
    await asyncio.sleep(0)
    assert parser.parsed == DATA


async def test_nothing_is_parsed_of_a_connection_that_is_lost():
    """F-36: nor kept."""
    parser = Parser(frames=MANY)
    parser.intake.feed(DATA)
    parser.intake.close()
    await asyncio.sleep(0)
    assert parser.parsed == DATA[: 2 * PIECE]
