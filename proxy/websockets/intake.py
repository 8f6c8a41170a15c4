"""What a websocket's peer sends, on either hop: parsed in small pieces, and not read while it cannot be dealt with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from traceback import clear_frames

from websockets.http11 import Request, Response
from websockets.protocol import Protocol

# Bytes parsed at once: a frame may have two, and takes a hundred times as many once it is parsed.
PIECE = 4096
FRAMES = 256  # parsed in one turn of the loop, about; others are to have theirs


class Hold:
    """Why nothing more is parsed: bits, for an ``enum.Flag`` costs more than all else here."""

    HANDSHAKE = 1  # it is not answered yet
    MESSAGE = 2  # one waits to be taken
    ANSWER = 4  # a peer that asks for pongs does not read them


class Intake:
    """Passes on to ``parse``, which returns the number of frames, what it is fed.

    Unless it is held: then that waits as bytes, at most one read of them, and reading is ``paused``.
    """

    __slots__ = ("_holds", "_loop", "_parse", "_transport", "_turn", "_unparsed", "paused")

    def __init__(self, transport: asyncio.Transport, parse: Callable[[bytes | bytearray], int]) -> None:
        self.paused = False
        self._transport = transport
        self._parse: Callable[[bytes | bytearray], int] | None = parse
        self._loop = asyncio.get_running_loop()
        self._unparsed = bytearray()
        self._holds = 0
        self._turn: asyncio.Handle | None = None

    @property
    def held(self) -> int:
        """Whether it is held, and why (``Hold``)."""
        return self._holds

    def feed(self, data: bytes) -> None:
        """What has been read."""
        if self._parse is not None and not self._unparsed and not self._holds and len(data) <= PIECE:
            self._parse(data)
            return
        self._unparsed += data
        if self._turn is None:
            self._parse_some()

    def hold(self, reason: int) -> None:
        """Parse nothing more until it is released."""
        self._holds |= reason

    def release(self, reason: int) -> None:
        """Go on, unless it is held for another reason."""
        self._holds &= ~reason
        if self._unparsed or self.paused:
            self._steer()

    def close(self) -> None:
        """The connection is lost. The circle through ``parse`` ends here, not with the garbage collector."""
        self._parse = None
        self._unparsed.clear()
        if self._turn is not None:
            self._turn.cancel()

    def _take_turn(self) -> None:
        self._turn = None
        self._parse_some()

    def _parse_some(self) -> None:
        frames = 0
        while self._unparsed and self._parse is not None and not self._holds and frames < FRAMES:
            piece = self._unparsed[:PIECE]
            del self._unparsed[:PIECE]
            frames += self._parse(piece)
        self._steer()

    def _steer(self) -> None:
        if self._transport.is_closing():
            self._unparsed.clear()
        elif not self._unparsed:
            if self.paused:
                self.paused = False
                self._transport.resume_reading()
        else:
            if not self.paused:
                self.paused = True
                self._transport.pause_reading()
            if self._turn is None and not self._holds:
                self._turn = self._loop.call_soon(self._take_turn)


def let_go(protocol: Protocol, head: Request | Response | None) -> None:
    """End the circles by which the protocol of a lost connection would hold itself.

    They go through its parser, and through the frames of an error that it, or the handshake's head, keeps.
    """
    protocol.parser.close()
    for error in (protocol.parser_exc, protocol.handshake_exc):
        if error is not None:
            clear_frames(error.__traceback__)
    protocol.parser_exc = protocol.handshake_exc = None
    if head is not None:
        head._exception = None  # noqa: SLF001  the library's other place for the handshake's error
