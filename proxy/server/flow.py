"""Back-pressure on one connection: whether it is read, and whether more may be written to it."""

from __future__ import annotations

import asyncio


class FlowControl:
    """``read_paused`` is ours to say, ``write_paused`` is the transport's word, which ``drain`` waits for."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.read_paused = False
        self.write_paused = False
        self._transport = transport
        self._writable = asyncio.Event()
        self._writable.set()

    async def drain(self) -> None:
        """Until more may be written."""
        await self._writable.wait()

    def pause_reading(self) -> None:
        """Nothing more is read, until ``resume_reading``."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """It is read on."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        if not self.write_paused:
            self.write_paused = True
            self._writable.clear()

    def resume_writing(self) -> None:
        """It has room again; also where the connection is lost, so that nobody waits for ever."""
        if self.write_paused:
            self.write_paused = False
            self._writable.set()
