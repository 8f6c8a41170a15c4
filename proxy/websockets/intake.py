"""What a websocket's peer sends, on either hop: parsed in small pieces, and not read while it cannot be dealt with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Flag, auto
from traceback import clear_frames

from websockets.http11 import Request, Response
from websockets.protocol import Protocol

# Bytes parsed in one turn of the loop. A frame may have two and takes a hundred times as many once it is parsed.
PIECE = 4096


class Hold(Flag):
    """Why nothing more is parsed."""

    HANDSHAKE = auto()  # it is not answered yet
    MESSAGE = auto()  # one waits to be taken
    ANSWER = auto()  # a peer that asks for pongs does not read them


class Intake:
    """Passes on to ``parse`` what it is fed, unless held: then it waits as bytes, at most one read of them.

    Reading is paused while anything waits. ``parse`` may hold.
    """

    __slots__ = ("_holds", "_loop", "_parse", "_transport", "_turn", "_unparsed")

    def __init__(self, transport: asyncio.Transport, parse: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._parse: Callable[[bytes], None] | None = parse
        self._loop = asyncio.get_running_loop()
        self._unparsed = bytearray()
        self._holds = Hold(0)
        self._turn: asyncio.Handle | None = None

    @property
    def held(self) -> Hold:
        """Whether it is held, and why."""
        return self._holds

    def feed(self, data: bytes) -> None:
        """What has been read."""
        self._unparsed += data
        if self._turn is None and not self._holds:
            self._parse_piece()
        self._steer()

    def hold(self, reason: Hold) -> None:
        """Parse nothing more, and read nothing, until it is released."""
        self._holds |= reason
        self._steer()

    def release(self, reason: Hold) -> None:
        """Go on, unless it is held for another reason."""
        if reason & self._holds:
            self._holds &= ~reason
            self._steer()

    def close(self) -> None:
        """The connection is lost. The circle through ``parse`` ends here, not with the garbage collector."""
        self._parse = None
        self._unparsed.clear()
        if self._turn is not None:
            self._turn.cancel()

    def _take_turn(self) -> None:
        self._turn = None
        if not self._holds:
            self._parse_piece()
            self._steer()

    def _parse_piece(self) -> None:
        piece = bytes(self._unparsed[:PIECE])
        del self._unparsed[:PIECE]
        if self._parse is not None:
            self._parse(piece)

    def _steer(self) -> None:
        if self._transport.is_closing():
            self._unparsed.clear()
        elif self._holds:
            self._transport.pause_reading()
        elif self._unparsed:
            self._transport.pause_reading()
            self._turn = self._turn or self._loop.call_soon(self._take_turn)
        else:
            self._transport.resume_reading()


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
